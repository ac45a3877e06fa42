"""The native form of an eval case, `tracehub.case/1`: its fields, its checks, its order of keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tracehub.core import assertions
from tracehub.core.shape import Schema, ShapeError, check, shown
from tracehub.core.trace import SEVERITIES, Json

SCHEMA_NAME = "tracehub.case/1"
KINDS = ("known_failure", "success", "risky_edge", "format")
ROLES = ("system", "developer", "user", "assistant", "tool")
Case = dict[str, Any]

_OBJECT: Schema = {"type": "object"}
_SHORT: Schema = {"type": "string", "maxLength": 300}
_SHORT_OR_NULL: Schema = {"type": ["string", "null"], "maxLength": 300}
_CALL_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 300}
_SLUGS: Schema = {
    "type": "array",
    "maxItems": 50,
    "items": {"type": "string", "minLength": 1, "maxLength": 60},
}
_MESSAGE: Schema = {
    "type": "object",
    "properties": {
        "role": {"enum": list(ROLES)},
        "content": {"type": ["string", "array", "null"], "items": _OBJECT},
        "tool_calls": {
            "type": "array",
            "maxItems": 200,
            "items": {
                "type": "object",
                "properties": {
                    "id": {"type": ["string", "null"], "maxLength": 300},
                    "name": _CALL_NAME,
                    "arguments": {},
                },
                "required": ["name"],
                "additionalProperties": False,
            },
        },
        "tool_call_id": _SHORT_OR_NULL,
        "name": _SHORT_OR_NULL,
    },
    "required": ["role"],
    "additionalProperties": False,
}
_DOCUMENT: Schema = {
    "type": "object",
    "properties": {
        "id": {"type": ["string", "null"], "maxLength": 1000},
        "content": {"type": ["string", "null"]},
        "score": {"type": ["number", "null"]},
        "metadata": {"type": ["object", "null"]},
    },
    "additionalProperties": False,
}
_TOOL_CALLS: Schema = {
    "type": "object",
    "properties": {
        "expected": {
            "type": "array",
            "maxItems": 200,
            "items": {
                "type": "object",
                "properties": {"name": _CALL_NAME, "arguments": {}},
                "required": ["name"],
                "additionalProperties": False,
            },
        },
        "recorded": {
            "type": "array",
            "maxItems": 500,
            "items": {
                "type": "object",
                "properties": {
                    "id": _SHORT_OR_NULL,
                    "name": _CALL_NAME,
                    "arguments": {},
                    "result": {},
                },
                "required": ["name"],
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}
_CONTENT: Schema = {
    "kind": {"enum": list(KINDS)},
    "title": _SHORT,
    "input": {
        "type": "object",
        "properties": {
            "messages": {"type": "array", "maxItems": 1000, "items": _MESSAGE},
            "variables": _OBJECT,
        },
        "additionalProperties": False,
    },
    "context": {"type": "array", "maxItems": 500, "items": _DOCUMENT},
    "tool_calls": _TOOL_CALLS,
    "prompt": {
        "type": ["object", "null"],
        "properties": {"name": _SHORT, "version": _SHORT_OR_NULL},
        "required": ["name"],
        "additionalProperties": False,
    },
    "model": {"type": ["string", "null"], "maxLength": 200},
    "parameters": _OBJECT,
    "expected_output": {},
    "recorded_output": {},
    "assertions": {"type": "array", "items": {"anyOf": assertions.schemas()}},
    "failure_modes": _SLUGS,
    "severity": {"enum": [*SEVERITIES, None]},
    "tags": {
        "type": "array",
        "maxItems": 50,
        "items": {"type": "string", "minLength": 1, "maxLength": 200},
    },
    "source": {
        "type": ["object", "null"],
        "properties": {
            "trace_id": {
                "type": ["string", "null"],
                "pattern": r"^[0-9a-fA-F]{32}$",
                "description": "32 hex digits",
            },
            "span_id": {
                "type": ["string", "null"],
                "pattern": r"^[0-9a-fA-F]{16}$",
                "description": "16 hex digits",
            },
            "url": {"type": ["string", "null"], "maxLength": 2000},
            "failure": {"type": ["string", "null"], "maxLength": 20},
        },
        "additionalProperties": False,
    },
    "reviewer": {"type": ["string", "null"], "maxLength": 254},
}
# Fields of an exported line that the set gives anew when the line is added again.
_GIVEN: Schema = {
    "schema": {"const": SCHEMA_NAME},
    "id": {"type": "string", "maxLength": 20},
    "set": {"type": "string", "maxLength": 60},
    "version": {"type": "integer", "minimum": 1},
    "created_at": {"type": "string", "maxLength": 40},
    "updated_at": {"type": "string", "maxLength": 40},
}
CASE_SCHEMA: Schema = {
    "type": "object",
    "title": "case",
    "properties": {**_GIVEN, **_CONTENT},
    "required": ["input"],
    "additionalProperties": False,
}
CHANGE_SCHEMA: Schema = {"type": "object", "properties": _CONTENT, "additionalProperties": False}


def read(body: Any) -> Case:
    """Return the content of a case sent from outside, complete and in order. Raises ShapeError.

    `schema`, `id`, `set`, `version` and the two times are taken, so that an exported line can be
    added as it is, and left out: the set gives them anew.
    """
    # Assertions have a check of their own, which names the field inside the right type.
    check(body, _without_assertions(CASE_SCHEMA))
    case = complete(_asserted({k: v for k, v in body.items() if k not in _GIVEN}))
    if not case["input"]["messages"] and not case["input"]["variables"]:
        raise ShapeError("input", "needs messages or variables. Got neither.")
    return case


def read_change(body: Any) -> Case:
    """Return the fields of a change to a case, checked, without defaults. Raises ShapeError."""
    check(body, _without_assertions(CHANGE_SCHEMA))
    whole = complete(_asserted({"input": {}, **body}))
    return {key: whole[key] for key in body}


def _without_assertions(schema: Schema) -> Schema:
    return {
        **schema,
        "properties": {**schema["properties"], "assertions": {"type": "array"}},
    }


def _asserted(content: Mapping[str, Any]) -> Case:
    """Return the content with its assertions checked and named."""
    return {**content, "assertions": assertions.read(content.get("assertions", []))}


def complete(content: Mapping[str, Any]) -> Case:
    """Return the content with every field present and every key in the order of the native form.

    Its assertions were read before: a set of 10,000 cases is exported without checking them anew.
    """
    calls = content.get("tool_calls") or {}
    given = content["input"]
    return {
        "kind": content.get("kind", "known_failure"),
        "title": content.get("title", ""),
        "input": {
            "messages": [_message(m) for m in given.get("messages", [])],
            "variables": given.get("variables", {}),
        },
        "context": [_document(d, i) for i, d in enumerate(content.get("context") or ())],
        "tool_calls": {
            "expected": [_ordered(c, ("name", "arguments")) for c in calls.get("expected", [])],
            "recorded": [
                _ordered(c, ("id", "name", "arguments", "result"))
                for c in calls.get("recorded", [])
            ],
        },
        "prompt": _ordered(content["prompt"], ("name", "version"))
        if content.get("prompt")
        else None,
        "model": content.get("model") or None,
        "parameters": content.get("parameters", {}),
        "expected_output": content.get("expected_output"),
        "recorded_output": content.get("recorded_output"),
        "assertions": [assertions.ordered(a) for a in content.get("assertions", [])],
        "failure_modes": list(dict.fromkeys(content.get("failure_modes", []))),
        "severity": content.get("severity") or None,
        "tags": list(dict.fromkeys(content.get("tags", []))),
        "source": _source(content.get("source") or {}),
        "reviewer": content.get("reviewer") or None,
    }


def native(
    content: Mapping[str, Any],
    *,
    id: str,
    set: str,
    version: int,
    created_at: str,
    updated_at: str,
) -> Case:
    """Return the whole case as one line of `cases.jsonl` holds it; `content` is complete."""
    return {
        "schema": SCHEMA_NAME,
        "id": id,
        "set": set,
        "version": version,
        **content,
        "created_at": created_at,
        "updated_at": updated_at,
    }


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two complete contents say the same; the link to the trace page does not count."""
    return _comparable(one) == _comparable(other)


def _comparable(content: Mapping[str, Any]) -> Case:
    source = {k: v for k, v in (content["source"] or {}).items() if k != "url"}
    return {**content, "source": source}


def _message(message: Mapping[str, Any]) -> dict[str, Json]:
    """A message in order, with only the keys it needs; content is text or a list of parts."""
    ordered: dict[str, Json] = {"role": message["role"], "content": message.get("content") or ""}
    if calls := message.get("tool_calls"):
        ordered["tool_calls"] = [
            {"id": c.get("id"), "name": c["name"], "arguments": c.get("arguments", {})}
            for c in calls
        ]
    for key in ("tool_call_id", "name"):
        if message.get(key):
            ordered[key] = message[key]
    return ordered


def _document(document: Mapping[str, Any], index: int) -> dict[str, Json]:
    return {
        "id": document.get("id") or f"doc_{index + 1}",
        "content": document.get("content") or "",
        "score": document.get("score"),
        "metadata": document.get("metadata") or {},
    }


def _ordered(value: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Json]:
    return {key: value.get(key, {} if key == "arguments" else None) for key in keys}


def _source(source: Mapping[str, Any]) -> dict[str, Json]:
    return {
        "trace_id": _lower(source.get("trace_id")),
        "span_id": _lower(source.get("span_id")),
        "url": source.get("url"),
        "failure": source.get("failure"),
    }


def _lower(text: str | None) -> str | None:
    return text.lower() if text else None


def asked(content: Mapping[str, Any]) -> str:
    """Return what a case asks as one text: all that users say, and its variables."""
    given = content["input"]
    texts = []
    for message in given.get("messages") or ():
        if message.get("role") == "user":
            said = message.get("content") or ""
            parts = said if isinstance(said, list) else [{"text": said}]
            texts += [part["text"] for part in parts if isinstance(part.get("text"), str)]
    for value in (given.get("variables") or {}).values():
        texts.append(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    return "\n".join(texts)


def check_kind(kind: str) -> None:
    """Raise ShapeError unless `kind` is one of the four kinds of case."""
    if kind not in KINDS:
        raise ShapeError("kind", f"must be one of {', '.join(KINDS)}. Got {shown(kind)}.")
