"""`inspect`: samples for `inspect_ai.dataset.json_dataset`. Field names: inspect-ai 0.3.285."""

from __future__ import annotations

from typing import Any

from tracehub.core.cases import Case
from tracehub.core.exports.fields import as_text, image_url, input_text, message_text, meta
from tracehub.core.exports.rows import row_format
from tracehub.core.trace import Json


def _row(case: Case) -> dict[str, Any]:
    extra = {"variables": case["input"]["variables"], "context": case["context"]}
    messages = [_message(m) for m in case["input"]["messages"]]
    return {
        "id": case["id"],
        "input": messages or input_text(case),
        "target": as_text(case["expected_output"]) or "",
        "metadata": {**meta(case), **extra},
    }


def _message(message: dict[str, Any]) -> dict[str, Any]:
    role = "system" if message["role"] == "developer" else message["role"]
    # Inspect takes no null content, and tool calls as objects, unlike OpenAI's API.
    result: dict[str, Any] = {"role": role, "content": _content(message["content"])}
    if calls := message.get("tool_calls"):
        result["tool_calls"] = [
            {
                "id": call["id"] or f"call_{i + 1}",
                "function": call["name"],
                "arguments": _arguments(call["arguments"]),
                "type": "function",
            }
            for i, call in enumerate(calls)
        ]
    if message.get("tool_call_id"):
        result["tool_call_id"] = message["tool_call_id"]
    return result


def _arguments(arguments: Json) -> dict[str, Any]:
    return arguments if isinstance(arguments, dict) else {"value": arguments}


def _content(content: Json) -> Json:
    """Text, or parts where there are images; other parts are named, so that they are seen."""
    if not isinstance(content, list) or not any(p.get("type") == "image" for p in content):
        return message_text(content)
    return [
        {"type": "image", "image": image_url(part)}
        if part.get("type") == "image"
        else {"type": "text", "text": message_text([part])}
        for part in content
    ]


FORMAT = row_format(
    "inspect", "Inspect", "Samples for a Python dataset and task.", "samples.jsonl", _row
)
