"""Which prompt version a part of a trace ran under: what a failure is laid to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tracehub.core.trace import SpanDigest


def prompt_of(span_id: str | None, spans: Sequence[SpanDigest]) -> str | None:
    """Return the prompt version of a span, as `refund@v12`; None where none was sent.

    Its own, else of the nearest call: the one that shares the smallest span around both, there the
    last before it (it asked for a tool's call), else the next. Of the calls inside a span, and of
    the trace where no span is named, it is the last: the one that answered.
    """
    by_id = {span.span_id: span for span in spans}
    prompted = [span for span in spans if span.prompt and "@" in span.prompt]
    at = by_id.get(span_id or "")
    if at is None:
        return max(prompted, key=_begun).prompt if prompted else None
    if at in prompted:
        return at.prompt
    around = {one.span_id: i for i, one in enumerate(_up(at, by_id))}

    def far(span: SpanDigest) -> tuple[int, bool, int, str]:
        common = next((around[o.span_id] for o in _up(span, by_id) if o.span_id in around), None)
        steps = len(around) if common is None else common
        later = steps > 0 and span.start_ns > at.start_ns
        return steps, later, span.start_ns if later else -span.start_ns, span.span_id

    return min(prompted, key=far).prompt if prompted else None


def _begun(span: SpanDigest) -> tuple[int, str]:
    return span.start_ns, span.span_id


def _up(span: SpanDigest, by_id: Mapping[str, SpanDigest]) -> list[SpanDigest]:
    """Return a span and those around it, the nearest first; a circle is walked once."""
    found = {span.span_id: span}
    while (parent := by_id.get(span.parent_id or "")) and parent.span_id not in found:
        found[parent.span_id] = span = parent
    return list(found.values())
