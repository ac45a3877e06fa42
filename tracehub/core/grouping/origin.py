"""Which prompt version a part of a trace ran under: what a failure is laid to."""

from __future__ import annotations

from collections.abc import Sequence

from tracehub.core.trace import SpanDigest


def prompt_of(span_id: str | None, spans: Sequence[SpanDigest]) -> str | None:
    """Return the prompt version of a span, as `refund@v12`; None where none was sent.

    Its own, else that of the nearest span around it, else of the last prompt begun before it: the
    one that asked for a tool's call. Without a span it is the last of the trace, which answered.
    """
    by_id = {span.span_id: span for span in spans}
    at = by_id.get(span_id or "")
    begun = at.start_ns if at else None
    passed = set()
    while at is not None and at.span_id not in passed:
        if at.prompt and "@" in at.prompt:
            return at.prompt
        passed.add(at.span_id)
        at = by_id.get(at.parent_id or "")
    earlier = [
        span
        for span in spans
        if span.prompt and "@" in span.prompt and (begun is None or span.start_ns <= begun)
    ]
    last = max(earlier, key=lambda span: (span.start_ns, span.span_id), default=None)
    return last.prompt if last else None
