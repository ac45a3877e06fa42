"""All detectors over one trace, in a fixed order, so that equal traces have equal signals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tracehub.core.signals.base import Contents, Detector, Evidence, LateDetector
from tracehub.core.signals.detectors import (
    content_filter,
    contract,
    cost_outlier,
    empty_output,
    empty_retrieval,
    exception,
    fallback,
    guardrail_hit,
    judge_fail,
    low_grounding,
    negative_feedback,
    pii_in_output,
    refusal,
    repetition,
    rephrased,
    retried,
    secret_in_output,
    slow,
    timeout,
    token_outlier,
    too_long,
    tool_arguments_invalid,
    tool_error,
    tool_loop,
    truncated,
    unknown_citation,
    unknown_tool,
    validation_error,
    wrong_language,
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
    judge_fail.detect,
    slow.detect,
    cost_outlier.detect,
    token_outlier.detect,
    fallback.detect,
    retried.detect,
)
# These read payloads. The worker runs them when lists are up to date.
SECOND: tuple[LateDetector, ...] = (
    secret_in_output.detect,
    pii_in_output.detect,
    tool_arguments_invalid.detect,
    unknown_tool.detect,
    low_grounding.detect,
    unknown_citation.detect,
    wrong_language.detect,
    repetition.detect,
    too_long.detect,
    rephrased.detect,
)
LIMIT = 100  # signals of one trace; a trace with more is not better explained by them
LATE_LIMIT = 30


def detect(trace: Evidence) -> list[Signal]:
    """Return the signals of a trace, at most LIMIT, gravest detectors first, then the late ones."""
    return _first(LIMIT, _all(trace), trace.rules.off)


def detect_late(trace: Contents) -> list[Signal]:
    """Return what the second pass finds in a trace, at most LATE_LIMIT."""
    found = (signal for detector in SECOND for signal in detector(trace))
    return _first(LATE_LIMIT, found, trace.rules.off)


def _all(trace: Evidence) -> Iterator[Signal]:
    for detector in DETECTORS:
        yield from detector(trace)
    yield from trace.late


def _first(most: int, signals: Iterable[Signal], off: frozenset[str]) -> list[Signal]:
    found: list[Signal] = []
    for signal in signals:
        if signal.kind in off:
            continue
        found.append(signal)
        if len(found) == most:
            break
    return found


def worst(signals: list[Signal]) -> Severity | None:
    """Return the highest severity, None when there is no signal."""
    return max((s.severity for s in signals), key=SEVERITIES.index, default=None)


def one(kind: str) -> Detector | LateDetector:
    """Return the detector that is named as its kind; KeyError for kinds that share one."""
    return _BY_KIND[kind]


_ALL: tuple[Detector | LateDetector, ...] = (*DETECTORS, *SECOND)
_BY_KIND = {detector.__module__.rpartition(".")[2]: detector for detector in _ALL}
