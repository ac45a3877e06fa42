"""Contract violations that the sender reported: one signal per span, pointer and rule."""

from __future__ import annotations

from collections.abc import Iterator

from tracehub.core.signals.base import Evidence
from tracehub.core.trace import Signal

LIMIT = 20  # per trace; more of them say nothing new


def detect(trace: Evidence) -> Iterator[Signal]:
    """Yield `validation_error` where a span says that its output broke a rule.

    What a contract of the project finds at the same place is said once, by the contract.
    """
    known = {(found.span_id, found.pointer or "") for found in trace.violations}
    seen = 0
    for span in trace.spans:
        for error in span.validation_errors:
            if (span.span_id, error.pointer) in known:
                continue
            seen += 1
            if seen > LIMIT:
                return
            yield Signal(
                "validation_error",
                error.message,
                "high",
                span.span_id,
                error.pointer or None,
                evidence={"rule": error.rule, "span": span.name},
            )
