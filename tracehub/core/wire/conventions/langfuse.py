"""Langfuse SDKs: Python 3 and later, JavaScript 4 and later, over OTLP."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from tracehub.core.trace import Json, Kind
from tracehub.core.wire.attributes import Attributes, Convention, Row
from tracehub.core.wire.documents import read_documents
from tracehub.core.wire.found import Found
from tracehub.core.wire.messages import looks_like_messages, read_messages, wrap
from tracehub.core.wire.responses import (
    put_tokens,
    read_request,
    read_response,
    schema_asked,
    usage_tokens,
)
from tracehub.core.wire.tools import arguments_of
from tracehub.core.wire.values import (
    cost_of,
    count_of,
    object_of,
    parsed,
    provider_of,
    text_of,
    texts_of,
    true_of,
    version_of,
)

KINDS: dict[str, Kind] = {
    "generation": "llm",
    "span": "chain",
    "event": "other",
    "agent": "agent",
    "tool": "tool",
    "chain": "chain",
    "retriever": "retriever",
    "evaluator": "evaluator",
    "embedding": "embedding",
    "guardrail": "guardrail",
    "reranker": "reranker",
}
INPUT, OUTPUT = "langfuse.observation.input", "langfuse.observation.output"
USAGE, COSTS = "langfuse.observation.usage_details", "langfuse.observation.cost_details"
TRACE_METADATA = "langfuse.trace.metadata."
# Parts of usage details that are disjoint and add up to all of input and all of output.
NAMES = {
    "input": "input",
    "output": "output",
    "total": "total",
    "total_tokens": "total",
    "promptTokens": "input",  # SDKs of 2024
    "completionTokens": "output",
    "totalTokens": "total",
}
IN_PARTS = ("input", "cached", "cache_write", "audio_input")
OUT_PARTS = ("output", "reasoning", "audio_output")


def kind_of(value: Json) -> Kind | None:
    return KINDS.get(value.lower(), "other") if isinstance(value, str) and value else None


def is_error(value: Json) -> bool | None:
    return True if value == "ERROR" else None


ROWS: tuple[Row, ...] = (
    Row("kind", "langfuse.observation.type", kind_of),
    Row("model", "langfuse.observation.model.name", text_of),
    Row("provider", "langfuse.observation.metadata.ls_provider", lambda v: provider_of(parsed(v))),
    Row(
        "model_requested",
        "langfuse.observation.metadata.ls_model_name",
        lambda v: text_of(parsed(v)),
    ),
    Row("prompt_name", "langfuse.observation.prompt.name", text_of),
    Row("prompt_version", "langfuse.observation.prompt.version", text_of),
    Row("error", "langfuse.observation.level", is_error),
    Row("trace_name", "langfuse.trace.name", text_of),
    Row("trace_input", "langfuse.trace.input", parsed),
    Row("trace_output", "langfuse.trace.output", parsed),
    Row("environment", "langfuse.environment", text_of),
    Row("release", "langfuse.release", text_of),
    Row("tool_version", "langfuse.version", version_of),  # of an observation, whatever its type
    Row("tags", "langfuse.trace.tags", texts_of),
    Row("tags", "langfuse.tags", texts_of),
    Row("is_app_root", "langfuse.internal.is_app_root", true_of),
)


def read(span: Attributes) -> Found:
    found = span.take(ROWS)
    get = span.get
    kind = found.get("kind")
    if (sent := get(INPUT)) is not None:
        found["input"] = _input(parsed(sent), kind, found)
    if (sent := get(OUTPUT)) is not None:
        _output(parsed(sent), kind, found)
    if parameters := object_of(get("langfuse.observation.model.parameters")):
        found["parameters"] = {k: v for k, v in parameters.items() if v not in (None, "")}
    if usage := object_of(get(USAGE)):
        _usage(usage, found)
    if (cost := _cost(object_of(get(COSTS)))) is not None:
        found["cost"] = cost
    if (started := get("langfuse.observation.completion_start_time")) is not None:
        _first_token(parsed(started), span.raw.start_ns, found)
    if reasons := texts_of(get("langfuse.observation.metadata.finish_reason")):
        found["finish_reasons"] = reasons
    if message := text_of(get("langfuse.observation.status_message")):
        _status(message, get("langfuse.observation.level"), found)
    if metadata := span.under(TRACE_METADATA):
        found["metadata"] = {key: parsed(value) for key, value in metadata.items()}
    return found


def _status(message: str, level: Json, found: Found) -> None:
    if level == "WARNING":
        found["warning"] = message
    else:
        found["status_message"] = message


def _input(value: Json, kind: Kind | None, found: Found) -> Json:
    """Messages of a generation: a list, `{"messages", "tools"}`, or one text."""
    if kind != "llm":
        return value
    value = arguments_of(value)  # of a function that `observe` wraps
    if isinstance(value, dict) and (schema := schema_asked(value)) is not None:
        found["output_schema"] = schema
    messages = read_request(_without_offers(value))
    return wrap(messages) if messages else value


def _without_offers(value: Json) -> Json:
    """Messages without the tools on offer, which the LangChain handler puts at their end."""
    if not isinstance(value, list):
        return value
    return [
        item
        for item in value
        if not (isinstance(item, dict) and "function" in object_of(item.get("content")))
    ]


def _output(value: Json, kind: Kind | None, found: Found) -> None:
    if kind == "retriever" and (documents := read_documents(value)):
        found["context"] = documents
    if kind != "llm":
        if value is not None:
            found["output"] = value
        return
    response = read_response(value)
    if response is not None:
        found["output"] = wrap(response.messages)
        if response.finish_reasons:
            found["finish_reasons"] = response.finish_reasons
    elif isinstance(value, str) or looks_like_messages(value):
        found["output"] = wrap(read_messages(value, "assistant"))
    elif value is not None:
        found["output"] = value


def _usage(usage: dict[str, Json], found: Found) -> None:
    """Token counts: OpenAI's names are totals with parts, all other names are disjoint.

    Its Responses API has `input_tokens` and `output_tokens`, told apart by the details beside them.
    """
    is_openai = "prompt_tokens" in usage or "completion_tokens" in usage
    if is_openai or isinstance(usage.get("input_tokens_details"), dict):
        put_tokens(usage_tokens(usage), found)
        return
    sums: dict[str, int] = {}
    for key, value in usage.items():
        if (count := count_of(value)) is not None:
            part = _part(key)
            sums[part] = sums.get(part, 0) + count
    given = [sums[part] for part in IN_PARTS if part in sums]
    made = [sums[part] for part in OUT_PARTS if part in sums]
    if given:
        found["tokens_input"] = sum(given)
    if made:
        found["tokens_output"] = sum(made)
    _put(found, *(sums.get(part) for part in ("total", "cached", "cache_write", "reasoning")))
    if sums.get("audio_input"):
        found["tokens_audio_input"] = sums["audio_input"]
    if sums.get("audio_output"):
        found["tokens_audio_output"] = sums["audio_output"]


def _part(key: str) -> str:
    """Which part of the usage a key of disjoint counts belongs to."""
    if "cache" in key:
        return "cache_write" if "creation" in key or "write" in key else "cached"
    if "reasoning" in key:
        return "reasoning"
    if key in NAMES:
        return NAMES[key]
    side = "input" if key.startswith("input") else "output" if key.startswith("output") else ""
    if not side:
        return "other"
    return f"audio_{side}" if "audio" in key else side


def _put(
    found: Found, total: int | None, cached: int | None, written: int | None, reasoning: int | None
) -> None:
    if total is not None:
        found["tokens_total"] = total
    if cached is not None:
        found["tokens_cached"] = cached
    if written is not None:
        found["tokens_cache_write"] = written
    if reasoning is not None:
        found["tokens_reasoning"] = reasoning


def _cost(details: dict[str, Json]) -> Decimal | None:
    """The total, else the sum; `{"total": 0}` on a failed call is no cost."""
    if "total" in details:
        return cost_of(details["total"])
    parts = [cost for value in details.values() if (cost := cost_of(value)) is not None]
    return sum(parts[1:], parts[0]) if parts else None


def _first_token(value: Json, start_ns: int, found: Found) -> None:
    if not isinstance(value, str):
        return
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    micros = (delta.days * 86_400 + delta.seconds) * 10**6 + delta.microseconds
    found["ttft_ns"] = max(0, micros * 1000 - start_ns)


CONVENTION = Convention("langfuse", ("langfuse.",), read)
