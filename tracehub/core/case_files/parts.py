"""Parts of a case from the forms that several tools share: the way back from `exports.fields`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from tracehub.core.cases import KINDS
from tracehub.core.exports.fields import compact
from tracehub.core.trace import Json

_DATA_URL = re.compile(r"data:([^;,]+);base64,(.*)", re.DOTALL)
_PLAIN = ("kind", "title", "model", "severity", "failure_modes", "tags", "reviewer", "assertions")
# What the set gives anew, or `from_meta` puts elsewhere.
_KNOWN = frozenset(
    (
        *_PLAIN, "tracehub_case", "tracehub_set", "tracehub_version", "prompt", "trace_id",
        "span_id", "trace_url", "failure", "created_at", "updated_at", "expected_tool_calls",
        "variables", "context", "context_ids", "messages",
    )
)  # fmt: skip


def given(value: Json) -> dict[str, Any]:
    """Return what a tool has as input as `messages` and `variables`.

    >>> given("Refund X7K2QD")
    {'messages': [{'role': 'user', 'content': 'Refund X7K2QD'}], 'variables': {}}
    """
    if isinstance(value, str):
        messages = [{"role": "user", "content": value}] if value else []
        return {"messages": messages, "variables": {}}
    if isinstance(value, list):
        return {"messages": [message(one) for one in value], "variables": {}}
    if not isinstance(value, dict):
        return {"messages": [], "variables": {} if value is None else {"input": value}}
    if "messages" not in value and "variables" not in value:
        return {"messages": [], "variables": value}
    messages = value.get("messages") or []
    return {
        "messages": [message(m) for m in messages] if isinstance(messages, list) else messages,
        "variables": value.get("variables") or {},
    }


def with_context(value: Json) -> tuple[dict[str, Any], list[Any]]:
    """Return an input and the documents that a tool keeps inside it."""
    if not isinstance(value, dict) or "context" not in value:
        return given(value), []
    rest = {key: one for key, one in value.items() if key != "context"}
    context = value["context"]
    return given(rest), context if isinstance(context, list) else [{"content": compact(context)}]


def without_stand_in(inside: dict[str, Any]) -> dict[str, Any]:
    """Leave out the message that only repeats the variables, which chat tools need."""
    messages, variables = inside["messages"], inside["variables"]
    if variables and messages == [{"role": "user", "content": compact(variables)}]:
        return {"messages": [], "variables": variables}
    return inside


def message(value: Any) -> Any:
    """Return a message of OpenAI's API or of Inspect in the native form; else as it is."""
    if not isinstance(value, dict):
        return value
    known = {key: value[key] for key in ("role", "content", "tool_call_id", "name") if key in value}
    if known.get("role") in {"human", "ai"}:
        known["role"] = "user" if known["role"] == "human" else "assistant"
    if isinstance(known.get("content"), list):
        known["content"] = [_part(part) for part in known["content"]]
    if calls := value.get("tool_calls"):
        known["tool_calls"] = [_call(call) for call in calls]
    return known


def _call(call: Any) -> Any:
    if not isinstance(call, dict):
        return call
    function = call.get("function")
    if isinstance(function, dict):
        call = {"id": call.get("id"), **function}
    elif isinstance(function, str):
        call = {"id": call.get("id"), "name": function, "arguments": call.get("arguments", {})}
    kept = {key: call[key] for key in ("id", "name", "arguments") if key in call}
    if isinstance(kept.get("arguments"), str):
        kept["arguments"] = json_or_text(kept["arguments"])
    return kept


def _part(part: Any) -> Any:
    if not isinstance(part, dict):
        return {"type": "text", "text": str(part)}
    url = part.get("image_url") or part.get("image")  # OpenAI's API, Inspect
    url = url.get("url") if isinstance(url, dict) else url
    if not isinstance(url, str):
        return part
    if found := _DATA_URL.fullmatch(url):
        return {"type": "image", "data": found[2], "mime_type": found[1]}
    return {"type": "image", "uri": url}


def json_or_text(value: Json) -> Json:
    """Return text that is a JSON object or list as what it says, all else as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in {"{", "["}:
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def from_meta(about: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a case that `exports.fields.meta` put into a tool's metadata."""
    # MLflow's tags are all text, so lists come as JSON.
    about = {key: json_or_text(value) for key, value in about.items()}
    content = {key: about[key] for key in _PLAIN if about.get(key) is not None}
    if content.get("kind") not in KINDS:  # a tool's own "kind" says something else
        content.pop("kind", None)
    if prompt := about.get("prompt"):
        content["prompt"] = prompt_of(prompt)
    if calls := about.get("expected_tool_calls"):
        content["tool_calls"] = {"expected": calls}
    source = {key: about[key] for key in ("trace_id", "span_id", "failure") if about.get(key)}
    if source:
        content["source"] = source
    return content


def unknown_meta(about: Mapping[str, Any]) -> list[str]:
    """Return the keys of a tool's metadata that a case has no place for."""
    return [f"metadata.{key}" for key in about if key not in _KNOWN]


def prompt_of(text: Any) -> Any:
    """`refund@v12` -> name and version; what is no text stays, for the check to name."""
    if not isinstance(text, str):
        return text
    name, at, version = text.rpartition("@")
    return {"name": name, "version": version} if at and name else {"name": text, "version": None}
