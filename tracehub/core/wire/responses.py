"""Whole requests and responses of model APIs, as some libraries store them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from tracehub.core.trace import Json, Tokens
from tracehub.core.wire.found import Found
from tracehub.core.wire.messages import (
    Message,
    looks_like_messages,
    read_messages,
    with_system,
)
from tracehub.core.wire.values import count_of, first, object_of, parsed, text_of


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
        is_text = isinstance(inner, str) and bool(inner)
        if is_text or looks_like_messages(inner) or (key == "contents" and _has_texts(inner)):
            return with_system(read_messages(inner), _instructions(value))
    return read_messages(value) if looks_like_messages(value) else None


def _has_texts(contents: Json) -> bool:
    """Gemini also takes texts for messages: `["What is this?"]`."""
    return isinstance(contents, list) and any(isinstance(item, str) for item in contents)


def _instructions(request: dict[str, Json]) -> list[Message]:
    """The system prompt that Anthropic, OpenAI's Responses API and Gemini take apart."""
    config = request.get("config")
    for source in (request, config if isinstance(config, dict) else {}):
        for key in ("system", "instructions", "system_instruction", "systemInstruction"):
            if given := source.get(key):
                parts = given.get("parts", given) if isinstance(given, dict) else given
                return read_messages({"role": "system", "content": parts})
    return []


def read_response(value: Json) -> Response | None:
    """OpenAI chat and Responses, Anthropic, Gemini, Bedrock Converse, Cohere, Ollama, LangChain,
    pydantic-ai, or a list with one of them; None for any other JSON."""
    value = parsed(value)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        return None
    response = _read(value)
    if response is None or not response.messages:
        return None
    model = text_of(first(value, "model", "modelVersion", "model_version", "model_name"))
    response.model = model or response.model
    response.response_id = text_of(first(value, "id", "responseId", "response_id"))
    response.tokens = usage_tokens(
        object_of(first(value, "usage", "usageMetadata", "usage_metadata"))
    )
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
        reason = text_of(object_of(value.get("incomplete_details")).get("reason"))
        return Response(read_messages(output, "assistant"), finish_reasons=_listed(reason))
    if isinstance(output, dict) and isinstance(output.get("message"), dict):  # Bedrock Converse
        reason = text_of(value.get("stopReason"))
        return Response(read_messages(output["message"], "assistant"), None, None, _listed(reason))
    if isinstance(message := value.get("message"), dict) and looks_like_messages(message):
        reason = text_of(first(value, "finish_reason", "done_reason"))  # Cohere, Ollama
        return Response(read_messages(message, "assistant"), finish_reasons=_listed(reason))
    if "parts" in value and looks_like_messages(value):  # pydantic-ai
        reason = text_of(value.get("finish_reason"))
        return Response(read_messages(value, "assistant"), finish_reasons=_listed(reason))
    if value.get("type") == "message" and isinstance(value.get("content"), list):  # Anthropic
        reason = text_of(value.get("stop_reason"))
        return Response(read_messages(value, "assistant"), finish_reasons=_listed(reason))
    return None


def _listed(reason: str | None) -> list[str]:
    return [reason] if reason else []


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
            told = object_of(_fields(message).get("response_metadata"))
            info = {**told, **object_of(item.get("generation_info"))}
            if reason := text_of(first(info, "finish_reason", "stop_reason", "stopReason")):
                response.finish_reasons.append(reason)
            response.model = response.model or text_of(first(info, "model_name", "model"))
    return response


def _fields(message: Json) -> dict[str, Json]:
    """The fields of a LangChain message, serialised (`kwargs`), dumped (`data`) or plain."""
    message = object_of(message)
    inner = message.get("kwargs", message.get("data"))
    return inner if isinstance(inner, dict) else message


def usage_tokens(usage: dict[str, Json]) -> Tokens | None:
    """Token counts from OpenAI's, Anthropic's, Gemini's or LangChain's usage; None when empty.

    OpenAI's and LangChain's input holds cached tokens, Anthropic's does not. Gemini's answer does
    not hold its thoughts.
    """
    usage = (
        _gemini(usage) if "promptTokenCount" in usage or "prompt_token_count" in usage else usage
    )
    given = count_of(first(usage, "input_tokens", "prompt_tokens", "inputTokens"))
    made = count_of(first(usage, "output_tokens", "completion_tokens", "outputTokens"))
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


def _gemini(usage: dict[str, Json]) -> dict[str, Json]:
    """Gemini's usage under OpenAI's names, with the thoughts inside the output."""

    def count(camel: str, snake: str) -> int | None:
        return count_of(first(usage, camel, snake))

    made = count("candidatesTokenCount", "candidates_token_count")
    thoughts = count("thoughtsTokenCount", "thoughts_token_count")
    return {
        "prompt_tokens": count("promptTokenCount", "prompt_token_count"),
        "completion_tokens": None if made is None else made + (thoughts or 0),
        "total_tokens": count("totalTokenCount", "total_token_count"),
        "prompt_tokens_details": {
            "cached_tokens": count("cachedContentTokenCount", "cached_content_token_count")
        },
        "completion_tokens_details": {"reasoning_tokens": thoughts},
    }


def schema_asked(parameters: dict[str, Json]) -> dict[str, Json] | None:
    """The JSON Schema that an answer was asked to follow, from the parameters of any model API.

    OpenAI's `response_format`, `text.format` of its Responses API, Gemini's `response_json_schema`,
    Anthropic's `output_config.format`, Ollama's `format`.
    """
    form = object_of(parameters.get("response_format"))
    text = object_of(object_of(parameters.get("text")).get("format"))
    config = object_of(object_of(parameters.get("output_config")).get("format"))
    found: Json
    for found in (
        object_of(form.get("json_schema")).get("schema"),
        text.get("schema"),
        config.get("schema"),
        first(parameters, "response_json_schema", "responseJsonSchema"),
        object_of(parameters.get("format")),
    ):
        if isinstance(found, dict) and found:
            return found
    return None


def refuses(value: Json) -> bool:
    """Whether OpenAI's response says that the model refused: beside the content, or as a part."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        return False
    choices, output = value.get("choices"), value.get("output")
    for choice in choices if isinstance(choices, list) else ():
        if object_of(object_of(choice).get("message")).get("refusal"):
            return True
    for item in output if isinstance(output, list) else ():
        content = item.get("content") if isinstance(item, dict) else None
        for part in content if isinstance(content, list) else ():
            if isinstance(part, dict) and part.get("type") == "refusal":
                return True
    return False


def embedding_tokens(value: Json) -> Tokens | None:
    """The usage that an answer with vectors has, here or (Haystack) in its `meta`."""
    if not isinstance(value, dict):
        return None
    usage = object_of(value.get("usage") or object_of(value.get("meta")).get("usage"))
    return usage_tokens(usage) if usage else None


def put_tokens(tokens: Tokens | None, found: Found) -> None:
    """Hand token counts on; those that are not known leave what was found."""
    for name in fields(tokens) if tokens is not None else ():
        if (count := getattr(tokens, name.name)) is not None:
            found[f"tokens_{name.name}"] = count  # type: ignore[literal-required]  # as in Tokens
