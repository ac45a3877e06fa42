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


@dataclass(frozen=True, slots=True)
class Row:
    """A row of one text beside what it was. `number` is that of the old line for `del`.

    `kind`: same, del, ins, or fold, whose one run says what is left out.
    """

    kind: str
    number: int
    runs: tuple[tuple[str, bool], ...]


def unified(one: Sequence[str], other: Sequence[str], *, context: int = 3) -> list[Row]:
    """Return both texts as one; equal lines further than `context` from a change are folded.

    >>> [(row.kind, row.number) for row in unified(["a", "b"], ["a", "c"])]
    [('same', 1), ('del', 2), ('ins', 2)]
    """
    old, new = compare(one, other)
    rows: list[Row] = []
    i = j = 0
    while i < len(old) or j < len(new):
        while i < len(old) and old[i].differs:
            rows.append(Row("del", i + 1, old[i].runs))
            i += 1
        while j < len(new) and new[j].differs:
            rows.append(Row("ins", j + 1, new[j].runs))
            j += 1
        if j < len(new):
            rows.append(Row("same", j + 1, new[j].runs))
        i, j = i + 1, j + 1
    return _folded(rows, context)


def _folded(rows: list[Row], context: int) -> list[Row]:
    changes = [at for at, row in enumerate(rows) if row.kind != "same"]
    near = {at + step for at in changes for step in range(-context, context + 1)}
    found: list[Row] = []
    hidden: list[Row] = []
    for at, row in enumerate([*rows, None]):
        if row is not None and at not in near:
            hidden.append(row)
            continue
        if len(hidden) < 3:  # a fold takes a line of its own
            found += hidden
        else:
            words = f"Lines {hidden[0].number} to {hidden[-1].number} are the same"
            found.append(Row("fold", hidden[0].number, ((words, False),)))
        hidden = []
        if row is not None:
            found.append(row)
    return found


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
    return Line(_joined(left), True), Line(_joined(right), True)


def _joined(runs: list[tuple[str, bool]]) -> tuple[tuple[str, bool], ...]:
    """Return the runs with a space between two changed words counted to the change.

    >>> _joined([("a", True), (" ", False), ("b", True), (" ", False), ("c", False)])
    (('a b', True), (' c', False))
    """
    found: list[tuple[str, bool]] = []
    for at, (text, differs) in enumerate(runs):
        between = 0 < at < len(runs) - 1 and runs[at - 1][1] and runs[at + 1][1]
        differs = differs or (between and text.isspace())
        if found and found[-1][1] == differs:
            found[-1] = (found[-1][0] + text, differs)
        else:
            found.append((text, differs))
    return tuple(found)
