"""Calls against what is usual for their prompt: one comparison, three measures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from tracehub.core.signals.base import Evidence
from tracehub.core.signals.rules import Baseline, baseline_key
from tracehub.core.trace import Signal, SpanDigest

ENOUGH = 100  # calls from which a 95th percentile means something


class Measure(NamedTuple):
    """What is compared: a value of a call, the baseline's, and how both are written."""

    kind: str
    of_call: Callable[[SpanDigest], float | None]
    of_baseline: Callable[[Baseline], float | None]
    written: Callable[[float], str]
    verb: str


def beyond(trace: Evidence, measure: Measure) -> Iterator[Signal]:
    """Yield a signal per finished call beyond the limit, a multiple of its prompt's p95."""
    factor = trace.rules.limit(measure.kind)
    for span in trace.calls:
        baseline = trace.rules.baselines.get(baseline_key(span.prompt, span.name))
        value = measure.of_call(span)
        if baseline is None or baseline.calls < ENOUGH or not value:
            continue
        usual = measure.of_baseline(baseline)
        if usual and value > factor * usual:
            said = (
                f"{span.name} {measure.verb} {measure.written(value)}, {value / usual:.1f} times "
                f"the p95 of {span.prompt.partition('@')[0] if span.prompt else span.name}, "
                f"{measure.written(usual)}"
            )
            evidence = {"value": value, "p95": usual, "calls": baseline.calls}
            yield Signal(measure.kind, said, "medium", span.span_id, evidence=evidence)
