"""A trace without what it says: structure, names and numbers stay, text becomes `[hidden]`.

For projects that hide content: people see what happened, how often, how long and at what cost, and
read the words on demand.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tracehub.core.query.keys import ATTR, META
from tracehub.core.query.tree import And, Filter, Node, Not, Or, Term, Text
from tracehub.core.trace import Json, Signal, Span

HIDDEN = "[hidden]"
# Fields of our JSON that hold what people and models said, at any depth.
TEXTS = frozenset(
    "input output context arguments result attributes events message comment note variables"
    " corrected_output template metadata parameters expected_output recorded_output".split()
)
_WORDS = frozenset({"input", "output", "error", "note"})
_NAMED = (META, ATTR)


def conceal_json(value: Json) -> Json:
    """Return an answer of the API with each text in it hidden; null stays null.

    >>> conceal_json({"name": "refund", "input": {"a": 1}, "output": None, "cost": "0.1"})
    {'name': 'refund', 'input': '[hidden]', 'output': None, 'cost': '0.1'}
    """
    if isinstance(value, dict):
        return {
            name: HIDDEN if name in TEXTS and _says(inner) else conceal_json(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [conceal_json(item) for item in value]
    return value


def conceal_span(span: Span) -> Span:
    """Return a span with its steps, names, tokens and times, and none of its words."""
    tool = span.tool and replace(
        span.tool, arguments=_hidden(span.tool.arguments), result=_hidden(span.tool.result)
    )
    prompt = span.prompt and replace(span.prompt, template=None, variables={})
    return replace(
        span,
        input=_payload(span.input),
        output=_payload(span.output),
        context=[{"id": None, "content": HIDDEN, "score": d.get("score")} for d in span.context],
        tool=tool,
        prompt=prompt,
        error_message=_hidden(span.error_message),
        validation_errors=[replace(e, message=HIDDEN) for e in span.validation_errors],
        output_schema=None,
        guardrail=span.guardrail and {**span.guardrail, "message": HIDDEN},
        feedback=[{**score, "comment": None} for score in span.feedback],
        facts=replace(span.facts, trace_input=None, trace_output=None, metadata={}),
        parameters={},
        attributes={},
        events=[],
        links=[],
        resource={},
        posted={},
    )


def conceal_signal(signal: Signal) -> Signal:
    """Return a signal by its kind and place; its message may quote the output."""
    return replace(signal, message=HIDDEN, evidence={})


def asks_for_words(wanted: Filter) -> bool:
    """Tell whether a filter looks into texts, and so would tell what they say."""
    return wanted.root is not None and _asks(wanted.root)


def _asks(node: Node) -> bool:
    match node:
        case Text():
            return True
        case Term(key=key):
            return key in _WORDS or key.startswith(_NAMED)
        case Not(node=inner):
            return _asks(inner)
        case And(nodes=nodes) | Or(nodes=nodes):
            return any(map(_asks, nodes))


def _says(value: Json) -> bool:
    """Tell texts and structures from numbers: `tokens.input` is a count."""
    return isinstance(value, str | list | dict) and bool(value)


def _hidden(value: Any) -> Any:
    return HIDDEN if _says(value) else value


def _payload(value: Json) -> Json:
    """Hide a payload; of messages, the roles and the names of calls stay."""
    if isinstance(value, dict) and isinstance(value.get("messages"), list):
        return {"messages": [_message(m) for m in value["messages"] if isinstance(m, dict)]}
    return _hidden(value)


def _message(message: dict[str, Json]) -> dict[str, Json]:
    calls = [call for call in message.get("tool_calls") or [] if isinstance(call, dict)]
    return {
        "role": message.get("role"),
        "content": [{"type": "text", "text": HIDDEN}] if message.get("content") else [],
        "tool_calls": [
            {"id": call.get("id"), "name": call.get("name"), "arguments": HIDDEN} for call in calls
        ],
        "tool_call_id": message.get("tool_call_id"),
    }
