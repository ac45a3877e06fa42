"""Messages and events of AutoGen's AgentChat, as its teams and agents dump them.

`{"source": "user", "type": "TextMessage", "content": …}`: who said it, not a role. Calls of tools
and their results are lists in `content`.
"""

from __future__ import annotations

from typing import Any

Json = Any

CALLS, RESULTS, THOUGHT = "ToolCallRequestEvent", "ToolCallExecutionEvent", "ThoughtEvent"
SAID = frozenset(
    {
        "TextMessage", "MultiModalMessage", "StopMessage", "HandoffMessage", "StructuredMessage",
        "ToolCallSummaryMessage", "MemoryQueryEvent", "UserInputRequestedEvent",
        "ModelClientStreamingChunkEvent", "SelectSpeakerEvent", "CodeGenerationEvent",
        "CodeExecutionEvent",
    }
)  # fmt: skip


def is_autogen(item: dict[str, Json]) -> bool:
    """Tell whether this is one of AutoGen's messages, which have a source in place of a role."""
    kind = item.get("type")
    known = isinstance(kind, str) and (kind in SAID or kind in {CALLS, RESULTS, THOUGHT})
    return known and isinstance(item.get("source"), str) and "role" not in item


def with_roles(item: dict[str, Json]) -> list[dict[str, Json]]:
    """Return the messages that one of AutoGen's is: one for each result of a tool.

    >>> with_roles({"source": "user", "type": "TextMessage", "content": "Hi"})
    [{'role': 'user', 'content': 'Hi'}]
    """
    content = item.get("content")
    parts = [one for one in content if isinstance(one, dict)] if isinstance(content, list) else []
    if item["type"] == CALLS:
        return [{"role": "assistant", "content": None, "tool_calls": parts}]
    if item["type"] == RESULTS:
        return [
            {"role": "tool", "content": one.get("content"), "tool_call_id": one.get("call_id")}
            for one in parts
        ]
    if item["type"] == THOUGHT:
        content = [{"type": "reasoning", "text": content}]
    return [{"role": "user" if item["source"] == "user" else "assistant", "content": content}]
