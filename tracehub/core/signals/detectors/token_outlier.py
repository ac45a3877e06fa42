"""Calls that take far more tokens than others of their prompt."""

from __future__ import annotations

from collections.abc import Iterator

from tracehub.core.signals.base import Evidence
from tracehub.core.signals.usual import Measure, beyond
from tracehub.core.trace import Signal

MEASURE = Measure(
    "token_outlier",
    lambda span: span.tokens.total if span.tokens is not None else None,
    lambda baseline: baseline.tokens,
    lambda tokens: f"{tokens:,.0f} tokens",
    "took",
)


def detect(trace: Evidence) -> Iterator[Signal]:
    """Yield `token_outlier` per call whose tokens are beyond their limit."""
    yield from beyond(trace, MEASURE)
