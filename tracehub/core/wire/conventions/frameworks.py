"""What OpenLIT, Strands, Google ADK, LiteLLM, Spring AI and MCP servers name their own way."""

from __future__ import annotations

from tracehub.core.trace import Json
from tracehub.core.wire.attributes import Attributes, Convention, Row
from tracehub.core.wire.found import Found
from tracehub.core.wire.messages import wrap
from tracehub.core.wire.responses import (
    put_tokens,
    read_request,
    read_response,
    usage_tokens,
)
from tracehub.core.wire.values import (
    cost_of,
    literal_of,
    ns_of,
    object_of,
    parsed,
    text_of,
    true_of,
    version_of,
)

ADK = "gcp.vertex.agent."
STREAMED = ("gen_ai.request.is_stream", "gen_ai.request.stream")


def whole_milliseconds(value: Json) -> int | None:
    """Strands' time to first token, an int in ms."""
    return ns_of(value / 1000) if isinstance(value, int) and not isinstance(value, bool) else None


def is_error(value: Json) -> bool | None:
    return True if value == "error" else None


ROWS: tuple[Row, ...] = (
    Row("kind", "event_loop.cycle_id", lambda _: "chain"),  # Strands: a turn of its loop
    Row("error", "tool.status", is_error),  # Strands, where the span's own status is not set
    Row("error", "gen_ai.tool.status", is_error),
    Row("instructions", "system_prompt", text_of),
    Row("ttft_ns", "gen_ai.server.time_to_first_token", whole_milliseconds),
    Row("cost", "gen_ai.usage.cost", cost_of),
    Row("cost", "gen_ai.cost.total_cost", cost_of),
    Row("tool_arguments", "gen_ai.tool.args", parsed),
    Row("tool_arguments", ADK + "tool_call_args", parsed),
    Row("tool_result", ADK + "tool_response", parsed),
    Row("tool_call_id", ADK + "tool_call_id", text_of),
    Row("tool_version", "mcp.tool.version", version_of),
    Row("tool_version", "mcp.server.version", version_of),  # Sentry's SDKs
    Row("session", ADK + "session_id", text_of),
    Row("weak_input", "gen_ai.prompt", parsed),
    Row("weak_output", "gen_ai.completion", parsed),
)


def read(span: Attributes) -> Found:
    found = span.take(ROWS)
    seconds = span.get("gen_ai.server.time_to_first_token")
    is_stream = any(true_of(span.get(key)) for key in STREAMED)
    # OpenLIT's is a float in seconds; without a stream it is the latency of the call.
    if is_stream and isinstance(seconds, float) and (ttft := ns_of(seconds)) is not None:
        found["ttft_ns"] = ttft
    if "session" in found:
        found["session_rank"] = 2
    if (usage := text_of(span.get("metadata.usage_object"))) is not None:  # LiteLLM
        put_tokens(usage_tokens(object_of(literal_of(usage))), found)
    if (sent := span.get(ADK + "llm_request")) is not None:
        _request(object_of(sent), found)
    if (sent := span.get(ADK + "llm_response")) is not None:
        _response(object_of(sent), found)
    return found


def _response(response: dict[str, Json], found: Found) -> None:
    """ADK's `{"content", "finish_reason"}`, or Gemini's own `{"candidates": [...]}`."""
    whole = read_response({"candidates": [response], **response})
    if whole is not None:
        found["output"] = wrap(whole.messages)
        if whole.finish_reasons:
            found["finish_reasons"] = whole.finish_reasons


def _request(request: dict[str, Json], found: Found) -> None:
    """Gemini: `{"model", "config": {"system_instruction"}, "contents": [{"role", "parts"}]}`."""
    config = object_of(request.get("config"))
    if messages := read_request({**request, "system": config.get("system_instruction")}):
        found["input"] = wrap(messages)
    if model := text_of(request.get("model")):
        found["model_requested"] = model


CONVENTION = Convention(
    "frameworks", (*{row.key for row in ROWS}, ADK, "metadata.usage_object"), read
)
