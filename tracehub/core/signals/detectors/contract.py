"""Outputs that break a contract of the project: `core.contracts` compares, this hands on."""

from __future__ import annotations

from collections.abc import Iterator

from tracehub.core.signals.base import Evidence
from tracehub.core.trace import Signal

LIMIT = 40  # per trace; more of them say nothing new


def detect(trace: Evidence) -> Iterator[Signal]:
    """Yield `schema_error`, `not_json`, `unknown_label` and `required_null`."""
    yield from trace.violations[:LIMIT]
