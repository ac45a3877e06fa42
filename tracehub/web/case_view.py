"""Eval cases in words: what goes in, what is expected, what an assertion asks. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tracehub.core.trace import Json
from tracehub.web.trace_view.pane import ROLES
from tracehub.web.trace_view.text import one_line, visible


def input_line(title: str, given: Mapping[str, Any]) -> str:
    """Return what a case is about on one line: its title, else the last thing the user said."""
    if title.strip():
        return one_line(title)
    messages = given.get("messages") or []
    users = [m for m in messages if isinstance(m, dict) and m.get("role") == "user"]
    for message in reversed(users or messages[-1:]):
        if text := text_of(message.get("content") if isinstance(message, dict) else message):
            return one_line(text)
    variables = given.get("variables")
    return one_line(compact(variables)) if variables else "no input"


def asked(given: Mapping[str, Any]) -> str:
    """Return what the last user said in full; "" when there are only variables."""
    users = [m for m in messages(given) if m["role"] == ROLES.get("user", "user")]
    return str(users[-1]["text"]) if users else ""


def expected_line(expected: Json, assertions: list[dict[str, Any]], *, format_only: bool) -> str:
    """Return what must hold, on one line: the first assertion, else the expected output."""
    for assertion in sorted(assertions, key=lambda a: a.get("type") == "json_schema"):
        return one_line(assertion_line(assertion), 120)
    if expected is not None:
        return one_line(expected if isinstance(expected, str) else compact(expected), 120)
    return "keeps its format" if format_only else "no expected output yet"


def assertion_line(assertion: Mapping[str, Any]) -> str:
    """Return an assertion as words.

    >>> assertion_line({"type": "json_pointer_equals", "pointer": "/refund/amount", "value": 418.6})
    'refund.amount = 418.6'
    >>> assertion_line({"type": "max_latency", "ms": 2000})
    'latency at most 2000 ms'
    """
    kind = str(assertion.get("type"))
    value = assertion.get("value")
    shown = value if isinstance(value, str) else compact(value)
    match kind:
        case "exact":
            return f"output is {shown}"
        case "contains":
            return f"output contains {shown}"
        case "not_contains":
            return f"output does not contain {shown}"
        case "regex":
            return f"output matches {assertion.get('pattern')}"
        case "similarity":
            return f"output is {assertion.get('threshold')} similar to {shown}"
        case "json_schema":
            contract = assertion.get("contract")
            return f"matches {contract}" if contract else "matches its schema"
        case "json_pointer_equals":
            path = str(assertion.get("pointer", "")).strip("/").replace("/", ".")
            return f"{path or 'output'} = {compact(value)}"
        case "tool_called":
            return f"calls {assertion.get('name')}"
        case "max_calls":
            return f"calls {assertion.get('name')} at most {assertion.get('count')} times"
        case "cites_document":
            return f"cites {assertion.get('document')}"
        case "max_cost":
            return f"cost at most ${assertion.get('usd')}"
        case "max_latency":
            return f"latency at most {assertion.get('ms')} ms"
        case "llm_rubric":
            return f"judge: {assertion.get('rubric')}"
    return kind.replace("_", " ")


def assertion_parts(assertion: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return what an assertion is about, how it compares, and with what, for a table.

    >>> assertion_parts({"type": "json_pointer_equals", "pointer": "/refund/amount", "value": 38})
    ('refund.amount', 'equals', '38')
    >>> assertion_parts({"type": "tool_called", "name": "get_booking"})
    ('get_booking', 'called', 'any arguments')
    """
    value = assertion.get("value")
    shown = value if isinstance(value, str) else compact(value)
    match str(assertion.get("type")):
        case "exact":
            return "output", "equals", shown
        case "contains":
            return "output", "contains", shown
        case "not_contains":
            return "output", "lacks", shown
        case "regex":
            return "output", "matches", str(assertion.get("pattern"))
        case "similarity":
            return "output", "similar", f"{assertion.get('threshold')} to {shown}"
        case "json_schema":
            return str(assertion.get("contract") or "its schema"), "schema", "valid"
        case "json_pointer_equals":
            path = str(assertion.get("pointer", "")).strip("/").replace("/", ".")
            return path or "output", "equals", compact(value)
        case "tool_called":
            arguments = assertion.get("arguments")
            wanted = compact(arguments) if arguments else "any arguments"
            return str(assertion.get("name")), "called", wanted
        case "max_calls":
            return str(assertion.get("name")), "at most", f"{assertion.get('count')} calls"
        case "cites_document":
            return str(assertion.get("document")), "cited", "in the output"
        case "max_cost":
            return "cost", "at most", f"${assertion.get('usd')}"
        case "max_latency":
            return "latency", "at most", f"{assertion.get('ms')} ms"
        case "llm_rubric":
            return str(assertion.get("rubric")), "judge", f"≥ {assertion.get('threshold')}"
    return assertion_line(assertion), "", ""


def compact(value: Json) -> str:
    """Return JSON on one line, as short as it gets while readable."""
    return json.dumps(value, ensure_ascii=False)


def text_of(content: Json) -> str:
    """Return the text of a message's content; other parts are named in brackets."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [
        part["text"]
        if isinstance(part, dict) and isinstance(part.get("text"), str)
        else f"[{part.get('type', 'part') if isinstance(part, dict) else 'part'}]"
        for part in parts
    ]
    return "\n\n".join(texts)


def messages(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the messages of a case's input for reading: role, text, calls in words."""
    found = []
    for message in given.get("messages") or []:
        if not isinstance(message, dict):
            continue
        role = str(message.get("role") or "")
        calls = [
            {"name": visible(str(call.get("name"))), "arguments": compact(call.get("arguments"))}
            for call in message.get("tool_calls") or []
            if isinstance(call, dict)
        ]
        text = visible(text_of(message.get("content")))
        found.append({"role": ROLES.get(role, role), "text": text, "calls": calls})
    return found
