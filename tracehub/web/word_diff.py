"""Two texts side by side: which lines differ, and which words in them. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

LINES_AT_MOST = 300  # beyond that the lines are shown without a comparison
WORDS_AT_MOST = 400  # of one line
_WORDS = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Line:
    """A line as runs of text, each with whether it differs; `differs` holds for the line."""

    runs: tuple[tuple[str, bool], ...]
    differs: bool = False


def compare(one: Sequence[str], other: Sequence[str]) -> tuple[list[Line], list[Line]]:
    """Return both texts with what differs marked.

    >>> left, right = compare(["amount: 38"], ["amount: 76"])
    >>> left[0].runs, right[0].runs
    ((('amount: ', False), ('38', True)), (('amount: ', False), ('76', True)))
    """
    if max(len(one), len(other)) > LINES_AT_MOST:
        return plain(one), plain(other)
    left: list[Line] = []
    right: list[Line] = []
    matcher = SequenceMatcher(a=one, b=other, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            left += plain(one[i1:i2])
            right += plain(other[j1:j2])
            continue
        paired = min(i2 - i1, j2 - j1)
        for a, b in zip(one[i1 : i1 + paired], other[j1 : j1 + paired], strict=True):
            in_a, in_b = _words(a, b)
            left.append(in_a)
            right.append(in_b)
        left += [Line(((line, True),), True) for line in one[i1 + paired : i2]]
        right += [Line(((line, True),), True) for line in other[j1 + paired : j2]]
    return left, right


def plain(lines: Sequence[str]) -> list[Line]:
    """Return lines of which none differs."""
    return [Line(((line, False),)) for line in lines]


def _words(one: str, other: str) -> tuple[Line, Line]:
    a, b = _WORDS.findall(one), _WORDS.findall(other)
    if max(len(a), len(b)) > WORDS_AT_MOST:
        return Line(((one, True),), True), Line(((other, True),), True)
    left: list[tuple[str, bool]] = []
    right: list[tuple[str, bool]] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(a=a, b=b, autojunk=False).get_opcodes():
        if i2 > i1:
            left.append(("".join(a[i1:i2]), tag != "equal"))
        if j2 > j1:
            right.append(("".join(b[j1:j2]), tag != "equal"))
    return Line(tuple(left), True), Line(tuple(right), True)
