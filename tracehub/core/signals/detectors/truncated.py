"""Answers cut off by a length limit."""

from __future__ import annotations

from collections.abc import Iterator

from tracehub.core.finish import is_truncated
from tracehub.core.signals.base import Evidence
from tracehub.core.trace import Signal


def detect(trace: Evidence) -> Iterator[Signal]:
    """Yield `truncated` per call whose finish reason is a length limit."""
    for span in trace.calls:
        if is_truncated(span.finish_reasons):
            yield Signal(
                "truncated",
                f"{span.name} stopped at its length limit",
                "medium",
                span.span_id,
                evidence={"finish_reasons": span.finish_reasons},
            )
