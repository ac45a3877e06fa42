"""Calls that were made again after an error."""

from __future__ import annotations

from collections.abc import Iterator

from tracehub.core.signals.base import Evidence
from tracehub.core.trace import Signal


def detect(trace: Evidence) -> Iterator[Signal]:
    """Yield one `retried` for a trace with extra attempts."""
    if count := trace.summary.retries:
        attempts = "1 extra attempt" if count == 1 else f"{count} extra attempts"
        yield Signal("retried", f"{attempts} after an error", "low", evidence={"retries": count})
