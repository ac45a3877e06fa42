"""OpenTelemetry GenAI semantic conventions, current and the deprecated names still sent.

Source: open-telemetry/semantic-conventions-genai. Content as attributes; as span events see
`genai_events`.
"""

from __future__ import annotations

from tracehub.core.trace import Json, Kind
from tracehub.core.wire.attributes import Attributes, Convention, Row
from tracehub.core.wire.documents import read_documents
from tracehub.core.wire.found import Found
from tracehub.core.wire.messages import (
    instructions,
    read_messages,
    says_nothing,
    with_system,
    wrap,
)
from tracehub.core.wire.responses import schema_asked
from tracehub.core.wire.values import (
    count_of,
    is_given,
    list_of,
    ns_of,
    number_of,
    object_of,
    parsed,
    provider_of,
    text_of,
    texts_of,
    true_of,
    version_of,
)

OPERATIONS: dict[str, Kind] = {
    "chat": "llm",
    "generate_content": "llm",
    "text_completion": "llm",
    "completion": "llm",
    "completions": "llm",
    "chat_completions": "llm",  # Logfire's names for the endpoints of OpenAI and Anthropic
    "responses": "llm",
    "messages": "llm",
    "embeddings": "embedding",
    "embedding": "embedding",
    "execute_tool": "tool",
    "invoke_agent": "agent",
    "retrieval": "retriever",
    "search_memory": "retriever",
    "rerank": "reranker",
    "invoke_workflow": "chain",
    "plan": "chain",
    "agent_step": "chain",
    "execute_event_loop_cycle": "chain",
    "execute_task": "chain",
    "chain": "chain",
}
NOT_PARAMETERS = frozenset(
    ("model", "user", "stream", "is_stream", "headers", "structured_output_schema")
)


def kind_of(value: Json) -> Kind | None:
    return OPERATIONS.get(value, "other") if isinstance(value, str) and value else None


def seconds(value: Json) -> int | None:
    return ns_of(number_of(value))


def schema_of(value: Json) -> Json:
    return object_of(value) or None


ROWS: tuple[Row, ...] = (
    Row("kind", "gen_ai.operation.name", kind_of),
    Row("provider", "gen_ai.provider.name", provider_of),
    Row("provider", "gen_ai.system", provider_of),
    Row("model", "gen_ai.response.model", text_of),
    Row("model_requested", "gen_ai.request.model", text_of),
    Row("response_id", "gen_ai.response.id", text_of),
    Row("finish_reasons", "gen_ai.response.finish_reasons", texts_of),
    Row("finish_reasons", "gen_ai.response.finish_reason", texts_of),
    Row("tokens_input", "gen_ai.usage.input_tokens", count_of),
    Row("tokens_input", "gen_ai.usage.prompt_tokens", count_of),
    Row("tokens_output", "gen_ai.usage.output_tokens", count_of),
    Row("tokens_output", "gen_ai.usage.completion_tokens", count_of),
    Row("tokens_total", "gen_ai.usage.total_tokens", count_of),
    Row("tokens_cached", "gen_ai.usage.cache_read.input_tokens", count_of),
    Row("tokens_cached", "gen_ai.usage.cache_read_input_tokens", count_of),
    Row("tokens_cached", "gen_ai.usage.cached_input_tokens", count_of),
    Row("tokens_cache_write", "gen_ai.usage.cache_creation.input_tokens", count_of),
    Row("tokens_cache_write", "gen_ai.usage.cache_write.input_tokens", count_of),
    Row("tokens_cache_write", "gen_ai.usage.cache_creation_input_tokens", count_of),
    Row("tokens_cache_write", "gen_ai.usage.cache_write_input_tokens", count_of),
    Row("tokens_reasoning", "gen_ai.usage.reasoning.output_tokens", count_of),
    Row("tokens_reasoning", "gen_ai.usage.reasoning_tokens", count_of),
    Row("tokens_reasoning", "gen_ai.usage.details.reasoning_tokens", count_of),
    Row("tokens_reasoning", "gen_ai.usage.thinking_tokens", count_of),  # AG2
    Row("tokens_audio_input", "gen_ai.usage.audio.input_tokens", count_of),
    Row("tokens_audio_output", "gen_ai.usage.audio.output_tokens", count_of),
    Row("ttft_ns", "gen_ai.response.time_to_first_chunk", seconds),
    Row("ttft_ns", "gen_ai.client.operation.time_to_first_chunk", seconds),
    Row("streaming", "gen_ai.request.stream", true_of),
    Row("streaming", "gen_ai.is_streaming", true_of),
    Row("streaming", "gen_ai.request.is_stream", true_of),
    Row("agent", "gen_ai.agent.name", text_of),
    Row("user", "gen_ai.request.user", text_of),
    Row("tool_name", "gen_ai.tool.name", text_of),
    Row("tool_version", "gen_ai.tool.version", version_of),
    Row("tool_call_id", "gen_ai.tool.call.id", text_of),
    Row("tool_arguments", "gen_ai.tool.call.arguments", parsed),
    Row("tool_result", "gen_ai.tool.call.result", parsed),
    Row("tool_description", "gen_ai.tool.description", text_of),
    Row("input", "gen_ai.retrieval.query.text", text_of),
    Row("output_schema", "gen_ai.request.structured_output_schema", schema_of),
    Row("prompt_name", "gen_ai.prompt.name", text_of),
    Row("prompt_version", "gen_ai.prompt.version", text_of),
)
MESSAGE_KEYS = (
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.retrieval.documents",
)


def read(span: Attributes) -> Found:
    found = span.take(ROWS)
    if parameters := _parameters(span):
        found["parameters"] = parameters
    if not span.shape.names.isdisjoint(MESSAGE_KEYS):
        _content(span, found)
    if (conversation := text_of(span.get("gen_ai.conversation.id"))) is not None:
        found["session"], found["session_rank"] = conversation, 1
    if parameters and (schema := schema_asked(parameters)) is not None:
        found["output_schema"] = schema
    return found


def _parameters(span: Attributes) -> dict[str, Json]:
    values = span.values
    result = {
        name.replace("choice.count", "n"): values[key]
        for key, name in span.shape.under("gen_ai.request.")
        if name not in NOT_PARAMETERS and is_given(values[key])
    }
    if (output_type := span.get("gen_ai.output.type")) is not None:
        result["output_type"] = output_type
    return result


def _content(span: Attributes, found: Found) -> None:
    get = span.get
    sent = get("gen_ai.input.messages")
    messages = read_messages(sent) if sent is not None else []
    if "gen_ai.system_instructions" in span.shape.names:
        apart = instructions(get("gen_ai.system_instructions"))
        messages = with_system(messages, apart) if apart else messages
    if messages:  # instructions alone say less than what another convention may have
        found["input" if sent is not None else "weak_input"] = wrap(messages)
    if (sent := get("gen_ai.output.messages")) is not None:
        _output(sent, found)
    if documents := read_documents(get("gen_ai.retrieval.documents")):
        found["context"] = documents


def _output(sent: Json, found: Found) -> None:
    sent = parsed(sent)
    if messages := read_messages(sent, "assistant"):
        # LiteLLM leaves tool calls out of these and tells them in the older form.
        found["event_output" if says_nothing(messages) else "output"] = wrap(messages)
    if "finish_reasons" not in found:
        reasons = [
            reason
            for item in list_of(sent)
            if isinstance(item, dict) and (reason := text_of(item.get("finish_reason")))
        ]
        if reasons:
            found["finish_reasons"] = reasons


CONVENTION = Convention("genai", ("gen_ai.",), read)
