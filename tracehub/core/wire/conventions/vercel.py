"""Vercel AI SDK: `experimental_telemetry` of ai 5, `LegacyOpenTelemetry` of ai 7.

The outer span (`ai.generateText`) repeats prompt and usage of the inner one (`….doGenerate`).
"""

from __future__ import annotations

from tracehub.core.trace import Json, Kind
from tracehub.core.wire.attributes import Attributes, Convention, Row
from tracehub.core.wire.found import Found
from tracehub.core.wire.messages import (
    Message,
    message,
    read_messages,
    text_message,
    tool_call,
    with_system,
    wrap,
)
from tracehub.core.wire.parts import Part
from tracehub.core.wire.values import (
    count_of,
    dumped,
    list_of,
    ns_of,
    number_of,
    object_of,
    parsed,
    provider_of,
    text_of,
    texts_of,
)

OUTER: dict[str, Kind] = {
    "ai.toolCall": "tool",
    "ai.generateText": "agent",
    "ai.streamText": "agent",
    "ai.generateObject": "agent",
    "ai.streamObject": "agent",
    "ai.embed": "chain",
    "ai.embedMany": "chain",
}
METADATA = "ai.telemetry.metadata."


def kind_of(value: Json) -> Kind | None:
    if not isinstance(value, str) or not value:
        return None
    if value in OUTER:
        return OUTER[value]
    if value.endswith((".doGenerate", ".doStream")):
        return "llm"
    if value.endswith(".doEmbed"):
        return "embedding"
    return "reranker" if value.startswith("ai.rerank") else "other"


def milliseconds(value: Json) -> int | None:
    number = number_of(value)
    return None if number is None else ns_of(number / 1000)


STREAM_BEGAN = "ai.stream.firstChunk"
ROWS: tuple[Row, ...] = (
    Row("kind", "ai.operationId", kind_of),
    Row("provider", "ai.model.provider", provider_of),
    Row("model", "ai.response.model", text_of),
    Row("model_requested", "ai.model.id", text_of),
    Row("response_id", "ai.response.id", text_of),
    Row("finish_reasons", "ai.response.finishReason", texts_of),
    Row("ttft_ns", "ai.response.msToFirstChunk", milliseconds),
    Row("tool_name", "ai.toolCall.name", text_of),
    Row("tool_call_id", "ai.toolCall.id", text_of),
    Row("tool_arguments", "ai.toolCall.args", parsed),
    Row("tool_arguments", "ai.toolCall.input", parsed),
    Row("tool_result", "ai.toolCall.result", parsed),
    Row("tool_result", "ai.toolCall.output", parsed),
    Row("output_schema", "ai.schema", object_of),
)
# Only the inner spans are calls; the outer ones repeat or add up what these say.
TOKEN_ROWS: tuple[Row, ...] = (
    Row("tokens_input", "ai.usage.inputTokens", count_of),
    Row("tokens_input", "ai.usage.promptTokens", count_of),
    Row("tokens_input", "ai.usage.tokens", count_of),
    Row("tokens_output", "ai.usage.outputTokens", count_of),
    Row("tokens_output", "ai.usage.completionTokens", count_of),
    Row("tokens_total", "ai.usage.totalTokens", count_of),
    Row("tokens_cached", "ai.usage.cachedInputTokens", count_of),
    Row("tokens_reasoning", "ai.usage.reasoningTokens", count_of),
)


def read(span: Attributes) -> Found:
    found = span.take(ROWS)
    kind = found.get("kind")
    if kind in ("llm", "embedding", "reranker"):
        found.update(span.take(TOKEN_ROWS))
    if parameters := span.under("ai.settings."):
        found["parameters"] = {
            key: value for key, value in parameters.items() if key != "maxRetries"
        }
    if kind in ("llm", "agent"):
        _input(span, found)
        _output(span, found)
    elif kind in ("embedding", "chain"):
        _embedded(span, found)
    if metadata := span.under(METADATA):
        _metadata(metadata, found)
    operation = span.get("ai.operationId")
    if isinstance(operation, str) and "stream" in operation:
        found["streaming"] = True
        if "ttft_ns" not in found:
            began = (one["time_ns"] for one in span.raw.events if one["name"] == STREAM_BEGAN)
            if (first := next(began, None)) is not None:
                found["ttft_ns"] = max(0, first - span.raw.start_ns)
    if span.raw.parent_id is None and (name := text_of(span.get("ai.telemetry.functionId"))):
        found["function_id"] = name
    return found


def _input(span: Attributes, found: Found) -> None:
    messages: list[Message] = []
    if (sent := span.get("ai.prompt.messages")) is not None:
        messages = read_messages(sent)
    elif (sent := span.get("ai.prompt")) is not None:
        prompt = parsed(sent)
        if isinstance(prompt, dict):
            given = prompt.get("messages") or prompt.get("prompt")
            messages = read_messages(given) if given else []
            if system := prompt.get("system"):
                messages = with_system(messages, [text_message("system", dumped(system))])
        else:
            messages = read_messages(prompt)
    if messages:
        found["input"] = wrap(messages)


def _output(span: Attributes, found: Found) -> None:
    parts: list[Part] = []
    if reasoning := text_of(span.get("ai.response.reasoning")):
        parts.append({"type": "reasoning", "text": reasoning})
    text = text_of(span.get("ai.response.text")) or text_of(span.get("ai.result.text"))
    if text is None and (made := span.get("ai.response.object")) is not None:
        text = dumped(made)
    if text:
        parts.append({"type": "text", "text": text})
    calls = [
        tool_call(call.get("toolCallId"), call.get("toolName"), call.get("input", call.get("args")))
        for call in list_of(span.get("ai.response.toolCalls"))
        if isinstance(call, dict)
    ]
    if parts or calls:
        found["output"] = wrap([message("assistant", parts, calls)])


def _embedded(span: Attributes, found: Found) -> None:
    """What was embedded; each value is JSON of its own. The vectors are left in the attributes."""
    if (value := span.get("ai.value")) is not None:
        found["input"] = parsed(value)
    elif values := list_of(span.get("ai.values")):
        found["input"] = [parsed(value) for value in values]


def _metadata(metadata: dict[str, Json], found: Found) -> None:
    if session := text_of(metadata.pop("sessionId", None)):
        found["session"], found["session_rank"] = session, 2
    if user := text_of(metadata.pop("userId", None)):
        found["user"] = user
    if tags := texts_of(metadata.pop("tags", None)):
        found["tags"] = tags
    if name := text_of(metadata.get("promptName")):
        found["prompt_name"] = name
    if version := text_of(metadata.get("promptVersion")):
        found["prompt_version"] = version
    if metadata:
        found["metadata"] = metadata


CONVENTION = Convention("vercel", ("ai.",), read)
