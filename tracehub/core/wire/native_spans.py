"""One native trace -> spans: fields read by their tables, ids and facts put where they belong."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from tracehub.core.trace import Json, Span, SpanFacts, ToolUse
from tracehub.core.wire import native_fields as read
from tracehub.core.wire.messages import (
    looks_like_messages,
    message,
    read_messages,
    text_message,
    tool_call,
    wrap,
)
from tracehub.core.wire.native_fields import FieldError, Reader, join
from tracehub.core.wire.normalise import COUNTED, DAY_NS

SPAN_FIELDS: dict[str, Reader] = {
    "span_id": read.span_id,
    "parent_id": read.span_id,
    "name": read.text,
    "kind": read.kind,
    "started_at": read.time_ns,
    "duration_ms": read.milliseconds,
    "status": read.status,
    "error": read.error,
    "provider": read.text,
    "model": read.text,
    "model_requested": read.text,
    "agent": read.text,
    "parameters": read.an_object,
    "finish_reasons": read.texts,
    "prompt": read.prompt,
    "input": read.anything,
    "output": read.anything,
    "context": read.context,
    "tool": read.tool,
    "guardrail": read.object_or_none,
    "validation_errors": read.validation_errors,
    "tokens": read.tokens,
    "cost": read.money,
    "time_to_first_token_ms": read.milliseconds,
    "output_schema": read.anything,
    "attributes": read.an_object,
    "events": read.events,
    "flags": read.texts,
}
TRACE_FIELDS: dict[str, Reader] = {
    "trace_id": read.trace_id,
    "name": read.text,
    "spans": read.a_list,
    "started_at": read.time_ns,
    "environment": read.text,
    "release": read.text,
    "cohort": read.text,
    "service": read.text,
    "session_id": read.text,
    "user_id": read.text,
    "tags": read.texts,
    "metadata": read.an_object,
    "input": read.anything,
    "output": read.anything,
    "outcome": read.outcome,
    "feedback": read.feedback,
}
# Without `spans` these, too, are fields of a trace: together they make one llm span.
ONE_SPAN_FIELDS: dict[str, Reader] = {
    **{
        name: SPAN_FIELDS[name]
        for name in (
            "model",
            "model_requested",
            "provider",
            "parameters",
            "finish_reasons",
            "prompt",
            "context",
            "validation_errors",
            "tokens",
            "cost",
            "time_to_first_token_ms",
            "duration_ms",
            "status",
            "error",
            "attributes",
            "output_schema",
            "kind",
        )
    },
    "latency_ms": read.milliseconds,
    "tool_calls": read.a_list,
}
# What TraceHub works out: in its answers, so taken when they are sent back.
DERIVED = (
    "project",
    "duration_ms",
    "status",
    "models",
    "prompts",
    "tokens",
    "cost",
    "time_to_first_token_ms",
    "retries",
    "fallbacks",
    "signals",
    "verdict",
    "failure_modes",
    "reviews",
    "provisional",
    "root_present",
    "severity",
    "failing",
    "promoted",
    "timeouts",
    "span_count",
    "late",
)


def hash_of(text: str, size: int) -> str:
    """Return `size` bytes of a hash of a text, in hexadecimal."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=size).hexdigest()


def _fields(value: dict[str, Json], readers: dict[str, Reader], path: str) -> dict[str, Any]:
    return {
        name: reader(value[name], join(path, name))
        for name, reader in readers.items()
        if name in value
    }


def spans_of_trace(value: dict[str, Json], trace_id: str, arrived_ns: int) -> list[Span]:
    """Return the spans of one trace. Raises FieldError, for the whole trace."""
    has_spans = value.get("spans") is not None
    extra = {} if has_spans else ONE_SPAN_FIELDS
    readers = {**TRACE_FIELDS, **extra}
    read.reject_unknown(value, dict.fromkeys((*readers, *DERIVED)), "")
    trace = _fields(value, readers, "")
    if not trace.get("name") and not has_spans:
        raise FieldError("name", "must be sent, or `spans`. Got neither.")
    start_ns = trace.get("started_at") or arrived_ns
    if not has_spans:
        spans = [_one_span(trace, trace_id, start_ns, arrived_ns)]
        spans[0].posted = {"posted": value}
    else:
        spans = [
            _span(item, f"spans[{index}]", trace_id, start_ns, arrived_ns, index)
            for index, item in enumerate(trace["spans"])
        ]
        if not spans:
            raise FieldError("spans", "must hold at least one span. Got an empty list.")
        _check_ids(spans)
    root = _put_facts(spans, trace)
    if has_spans:
        root.posted["posted_trace"] = {k: v for k, v in value.items() if k != "spans"}
    return spans


def _check_ids(spans: list[Span]) -> None:
    seen: set[str] = set()
    for index, span in enumerate(spans):
        if span.span_id in seen:
            raise FieldError(
                f"spans[{index}].span_id", f"must be unique. Got {span.span_id} twice."
            )
        seen.add(span.span_id)


def _put_facts(spans: list[Span], trace: dict[str, Any]) -> Span:
    """What was said of the trace goes onto its root, else its first top span: the one returned."""
    ids = {span.span_id for span in spans}
    root = next((span for span in spans if span.parent_id is None), None)
    root = root or next((span for span in spans if span.parent_id not in ids), spans[0])
    root.facts = SpanFacts(
        trace.get("name"),
        trace.get("session_id"),
        0,
        trace.get("user_id"),
        trace.get("environment"),
        trace.get("release"),
        trace.get("cohort"),
        trace.get("service"),
        trace.get("outcome"),
        trace.get("tags", []),
        trace.get("metadata", {}),
        trace.get("input"),
        trace.get("output"),
    )
    root.feedback = [*root.feedback, *trace.get("feedback", [])]
    return root


def _span(
    value: Json, path: str, trace_id: str, trace_start: int, arrived_ns: int, index: int
) -> Span:
    given = read.an_object(value, path)
    read.reject_unknown(given, SPAN_FIELDS, path)
    found = _fields(given, SPAN_FIELDS, path)
    if not found.get("name"):
        raise FieldError(join(path, "name"), "must be sent. Got nothing.")
    found.setdefault("span_id", None)
    found["span_id"] = found["span_id"] or hash_of(f"{trace_id}\n{index}", 8)
    found["kind"] = found.get("kind") or "other"
    span = _build(found, trace_id, found.get("started_at") or trace_start, arrived_ns)
    span.posted = {"posted": given}
    return span


def _one_span(trace: dict[str, Any], trace_id: str, start_ns: int, arrived_ns: int) -> Span:
    """The short form: a call of a model, told by the top-level fields."""
    found = dict(trace)
    found["span_id"] = hash_of(f"{trace_id}\n0", 8)
    found["kind"] = found.get("kind") or "llm"
    if found.get("latency_ms") is not None:
        found["duration_ms"] = found["latency_ms"]
    elif "duration_ms" not in found:
        found["duration_ms"] = 0  # it is over, only nobody measured it
    if found["kind"] == "llm":
        found["input"] = _as_messages(found.get("input"), "user")
        found["output"] = _answer(found.get("output"), found.get("tool_calls", []))
    return _build(found, trace_id, start_ns, arrived_ns)


def _as_messages(value: Json, role: str) -> Json:
    if isinstance(value, str):
        return wrap([text_message(role, value)])
    inner = value.get("messages") if isinstance(value, dict) else value
    return wrap(read_messages(inner, role)) if looks_like_messages(inner) else value


def _answer(value: Json, tool_calls: list[Json]) -> Json:
    calls = []
    for index, call in enumerate(tool_calls):
        path = f"tool_calls[{index}]"
        given = read.an_object(call, path)
        read.reject_unknown(given, ("id", "name", "arguments", "result"), path)
        calls.append(tool_call(given.get("id"), given.get("name"), given.get("arguments")))
    answered = _as_messages(value, "assistant")
    if not calls:
        return answered
    if answered is not value and answered is not None:
        last = answered["messages"][-1]
        last["tool_calls"] = [*last["tool_calls"], *calls]
        return answered
    text = "" if value is None else orjson.dumps(value).decode()
    content: list[dict[str, Json]] = [{"type": "text", "text": text}] if text else []
    return wrap([message("assistant", content, calls)])


def _build(found: dict[str, Any], trace_id: str, start_ns: int, arrived_ns: int) -> Span:
    get = found.get
    error_type, error_message = get("error") or (None, None)
    flags: list[str] = []
    attributes = get("attributes") or {}
    if start_ns > arrived_ns + DAY_NS:
        attributes = {**attributes, "tracehub.sent_start_ns": start_ns}
        start_ns, flags = arrived_ns, ["start_in_future"]
    span = Span(
        trace_id,
        found["span_id"],
        get("parent_id"),
        found["name"],
        found["kind"],
        start_ns,
        get("duration_ms"),
        error=get("status") == "error" or bool(error_type or error_message),
        error_type=error_type,
        error_message=error_message,
        tokens_counted=found["kind"] in COUNTED,
        cost=get("cost"),
        cost_source="sent" if get("cost") is not None else None,
        ttft_ns=get("time_to_first_token_ms"),
        streaming=get("time_to_first_token_ms") is not None,
        attributes=attributes,
        flags=flags,
    )
    for name in _COPIED:
        if get(name) is not None:
            setattr(span, name, found[name])
    span.model = span.model or span.model_requested
    if span.kind == "tool":
        span.tool = span.tool or ToolUse(span.name, None, span.input, span.output)
        span.input, span.output = span.tool.arguments, span.tool.result
    elif span.kind in ("llm", "agent"):
        span.input = _as_messages(span.input, "user") if _wrapped(span.input) else span.input
        span.output = (
            _as_messages(span.output, "assistant") if _wrapped(span.output) else span.output
        )
    return span


def _wrapped(value: Json) -> bool:
    """`{"messages": [...]}`: brought to the one shape of messages, whatever client wrote it."""
    return isinstance(value, dict) and isinstance(value.get("messages"), list)


_COPIED = (
    "provider",
    "model",
    "model_requested",
    "agent",
    "parameters",
    "finish_reasons",
    "prompt",
    "input",
    "output",
    "context",
    "tool",
    "guardrail",
    "validation_errors",
    "tokens",
    "output_schema",
    "events",
)
