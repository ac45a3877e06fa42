"""Answers in which the model refused."""

from __future__ import annotations

from collections.abc import Iterator

from tracehub.core.finish import is_refused
from tracehub.core.signals.base import Evidence
from tracehub.core.trace import Signal


def detect(trace: Evidence) -> Iterator[Signal]:
    """Yield `refusal` per call that carries a refusal part or finish reason."""
    for span in trace.calls:
        if span.refusal or is_refused(span.finish_reasons):
            yield Signal("refusal", f"The model refused in {span.name}", "medium", span.span_id)
