"""Input and output of a span, from whichever of its sources says something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracehub.core.trace import Json, Kind, Span
from tracehub.core.wire.found import Found
from tracehub.core.wire.messages import (
    is_uniform,
    looks_like_messages,
    read_messages,
    says_nothing,
    uniform,
    with_system,
    wrap,
)
from tracehub.core.wire.responses import embedding_tokens, read_request, read_response, refuses
from tracehub.core.wire.tools import tool_of

NOTHING: tuple[Json, ...] = ({}, {"output": None})  # LangSmith, of a run that failed


def set_payloads(span: Span, found: Found) -> None:
    """Input and output: messages, then events, then what repeats the whole request."""
    get: Callable[..., Any] = found.get
    given, made = get("input"), get("output")
    if given is None or _is_silent(given):
        given = get("event_input")
        if given is None or _is_silent(given):
            given = _weak(span.kind, get("weak_input"), "user")
            given = None if _is_silent(given) else given
    if made is None:
        made = get("event_output")
        if made is None or _is_silent(made):
            whole = _weak(span.kind, get("weak_output"), "assistant")
            made = made if whole is None else whole
    if span.kind != "llm":
        given, made = uniform(given), uniform(made)
    else:
        made = _answer(span, made, get("weak_output"))
    if span.kind == "embedding" and span.tokens is None:
        span.tokens = embedding_tokens(made)
    if "instructions" in found and span.kind in ("llm", "agent") and _messages_in(given):
        given = wrap(with_system(given["messages"], read_messages(found["instructions"], "system")))
    span.input, span.output = given, made
    if span.kind == "tool":
        span.tool = tool_of(span, found)
        span.input, span.output = span.tool.arguments, span.tool.result


def _messages_in(value: Json) -> list[Json]:
    """The messages of a value in the one shape; none of any other."""
    items = value.get("messages") if value.__class__ is dict else None
    if not isinstance(items, list):
        return []
    return items if all(is_uniform(item) for item in items) else []


def _is_silent(value: Json) -> bool:
    """Whether all messages are without content, as clients send them that keep content back."""
    messages = _messages_in(value)
    return bool(messages) and says_nothing(messages)


def _answer(span: Span, made: Json, weak: Json) -> Json:
    """An answer, from the whole response where the messages of the span do not tell it.

    OpenInference leaves refusals out of the messages, and why a response is incomplete.
    """
    if not isinstance(weak, dict | list):
        return made
    untold = made is None or _is_silent(made) or refuses(weak)
    if not untold and span.finish_reasons and span.tokens is not None:
        return made
    response = read_response(weak)
    if response is None:
        return made
    span.finish_reasons = span.finish_reasons or response.finish_reasons
    span.tokens = span.tokens or response.tokens
    span.model = span.model or response.model
    span.response_id = span.response_id or response.response_id
    return wrap(response.messages) if untold else made


def _weak(kind: Kind, value: Json, role: str) -> Json:
    """A raw request or answer; for a call of a model its messages, where it holds some."""
    if value in NOTHING:
        return None
    if kind != "llm" or not isinstance(value, dict | list):
        return value
    if role == "user":
        messages = read_request(value)
    else:
        response = read_response(value)
        messages = response.messages if response is not None else None
        if messages is None and looks_like_messages(value):
            messages = read_messages(value, role)
    return {"messages": messages} if messages else value
