"""What was found wrong in a trace, as the page needs it: per span, in place, worst first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tracehub.core.trace import SEVERITIES, Signal, Span
from tracehub.web import marks
from tracehub.web.trace_view.code import Note
from tracehub.web.trace_view.text import one_line, visible

WORST = frozenset(("high", "critical"))


@dataclass(slots=True, frozen=True)
class Finding:
    """Signals of one kind on spans of one name, as one line of the list."""

    mark: marks.Mark
    count: int
    where: str
    span_id: str
    message: str


def failed_spans(signals: Sequence[Signal]) -> set[str]:
    """Return the ids of the spans that a grave signal points at."""
    return {s.span_id for s in signals if s.span_id and s.severity in WORST}


def rank(signal: Signal) -> int:
    """Return how grave a signal is: 0 for the worst."""
    return len(SEVERITIES) - 1 - SEVERITIES.index(signal.severity)


def findings(signals: Sequence[Signal], spans: Sequence[Span]) -> list[Finding]:
    """Return the signals, worst first, those of one kind on equally named spans together."""
    by_id = {span.span_id: span for span in spans}
    counts: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], Signal] = {}
    for signal in sorted(signals, key=rank):
        span = by_id.get(signal.span_id or "")
        key = (signal.kind, span.name if span else "")
        counts[key] += 1
        first.setdefault(key, signal)
    return [
        Finding(
            marks.signal(kind, first[kind, name].severity),
            counts[kind, name],
            visible(name) or "whole trace",
            first[kind, name].span_id or "",
            one_line(first[kind, name].message),
        )
        for kind, name in first
    ]


def notes_of(span: Span, signals: Sequence[Signal]) -> list[Note]:
    """Return what is wrong in a span's output: signals with a place, then errors as sent."""
    found = [
        Note(
            visible(signal.pointer),
            visible(signal.message.removeprefix(f"`{signal.pointer}` ").replace("`", "")),
            tone="fail" if signal.severity in WORST else "unsure",
            icon=marks.signal(signal.kind).icon,
            contract=visible(signal.contract or ""),
        )
        for signal in signals
        if signal.span_id == span.span_id and signal.pointer is not None
    ]
    known = {note.at for note in found}
    found.extend(
        Note(visible(error.pointer), visible(error.message or error.rule))
        for error in span.validation_errors
        if error.pointer not in known
    )
    return found


def of_span(span: Span, signals: Sequence[Signal]) -> list[Signal]:
    """Return the signals of a span that point at no place in its output."""
    own = [s for s in signals if s.span_id == span.span_id and s.pointer is None]
    return sorted(own, key=rank)


def default_span(
    spans: Sequence[Span], signals: Sequence[Signal], output_span: str | None
) -> Span | None:
    """Return the span to open first: the worst signal's, a failed one, the answer, the first.

    Among failed spans the last to start is taken: errors travel from the inside out, and what
    was tried again and worked is earlier.
    """
    by_id = {span.span_id: span for span in spans}
    for signal in sorted(signals, key=rank):
        span = by_id.get(signal.span_id or "")
        if span is not None and rank(signal) <= 1:
            return span
    parents = {span.parent_id for span in spans if span.error}
    for span in reversed(spans):
        if (span.error or span.validation_errors) and span.span_id not in parents:
            return span
    return by_id.get(output_span or "") or (spans[0] if spans else None)
