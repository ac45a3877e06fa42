"""Calls that take far longer than others of their prompt."""

from __future__ import annotations

from collections.abc import Iterator

from tracehub.core.signals.base import Evidence
from tracehub.core.signals.usual import Measure, beyond
from tracehub.core.trace import Signal

MEASURE = Measure(
    "slow",
    lambda span: None if span.error else span.duration_ns,
    lambda baseline: baseline.duration_ns,
    lambda ns: f"{ns / 1e9:.1f} s" if ns >= 1e9 else f"{ns / 1e6:.0f} ms",
    "took",
)


def detect(trace: Evidence) -> Iterator[Signal]:
    """Yield `slow` per call whose duration is beyond its limit."""
    yield from beyond(trace, MEASURE)
