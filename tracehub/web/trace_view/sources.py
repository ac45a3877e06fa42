"""Which retrieved documents an answer uses: cited by id or place, or sharing its words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tracehub.core.signals.detectors.unknown_citation import cited
from tracehub.core.signals.text import spoken
from tracehub.core.trace import Json

SHARED = 6  # words in a row that are no accident
READ = 40_000  # characters of a document that are compared
_WORD = re.compile(r"[^\W_]+(?:[.,'’-][^\W_]+)*")


@dataclass(frozen=True, slots=True)
class Use:
    """How an answer uses a document: `cited`, and the (start, end) that it repeats word by word."""

    cited: bool = False
    shared: tuple[tuple[int, int], ...] = ()


def uses(output: Json, documents: Sequence[tuple[str, str]]) -> list[Use]:
    """Return the use of each document, given as (id, text) in the order they were retrieved.

    Words in a row, in any case, are looked up by `SHARED` at a time, so the cost is the length of
    the texts.
    """
    answer = spoken(output)
    words = [match[0].casefold() for match in _WORD.finditer(answer)]
    grams = {tuple(words[at : at + SHARED]) for at in range(len(words) - SHARED + 1)}
    named = set(cited(output, answer, {name for name, _ in documents if name}))
    found = []
    for place, (name, text) in enumerate(documents, 1):
        found.append(Use(name in named or str(place) in named, _shared(text[:READ], grams)))
    return found


def _shared(text: str, grams: set[tuple[str, ...]]) -> tuple[tuple[int, int], ...]:
    """Return the parts of a text whose words stand in the answer in the same order.

    >>> grams = {tuple("in full to the form of".split())}
    >>> _shared("Refund in full, to the form of payment.", grams)
    ((7, 30),)
    """
    if not grams:
        return ()
    matches = list(_WORD.finditer(text))
    words = [match[0].casefold() for match in matches]
    spans: list[tuple[int, int]] = []
    for at in range(len(words) - SHARED + 1):
        if tuple(words[at : at + SHARED]) not in grams:
            continue
        start, end = matches[at].start(), matches[at + SHARED - 1].end()
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return tuple(spans)
