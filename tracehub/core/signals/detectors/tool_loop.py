"""The same tool with the same arguments, again and again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tracehub.core.signals.base import Evidence
from tracehub.core.trace import Signal


def detect(trace: Evidence) -> Iterator[Signal]:
    """Yield one `tool_loop` per tool called too often with equal arguments."""
    limit = trace.rules.limit("tool_loop")
    calls = [(span.tool or span.name, span.input_hash) for span in trace.tools]
    counts = Counter(call for call in calls if call[1] is not None)
    last = dict(zip(calls, trace.tools, strict=True))
    for call, times in counts.items():
        if times >= limit:
            yield Signal(
                "tool_loop",
                f"{call[0]} was called {times} times with equal arguments",
                "high",
                last[call].span_id,
                evidence={"tool": call[0], "calls": times},
            )
