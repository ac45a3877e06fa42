"""A reviewed trace -> the content of an eval case, with the assertions that its errors suggest."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tracehub.core.assertions import at_pointer, is_pointer, read
from tracehub.core.cases import ROLES, Case, complete
from tracehub.core.trace import SEVERITIES, Json, Signal, Span, TraceSummary

TITLE_LENGTH = 120
_JSON_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (int, "number"),
    (float, "number"),
    (str, "string"),
    (list, "array"),
    (dict, "object"),
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What people said of a trace: its newest review that counts, or nothing yet.

    `has_correction` tells a corrected output of `null` from none.
    """

    verdict: str | None = None
    note: str = ""
    modes: tuple[str, ...] = ()
    severity: str | None = None
    reviewer: str | None = None
    has_correction: bool = False
    corrected: Json = None


def content(
    summary: TraceSummary,
    spans: Sequence[Span],
    signals: Sequence[Signal],
    judgement: Judgement,
    *,
    kind: str | None = None,
    span_id: str | None = None,
) -> Case:
    """Return the complete content of a case made from one step of a trace.

    The step is `span_id`, or the one that made the output in question (see `focus`). Context and
    recorded tool results come from the whole trace, so that the case can be replayed. Raises
    LookupError when the trace has no such span.
    """
    span = focus(summary, spans, signals, judgement, span_id)
    recorded = recorded_output(span)
    kind = kind or _kind(judgement, signals)
    return complete(
        {
            "kind": kind,
            "title": _title(span, signals, judgement),
            "input": input_of(span),
            "context": list(_context(span, spans)),
            "tool_calls": {"expected": [], "recorded": list(_recorded_tools(spans))},
            "prompt": _prompt(span),
            "model": (span.model or span.model_requested or "")[:200],
            "parameters": span.parameters,
            "expected_output": _expected(kind, recorded, judgement),
            "recorded_output": recorded,
            "assertions": read(
                [*proposals(span, signals, judgement), *_of_behaviour(span, spans, signals)]
            ),
            "failure_modes": list(judgement.modes),
            "severity": judgement.severity or _worst(signals),
            "tags": [tag[:200] for tag in summary.tags[:50] if tag],
            "source": {"trace_id": summary.trace_id, "span_id": span.span_id},
            "reviewer": judgement.reviewer,
        }
    )


def _expected(kind: str, recorded: Json, judgement: Judgement) -> Json:
    """The corrected output; for what a person passed as it was, what was answered."""
    if judgement.has_correction:
        return judgement.corrected
    return recorded if kind == "success" and judgement.verdict == "pass" else None


def _prompt(span: Span) -> dict[str, Json] | None:
    prompt = span.prompt
    return {"name": prompt.name, "version": prompt.version} if prompt and prompt.name else None


def focus(
    summary: TraceSummary,
    spans: Sequence[Span],
    signals: Sequence[Signal],
    judgement: Judgement,
    span_id: str | None = None,
) -> Span:
    """Return the step that a case is about.

    In order: the one asked for; with a corrected output, the step whose output that corrects; the
    model call of the worst signal; the step of the trace's output; the last model call; the first
    span. A chain that only passes on the output of a model call gives way to that call, since it
    has the messages.
    """
    by_id = {span.span_id: span for span in spans}
    if span_id is not None:
        return by_id[span_id]
    output = by_id.get(summary.output_span or "")
    output = _call_behind(output, spans) if output else None
    if output and judgement.has_correction:
        return output
    ranked = sorted(signals, key=lambda s: -SEVERITIES.index(s.severity))
    found = (by_id.get(s.span_id or "") for s in ranked)
    failing = next((span for span in found if span and span.kind == "llm"), None)
    calls = [span for span in spans if span.kind == "llm"]
    return failing or output or (calls[-1] if calls else spans[0])


def _call_behind(span: Span, spans: Sequence[Span]) -> Span:
    if span.kind == "llm":
        return span
    wanted = recorded_output(span)
    calls = [s for s in spans if s.kind == "llm" and recorded_output(s) == wanted]
    return calls[-1] if calls and wanted is not None else span


def recorded_output(span: Span) -> Json:
    """Return what the step answered: text, or JSON when the text is a JSON object or list."""
    output = span.output
    messages = output.get("messages") if isinstance(output, dict) else None
    if isinstance(messages, list):
        texts = [_text(m.get("content")) for m in messages if isinstance(m, dict)]
        output = next((text for text in reversed(texts) if text), None)
    if isinstance(output, str) and output.lstrip()[:1] in {"{", "["}:
        try:
            return json.loads(output)
        except ValueError:
            return output
    return output


def proposals(
    span: Span, signals: Sequence[Signal], judgement: Judgement
) -> Iterator[dict[str, Json]]:
    """Yield assertions that would have caught what went wrong in this step.

    A schema error proposes the schema that the caller asked for; without one, the type and the
    value of the corrected output at the place of the error. Text that should have been JSON
    proposes that it parses.
    """
    own = [s for s in signals if s.span_id == span.span_id]
    kinds = {s.kind for s in own}
    pointers = [e.pointer for e in span.validation_errors] + [s.pointer for s in own if s.pointer]
    failed = bool(span.validation_errors) or bool(kinds & {"schema_error", "not_json"})
    if failed and isinstance(span.output_schema, dict):
        contract = next((s.contract for s in own if s.contract), None)
        schema: dict[str, Json] = {"type": "json_schema", "schema": span.output_schema}
        yield {**schema, "contract": contract} if contract else schema
    elif "not_json" in kinds:
        yield {"type": "json_schema", "schema": {}}
    if judgement.has_correction:
        yield from _at_pointers(judgement.corrected, dict.fromkeys(pointers), span.output_schema)


def _of_behaviour(
    span: Span, spans: Sequence[Span], signals: Sequence[Signal]
) -> Iterator[dict[str, Json]]:
    """Yield assertions against what the trace did wrong around the step.

    A tool loop proposes as many calls of the tool as had other arguments; an answer without support
    in its documents proposes that it cites the best of them.
    """
    looped = (str(s.evidence.get("tool", "")) for s in signals if s.kind == "tool_loop")
    for name in dict.fromkeys(filter(None, looped)):
        calls = (s.tool.arguments for s in spans if s.tool and (s.tool.name or s.name) == name)
        asked = {json.dumps(arguments, sort_keys=True) for arguments in calls}
        yield {"type": "max_calls", "name": name, "count": max(1, len(asked))}
    if any(s.kind in {"low_grounding", "unknown_citation"} for s in signals):
        named = [document for document in _context(span, spans) if document["id"]]
        best = max(named, key=lambda document: document["score"] or 0.0, default=None)
        if best:
            yield {"type": "cites_document", "document": best["id"]}


def _at_pointers(
    corrected: Json, pointers: Iterable[str], known_schema: Json
) -> Iterator[dict[str, Json]]:
    for pointer in pointers:
        if not pointer or not is_pointer(pointer):
            continue
        try:
            value = at_pointer(corrected, pointer)
        except LookupError:
            continue
        if not isinstance(known_schema, dict) and isinstance(corrected, dict):
            yield {"type": "json_schema", "schema": _type_schema(pointer, corrected, value)}
        yield {"type": "json_pointer_equals", "pointer": pointer, "value": value}


def _type_schema(pointer: str, corrected: Json, value: Json) -> dict[str, Json]:
    """The smallest schema that asks for the type of `value` at the pointer."""
    name = next((name for kind, name in _JSON_TYPES if isinstance(value, kind)), "null")
    schema: dict[str, Json] = {"type": name}
    parts = pointer.split("/")[1:]
    for depth in range(len(parts) - 1, -1, -1):
        parent = at_pointer(corrected, "".join(f"/{part}" for part in parts[:depth]))
        key = parts[depth].replace("~1", "/").replace("~0", "~")
        if isinstance(parent, list):
            schema = {"type": "array", "items": schema}
        else:
            schema = {"type": "object", "properties": {key: schema}, "required": [key]}
    return schema


def _kind(judgement: Judgement, signals: Sequence[Signal]) -> str:
    if judgement.verdict == "fail":
        return "known_failure"
    if judgement.verdict == "pass":
        return "success"
    return "known_failure" if any(_is_high(s) for s in signals) else "success"


def _is_high(signal: Signal) -> bool:
    return SEVERITIES.index(signal.severity) >= SEVERITIES.index("high")


def _worst(signals: Sequence[Signal]) -> str | None:
    return max((s.severity for s in signals), key=SEVERITIES.index, default=None)


def _title(span: Span, signals: Sequence[Signal], judgement: Judgement) -> str:
    own = [s.message for s in signals if s.span_id == span.span_id]
    errors = [error.message for error in span.validation_errors]
    users = [_text(m["content"]) for m in input_of(span)["messages"] if m["role"] == "user"]
    for text in (judgement.note, *own, *errors, *reversed(users), span.name):
        line = next((part.strip() for part in text.splitlines() if part.strip()), "")
        if line:
            return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1] + "…"
    return ""


def input_of(span: Span) -> dict[str, Any]:
    """Return the input of a step as a case holds it: `messages`, and `variables` of its prompt."""
    given = span.input
    variables = dict(span.prompt.variables) if span.prompt else {}
    if isinstance(given, dict) and isinstance(given.get("messages"), list):
        messages = [_message(m) for m in given["messages"] if isinstance(m, dict)]
        return {"messages": messages, "variables": variables}
    if isinstance(given, str):
        messages = [{"role": "user", "content": given}] if given else []
        return {"messages": messages, "variables": variables}
    if isinstance(given, dict):
        return {"messages": [], "variables": {**given, **variables}}
    return {"messages": [], "variables": variables if given is None else {"input": given}}


def _message(message: dict[str, Any]) -> dict[str, Any]:
    role = message.get("role")
    return {
        "role": role if role in ROLES else "user",
        "content": _content(message.get("content")),
        "tool_calls": [
            {
                "id": call.get("id"),
                "name": call.get("name") or "unnamed",
                "arguments": call.get("arguments", {}),
            }
            for call in message.get("tool_calls") or ()
        ],
        "tool_call_id": message.get("tool_call_id"),
    }


def _content(value: Json) -> Json:
    """Text when the parts are all text, else the parts. Reasoning is no input of a replay."""
    if not isinstance(value, list):
        return value if isinstance(value, str) else "" if value is None else json.dumps(value)
    parts = [p if isinstance(p, dict) else {"type": "text", "text": str(p)} for p in value]
    parts = [p for p in parts if p.get("type") != "reasoning"]
    if all(p.get("type") == "text" for p in parts):
        return _text(parts)
    return parts


def _text(value: Json) -> str:
    if isinstance(value, list):
        texts = (p.get("text") for p in value if isinstance(p, dict) and p.get("type") == "text")
        return "\n".join(text for text in texts if isinstance(text, str))
    return value if isinstance(value, str) else ""


def _context(span: Span, spans: Sequence[Span]) -> Iterator[dict[str, Json]]:
    """Documents that the step had: its own, then those found before it began."""
    seen: set[tuple[str, str]] = set()
    earlier = (s for s in spans if s is not span and s.start_ns <= span.start_ns)
    for source in (span, *earlier):
        for document in source.context:
            text = document.get("content")
            text = text if isinstance(text, str) else json.dumps(text, sort_keys=True)
            id = document.get("id")
            key = ("" if id is None else str(id), text)
            if key not in seen:
                seen.add(key)
                yield {
                    "id": key[0],
                    "content": text,
                    "score": document.get("score"),
                    "metadata": document.get("metadata"),
                }


def _recorded_tools(spans: Sequence[Span]) -> Iterator[dict[str, Json]]:
    for span in spans:
        if span.kind == "tool" and span.tool:
            yield {
                "id": span.tool.call_id,
                "name": span.tool.name or span.name,
                "arguments": span.tool.arguments if span.tool.arguments is not None else {},
                "result": span.tool.result,
            }


def turns(content: Case) -> int:
    """Return how many times the user speaks in the input of a case."""
    return sum(message["role"] == "user" for message in content["input"]["messages"])


def first_turns(content: Case, kept: int) -> Case:
    """Return the case of the first turns of a conversation: it ends where the user had spoken.

    What was answered there is the recorded output. What people and signals said was about the end
    of the conversation, so expected output, assertions and later tool calls do not go along.
    """
    messages = content["input"]["messages"]
    spoke = [i for i, message in enumerate(messages) if message["role"] == "user"][kept - 1]
    answers = (m for m in messages[spoke + 1 :] if m["role"] == "assistant" and m["content"])
    answer = next((_text(m["content"]) for m in answers), None)
    return complete(
        {
            **content,
            "input": {**content["input"], "messages": messages[: spoke + 1]},
            "tool_calls": {"expected": [], "recorded": []},
            "expected_output": None,
            "recorded_output": answer,
            "assertions": [],
        }
    )


def with_talk(content: Case, earlier: Sequence[tuple[str, str]]) -> Case:
    """Return the case with earlier turns, (asked, answered) each, before what it asks.

    Those that its own messages already hold, as most programs send the talk along, are not added.
    """
    messages = content["input"]["messages"]
    missing = earlier[: max(0, len(earlier) + 1 - turns(content))] if messages else ()
    first = next((i for i, one in enumerate(messages) if one["role"] != "system"), len(messages))
    talk = [
        {"role": role, "content": text}
        for turn in missing
        for role, text in zip(("user", "assistant"), turn, strict=True)
        if text
    ]
    joined = [*messages[:first], *talk, *messages[first:]]
    return complete({**content, "input": {**content["input"], "messages": joined}})


def answer_of(content: Case) -> str:
    """Return the recorded answer of a case as text."""
    recorded = content["recorded_output"]
    if recorded is None or isinstance(recorded, str):
        return recorded or ""
    return json.dumps(recorded, ensure_ascii=False)


def with_input(content: Case, said: str) -> Case:
    """Return the case with another last message of the user; without messages, as the first."""
    messages = [dict(message) for message in content["input"]["messages"]]
    last = next((m for m in reversed(messages) if m["role"] == "user"), None)
    if last is None:
        messages.append({"role": "user", "content": said})
    else:
        last["content"] = said
    return complete({**content, "input": {**content["input"], "messages": messages}})


def last_said(content: Case) -> str:
    """Return the last message of the user when it is all text, else ""."""
    users = [m["content"] for m in content["input"]["messages"] if m["role"] == "user"]
    return users[-1] if users and isinstance(users[-1], str) else ""
