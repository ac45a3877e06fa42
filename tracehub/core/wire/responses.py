"""Whole requests and responses of model APIs, as some libraries store them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tracehub.core.trace import Json, Tokens
from tracehub.core.wire.messages import (
    Message,
    looks_like_messages,
    read_messages,
    with_system,
)
from tracehub.core.wire.values import count_of, object_of, parsed, text_of


@dataclass(slots=True)
class Response:
    """What a response object says. `tokens` is None without usage."""

    messages: list[Message]
    model: str | None = None
    response_id: str | None = None
    finish_reasons: list[str] = field(default_factory=list)
    tokens: Tokens | None = None


def read_request(value: Json) -> list[Message] | None:
    """The messages of a request: a list of them, a text, or an object of any model API.

    None when there are none to be recognised.

    >>> [m["role"] for m in read_request({"system": "Be brief.", "input": "Hi"})]
    ['system', 'user']
    """
    value = parsed(value)
    if isinstance(value, str):
        return read_messages(value)
    if not isinstance(value, dict) or "role" in value:
        return read_messages(value) if looks_like_messages(value) else None
    for key in ("messages", "input", "contents"):
        inner = parsed(value.get(key))
        is_text = isinstance(inner, str) and bool(inner) and (key != "contents")
        if is_text or looks_like_messages(inner):
            return with_system(read_messages(inner), _instructions(value))
    return read_messages(value) if looks_like_messages(value) else None


def _instructions(request: dict[str, Json]) -> list[Message]:
    """The system prompt that Anthropic, OpenAI's Responses API and Gemini take apart."""
    for key in ("system", "instructions", "system_instruction", "systemInstruction"):
        if given := request.get(key):
            parts = given.get("parts", given) if isinstance(given, dict) else given
            return read_messages({"role": "system", "content": parts})
    return []


def read_response(value: Json) -> Response | None:
    """OpenAI chat and Responses, Anthropic, Gemini, LangChain; None for any other JSON."""
    value = parsed(value)
    if not isinstance(value, dict):
        return None
    response = _read(value)
    if response is None or not response.messages:
        return None
    response.model = text_of(value.get("model"))
    response.response_id = text_of(value.get("id"))
    response.tokens = usage_tokens(object_of(value.get("usage")))
    return response


def _read(value: dict[str, Any]) -> Response | None:
    choices = value.get("choices")
    if isinstance(choices, list) and choices:
        return _choices(choices)
    generations = value.get("generations")
    if isinstance(generations, list) and generations:
        return _generations(generations)
    candidates = value.get("candidates")
    if isinstance(candidates, list) and candidates:
        return _candidates(candidates)
    output = value.get("output")
    if isinstance(output, list) and output and value.get("object") == "response":
        return Response(read_messages(output, "assistant"))
    if value.get("type") == "message" and isinstance(value.get("content"), list):  # Anthropic
        reason = text_of(value.get("stop_reason"))
        return Response(read_messages(value, "assistant"), None, None, [reason] if reason else [])
    return None


def _choices(choices: list[Any]) -> Response:
    response = Response([])
    for choice in choices:
        if not isinstance(choice, dict):
            continue
        message = choice.get("message", choice.get("delta"))
        if isinstance(message, dict):
            response.messages += read_messages({"role": "assistant", **message}, "assistant")
        elif isinstance(text := choice.get("text"), str):
            response.messages += read_messages(text, "assistant")
        if reason := text_of(choice.get("finish_reason")):
            response.finish_reasons.append(reason)
    return response


def _candidates(candidates: list[Any]) -> Response:
    """Gemini: `{"candidates": [{"content": {"role", "parts"}, "finishReason"}]}`."""
    response = Response([])
    for item in candidates:
        content = item.get("content") if isinstance(item, dict) else None
        if isinstance(content, dict):
            response.messages += read_messages({"role": "model", **content}, "assistant")
            if reason := text_of(item.get("finishReason", item.get("finish_reason"))):
                response.finish_reasons.append(reason)
    return response


def _generations(generations: list[Any]) -> Response:
    """LangChain: `{"generations": [[{"text", "message", "generation_info"}]]}`."""
    response = Response([])
    for batch in generations:
        for item in batch if isinstance(batch, list) else [batch]:
            if not isinstance(item, dict):
                continue
            message = item.get("message", item.get("text"))
            response.messages += read_messages(message, "assistant") if message else []
            info = object_of(item.get("generation_info"))
            if reason := text_of(info.get("finish_reason")):
                response.finish_reasons.append(reason)
    return response


def usage_tokens(usage: dict[str, Json]) -> Tokens | None:
    """Token counts from OpenAI's, Anthropic's or LangChain's usage object; None when empty.

    OpenAI's and LangChain's input holds cached tokens, Anthropic's does not.
    """
    given = count_of(usage.get("input_tokens", usage.get("prompt_tokens")))
    made = count_of(usage.get("output_tokens", usage.get("completion_tokens")))
    if given is None and made is None:
        return None
    inside = object_of(
        usage.get("input_token_details")
        or usage.get("input_tokens_details")
        or usage.get("prompt_tokens_details")
    )
    made_of = object_of(
        usage.get("output_token_details")
        or usage.get("output_tokens_details")
        or usage.get("completion_tokens_details")
    )
    cached = count_of(inside.get("cache_read", inside.get("cached_tokens")))
    written = count_of(inside.get("cache_creation", inside.get("cache_write_tokens")))
    apart = count_of(usage.get("cache_read_input_tokens"))
    apart_written = count_of(usage.get("cache_creation_input_tokens"))
    total = count_of(usage.get("total_tokens"))
    if total is None and (apart or apart_written) and not inside:
        given = (given or 0) + (apart or 0) + (apart_written or 0)
    cached = apart if cached is None else cached
    written = apart_written if written is None else written
    return Tokens(
        given,
        made,
        (given or 0) + (made or 0) if total is None else total,
        cached,
        written,
        count_of(made_of.get("reasoning", made_of.get("reasoning_tokens"))),
        count_of(inside.get("audio", inside.get("audio_tokens"))),
        count_of(made_of.get("audio", made_of.get("audio_tokens"))),
    )
