"""Answers stopped by the provider's content filter."""

from __future__ import annotations

from collections.abc import Iterator

from tracehub.core.finish import is_filtered
from tracehub.core.signals.base import Evidence
from tracehub.core.trace import Signal


def detect(trace: Evidence) -> Iterator[Signal]:
    """Yield `content_filter` per call whose finish reason is a filter."""
    for span in trace.calls:
        if is_filtered(span.finish_reasons):
            yield Signal(
                "content_filter",
                f"The provider's content filter stopped {span.name}",
                "high",
                span.span_id,
                evidence={"finish_reasons": span.finish_reasons},
            )
