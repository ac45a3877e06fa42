"""Errors that ended the whole trace."""

from __future__ import annotations

from collections.abc import Iterator

from tracehub.core.signals.base import Evidence
from tracehub.core.trace import Signal


def detect(trace: Evidence) -> Iterator[Signal]:
    """Yield one `exception` at the deepest failed span of a failed trace; tools have their own."""
    if trace.summary.status != "error":
        return
    failed = [span for span in trace.spans if span.error]
    parents = {span.parent_id for span in failed}
    leaves = [span for span in failed if span.span_id not in parents and span.kind != "tool"]
    if leaves:
        last = leaves[-1]
        reason = last.error_message or last.error_type or "no reason given"
        yield Signal(
            "exception",
            f"{last.name} failed: {reason[:300]}",
            "high",
            last.span_id,
            evidence={"type": last.error_type},
        )
