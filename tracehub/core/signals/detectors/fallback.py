"""Calls that went to another model or path after an error."""

from __future__ import annotations

from collections.abc import Iterator

from tracehub.core.signals.base import Evidence
from tracehub.core.trace import Signal


def detect(trace: Evidence) -> Iterator[Signal]:
    """Yield one `fallback` for a trace that left its first choice."""
    if count := trace.summary.fallbacks:
        models = " → ".join(trace.summary.models)
        text = f"Fell back after an error ({models})" if models else "Fell back after an error"
        yield Signal("fallback", text, "low", evidence={"fallbacks": count})
