"""Calls of tools that the request does not offer."""

from __future__ import annotations

from collections.abc import Iterator

from tracehub.core.signals.base import Contents
from tracehub.core.signals.offered import calls_of, offered
from tracehub.core.trace import Signal


def detect(trace: Contents) -> Iterator[Signal]:
    """Yield `unknown_tool` per name that a model called and its request does not offer.

    Silent when the request was recorded without its tools, or with one that has no name.
    """
    for span in trace.calls:
        tools = offered(span)
        if not tools.complete:
            continue
        for name in dict.fromkeys(call.name for call in calls_of(span)):
            if name not in tools.schemas:
                yield Signal(
                    "unknown_tool",
                    f"{span.name} called {name}, which its request does not offer",
                    "high",
                    span.span_id,
                    evidence={"tool": name, "offered": sorted(tools.schemas)[:20]},
                )
