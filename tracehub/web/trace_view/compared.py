"""Two traces step by step: which steps they share, and which words differ in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tracehub.core.trace import Json, Span
from tracehub.web import marks, word_diff
from tracehub.web.trace_view import written
from tracehub.web.trace_view.text import visible

STEPS_AT_MOST = 300
LINES_AT_MOST = 300


@dataclass(frozen=True, slots=True)
class Step:
    """A step of one trace beside the same one of the other; None where it has no such step."""

    left: Span | None
    right: Span | None
    differs: bool

    @property
    def span(self) -> Span:
        span = self.left or self.right
        assert span is not None  # noqa: S101 made of one of them
        return span

    @property
    def id(self) -> str:
        return self.span.span_id

    @property
    def name(self) -> str:
        return visible(self.span.name)

    @property
    def mark(self) -> marks.Mark:
        return marks.span_kind(self.span.kind)

    @property
    def said(self) -> str:
        if self.left is None or self.right is None:
            return "only here" if self.right is None else "only there"
        return "differs" if self.differs else "same"


@dataclass(frozen=True, slots=True)
class Sides:
    """One part of a step on both sides, each line with the words that differ."""

    title: str
    left: Sequence[word_diff.Line]
    right: Sequence[word_diff.Line]
    same: bool


def steps(one: Sequence[Span], other: Sequence[Span]) -> list[Step]:
    """Pair the steps of two traces by kind, name and how often that came before."""
    theirs = _numbered(other)
    paired: list[Step] = []
    for key, left in _numbered(one).items():
        right = theirs.pop(key, None)
        paired.append(Step(left, right, right is None or _told(left) != _told(right)))
    paired += [Step(None, right, differs=True) for right in theirs.values()]
    return paired[:STEPS_AT_MOST]


def sides(step: Step) -> list[Sides]:
    """Return the input and output of a step on both sides."""
    parts = (("Input", written.given), ("Output", written.result))
    return [
        _sides(title, step.left and part(step.left), step.right and part(step.right))
        for title, part in parts
    ]


def _sides(title: str, left: Json, right: Json) -> Sides:
    one, other = written.lines(left)[:LINES_AT_MOST], written.lines(right)[:LINES_AT_MOST]
    a, b = word_diff.compare(one, other)
    return Sides(title, a, b, one == other)


def _numbered(spans: Sequence[Span]) -> dict[tuple[str, str, int], Span]:
    seen: Counter[tuple[str, str]] = Counter()
    found: dict[tuple[str, str, int], Span] = {}
    for span in spans:
        key = span.kind, span.name
        seen[key] += 1
        found[(*key, seen[key])] = span
    return found


def _told(span: Span) -> tuple[Json, Json]:
    return written.given(span), written.result(span)
