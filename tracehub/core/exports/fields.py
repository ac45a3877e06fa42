"""Parts of a case in the forms that several tools share: messages, texts, metadata, ids."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

from tracehub.core.cases import Case
from tracehub.core.trace import Json

# The name space of the UUIDs that tools demand as ids: the same case always has the same one.
NAMESPACE = uuid.UUID("6f1b8a0e-5d0c-5b7e-9c3f-7a1de9b0c2d4")
# JSON leaves these as they are, but readers that split text into lines break at them.
_BREAKS = re.compile("[\u0085\u2028\u2029]")
_AUDIO = re.compile(r"audio/(?:x-)?(wav|mp3|mpeg)")


def to_json(value: Json) -> str:
    """Return the value as JSON on one line, whatever splits lines at which character.

    >>> to_json({"b": "é", "a": [1, 2.5]})
    '{"b": "é", "a": [1, 2.5]}'
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return _BREAKS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def line(value: Json) -> bytes:
    """One line of a JSONL file."""
    return (to_json(value) + "\n").encode()


def compact(value: Json) -> str:
    """Return the value as compact JSON with sorted keys, for fields that hold text only."""
    text = json.dumps(
        value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True
    )
    return _BREAKS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def as_text(value: Json) -> str | None:
    """Return an expected output as text: text as it is, JSON compact, nothing as None."""
    return value if value is None or isinstance(value, str) else compact(value)


def text_type(value: Json) -> str | None:
    """`text`, `json`, or None when there is no value."""
    return None if value is None else "text" if isinstance(value, str) else "json"


def message_text(content: Json) -> str:
    """The text of a message; parts that are no text are named, so that they are seen to exist."""
    if not isinstance(content, list):
        return content if isinstance(content, str) else ""
    return "\n".join(
        str(part["text"]) if part.get("type") == "text" and "text" in part
        else f"[{part.get('type', 'part')}]"
        for part in content
    )  # fmt: skip


def input_text(case: Case) -> str:
    """One string for tools that take one: the only user turn, else the transcript, else variables.

    The full messages always travel beside it.
    """
    messages = case["input"]["messages"]
    users = [m for m in messages if m["role"] == "user"]
    if len(users) == 1:
        return message_text(users[0]["content"])
    if messages:
        return "\n".join(f"{m['role']}: {message_text(m['content'])}" for m in messages)
    return compact(case["input"]["variables"])


def openai_messages(case: Case) -> list[dict[str, Any]]:
    """The messages as OpenAI's chat API takes them.

    Without messages, one user message that holds the variables as JSON.
    """
    messages = case["input"]["messages"]
    if not messages:
        return [{"role": "user", "content": compact(case["input"]["variables"])}]
    return [_openai_message(message) for message in messages]


def _openai_message(message: dict[str, Any]) -> dict[str, Any]:
    content = message["content"]
    result: dict[str, Any] = {
        "role": message["role"],
        "content": [_openai_part(p) for p in content] if isinstance(content, list) else content,
    }
    if calls := message.get("tool_calls"):
        result["tool_calls"] = [
            {
                "id": call["id"] or f"call_{i + 1}",
                "type": "function",
                "function": {"name": call["name"], "arguments": arguments_text(call["arguments"])},
            }
            for i, call in enumerate(calls)
        ]
    for key in ("tool_call_id", "name"):
        if key in message:
            result[key] = message[key]
    return result


def arguments_text(arguments: Json) -> str:
    """Arguments as the JSON text that OpenAI's API uses; text is what was never JSON."""
    return arguments if isinstance(arguments, str) else compact(arguments)


def _openai_part(part: dict[str, Any]) -> dict[str, Any]:
    kind, mime = part.get("type"), part.get("mime_type") or ""
    if kind == "image" and (part.get("uri") or part.get("data")):
        return {"type": "image_url", "image_url": {"url": image_url(part)}}
    if kind == "audio" and part.get("data") and (match := _AUDIO.fullmatch(mime)):
        form = "wav" if match[1] == "wav" else "mp3"
        return {"type": "input_audio", "input_audio": {"data": part["data"], "format": form}}
    return part


def image_url(part: dict[str, Any]) -> str:
    """The address of an image part; its bytes as a data URL when it has no address."""
    mime = part.get("mime_type") or "image/png"
    return str(part.get("uri") or f"data:{mime};base64,{part.get('data', '')}")


def inputs(case: Case) -> dict[str, Any]:
    """The three keys that dataset tools get as input: messages, variables, context."""
    return {
        "messages": openai_messages(case),
        "variables": case["input"]["variables"],
        "context": case["context"],
    }


def meta(case: Case) -> dict[str, Any]:
    """What has no place of its own in most tools, under names that are the same everywhere."""
    source = case["source"]
    return {
        "tracehub_case": case["id"],
        "tracehub_set": case["set"],
        "tracehub_version": case["version"],
        "kind": case["kind"],
        "title": case["title"],
        "prompt": prompt_label(case),
        "model": case["model"],
        "severity": case["severity"],
        "failure_modes": case["failure_modes"],
        "tags": case["tags"],
        "trace_id": source["trace_id"],
        "span_id": source["span_id"],
        "trace_url": source["url"],
        "failure": source["failure"],
        "reviewer": case["reviewer"],
        "created_at": case["created_at"],
        "updated_at": case["updated_at"],
        "assertions": case["assertions"],
        "expected_tool_calls": case["tool_calls"]["expected"],
    }


def prompt_label(case: Case) -> str | None:
    """`refund@v12`, or just the name."""
    prompt = case["prompt"]
    if not prompt:
        return None
    return f"{prompt['name']}@{prompt['version']}" if prompt["version"] else str(prompt["name"])


def case_uuid(case: Case) -> str:
    """The UUID of a case, for tools that demand one: UUIDv5 of `set/case id`."""
    return str(uuid.uuid5(NAMESPACE, f"{case['set']}/{case['id']}"))
