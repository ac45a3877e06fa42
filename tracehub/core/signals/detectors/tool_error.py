"""Tools that failed."""

from __future__ import annotations

from collections.abc import Iterator

from tracehub.core.signals.base import Evidence
from tracehub.core.trace import Signal


def detect(trace: Evidence) -> Iterator[Signal]:
    """Yield `tool_error` per failed tool span; high when no later call of that tool succeeded."""
    recovered: set[str] = set()
    for span in reversed(trace.tools):
        name = span.tool or span.name
        if not span.error:
            recovered.add(name)
            continue
        reason = span.error_message or span.error_type or "no reason given"
        yield Signal(
            "tool_error",
            f"{name} failed: {reason[:300]}",
            "medium" if name in recovered else "high",
            span.span_id,
            evidence={"tool": name, "type": span.error_type},
        )
