"""All detectors over one trace, in a fixed order, so that equal traces have equal signals."""

from __future__ import annotations

from tracehub.core.signals.base import Detector, Evidence
from tracehub.core.signals.detectors import (
    content_filter,
    contract,
    empty_output,
    empty_retrieval,
    exception,
    fallback,
    guardrail_hit,
    negative_feedback,
    refusal,
    retried,
    timeout,
    tool_error,
    tool_loop,
    truncated,
    validation_error,
)
from tracehub.core.trace import SEVERITIES, Severity, Signal

DETECTORS: tuple[Detector, ...] = (
    contract.detect,
    validation_error.detect,
    exception.detect,
    timeout.detect,
    tool_error.detect,
    tool_loop.detect,
    empty_output.detect,
    content_filter.detect,
    truncated.detect,
    refusal.detect,
    guardrail_hit.detect,
    empty_retrieval.detect,
    negative_feedback.detect,
    fallback.detect,
    retried.detect,
)
LIMIT = 100  # signals of one trace; a trace with more is not better explained by them


def detect(trace: Evidence) -> list[Signal]:
    """Return the signals of a trace, at most LIMIT, gravest detectors first."""
    found: list[Signal] = []
    for detector in DETECTORS:
        for signal in detector(trace):
            found.append(signal)
            if len(found) == LIMIT:
                return found
    return found


def worst(signals: list[Signal]) -> Severity | None:
    """Return the highest severity, None when there is no signal."""
    return max((s.severity for s in signals), key=SEVERITIES.index, default=None)
