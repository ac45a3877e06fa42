"""Spans that ran out of time."""

from __future__ import annotations

from collections.abc import Iterator

from tracehub.core.signals.base import Evidence
from tracehub.core.trace import Signal

WORDS = ("timeout", "timed out", "deadline exceeded", "deadlineexceeded")


def detect(trace: Evidence) -> Iterator[Signal]:
    """Yield `timeout` for the deepest spans that failed for want of time.

    A parent that only repeats its child's error is not a second timeout.
    """
    late = [span for span in trace.spans if span.error and _is_timeout(span)]
    parents = {span.parent_id for span in late}
    for span in late:
        if span.span_id not in parents:
            yield Signal(
                "timeout",
                f"{span.name} timed out",
                "high" if trace.summary.status == "error" else "medium",
                span.span_id,
                evidence={"type": span.error_type},
            )


def _is_timeout(span: object) -> bool:
    text = f"{getattr(span, 'error_type', '')} {getattr(span, 'error_message', '')}".lower()
    return any(word in text for word in WORDS)
