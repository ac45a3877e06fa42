"""Calls that cost far more than others of their prompt."""

from __future__ import annotations

from collections.abc import Iterator

from tracehub.core.signals.base import Evidence
from tracehub.core.signals.usual import Measure, beyond
from tracehub.core.trace import Signal

MEASURE = Measure(
    "cost_outlier",
    lambda span: None if span.cost is None else float(span.cost),
    lambda baseline: baseline.cost,
    lambda dollars: f"${dollars:.4f}",
    "cost",
)


def detect(trace: Evidence) -> Iterator[Signal]:
    """Yield `cost_outlier` per call whose cost is beyond its limit."""
    yield from beyond(trace, MEASURE)
