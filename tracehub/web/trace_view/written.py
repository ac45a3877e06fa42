"""An input or output as lines of text, so that two of them can be held against each other."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tracehub.core.trace import Json, Span
from tracehub.web.trace_view.code import parsed
from tracehub.web.trace_view.parts import parts
from tracehub.web.trace_view.text import visible


def lines(value: Json) -> list[str]:
    """Return messages with their roles, JSON laid out, or text as it is, one line each.

    >>> lines({"messages": [{"role": "user", "content": "Hi"}]}), lines('{"a": 1}'), lines(None)
    (['user: Hi'], ['{', '  "a": 1', '}'], [])
    """
    items = value.get("messages") if isinstance(value, dict) else None
    if isinstance(items, list) and all(isinstance(m, dict) for m in items):
        return [visible(line) for m in items for line in _message(m)]
    return [visible(line) for line in _text(value).splitlines()]


def given(span: Span) -> Json:
    """Return what a step was called with: a tool its arguments, else the input."""
    if span.kind == "tool" and span.tool and span.tool.arguments is not None:
        return span.tool.arguments
    return span.input


def result(span: Span) -> Json:
    """Return what a step gave back: a tool its result, else the output, else its error."""
    if span.kind == "tool" and span.tool and span.tool.result is not None:
        return span.tool.result
    return span.error_message if span.output is None else span.output


def _message(message: dict[str, Json]) -> Iterator[str]:
    role = str(message.get("role") or "message")
    text, chips, reasoning = parts(message.get("content"))
    for kind, said in ((f"{role}, reasoning", reasoning), (role, text)):
        for at, line in enumerate(_text(said).splitlines()):
            yield f"{kind}: {line}" if not at else line
    for chip in chips:
        yield f"{role}: [{chip.kind} {chip.type}]".replace(" ]", "]")
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else []:
        if isinstance(call, dict):
            yield f"{role} calls {call.get('name')}:"
            yield from _text(call.get("arguments")).splitlines()


def _text(value: Json) -> str:
    if isinstance(value, str):
        found, is_json = parsed(value)
        if not is_json:
            return value
        value = found
    return "" if value is None else json.dumps(value, ensure_ascii=False, indent=2)
