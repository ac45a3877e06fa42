"""MLflow tracing exported over OTLP. Every value is JSON text: `"\\"gpt-4o\\""`, `"0.2"`."""

from __future__ import annotations

from tracehub.core.trace import Json, Kind, Tokens
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
from tracehub.core.wire.values import (
    cost_of,
    object_of,
    parsed_any,
    provider_of,
    text_of,
    texts_of,
    true_of,
)

KINDS: dict[str, Kind] = {
    "CHAT_MODEL": "llm",
    "LLM": "llm",
    "PARSER": "chain",
    "WORKFLOW": "chain",
    "TASK": "chain",
    "CHAIN": "chain",
    "AGENT": "agent",
    "TOOL": "tool",
    "RETRIEVER": "retriever",
    "EMBEDDING": "embedding",
    "RERANKER": "reranker",
    "GUARDRAIL": "guardrail",
    "EVALUATOR": "evaluator",
}
NOT_PARAMETERS = frozenset(
    "model messages input tools prompt instructions system contents config "
    "model_name _type stream".split()
)


def kind_of(value: Json) -> Kind | None:
    kind = parsed_any(value)
    return KINDS.get(kind.upper(), "other") if isinstance(kind, str) and kind else None


def text(value: Json) -> str | None:
    return text_of(parsed_any(value))


ROWS: tuple[Row, ...] = (
    Row("kind", "mlflow.spanType", kind_of),
    Row("model", "mlflow.llm.model", text),
    Row("provider", "mlflow.llm.provider", lambda value: provider_of(parsed_any(value))),
    Row("provider", "mlflow.llm.model_provider", lambda value: provider_of(parsed_any(value))),
    Row("session", "mlflow.trace.session", text),
    Row("user", "mlflow.trace.user", text),
    Row("tool_name", "mlflow.spanFunctionName", text),
)


def read(span: Attributes) -> Found:
    found = span.take(ROWS)
    get = span.get
    kind = found.get("kind")
    if "session" in found:
        found["session_rank"] = 2
    if kind != "tool":
        found.pop("tool_name", None)
    if (sent := get("mlflow.spanInputs")) is not None:
        _input(parsed_any(sent), kind, found)
    if (sent := get("mlflow.spanOutputs")) is not None:
        _output(parsed_any(sent), kind, found)
    if usage := object_of(parsed_any(get("mlflow.chat.tokenUsage"))):
        put_tokens(_usage(usage), found)
    if costs := parsed_any(get("mlflow.llm.cost")):
        total = costs.get("total_cost", costs.get("total")) if isinstance(costs, dict) else costs
        if (cost := cost_of(total)) is not None:
            found["cost"] = cost
    _prompt(parsed_any(get("mlflow.linkedPrompts")), found)
    if kind == "llm" and (asked := object_of(parsed_any(get("invocation_params")))):
        _asked(asked, found)  # LangChain
    return found


def _usage(usage: dict[str, Json]) -> Tokens | None:
    """MLflow's counts are totals: its cached tokens are inside the input tokens."""
    tokens = usage_tokens({"total_tokens": None, **usage})
    if tokens is not None and usage.get("total_tokens") is None:
        plain = usage_tokens({key: usage.get(key) for key in ("input_tokens", "output_tokens")})
        if plain is not None:
            tokens.input, tokens.total = plain.input, plain.total
    return tokens


def _input(value: Json, kind: Kind | None, found: Found) -> None:
    if value is None:
        return
    found["input"] = value
    if kind != "llm":
        return
    if messages := read_request(value):
        found["input"] = wrap(messages)
    if isinstance(value, dict):
        _asked(value, found)


def _asked(request: dict[str, Json], found: Found) -> None:
    """The model asked for, and parameters of plain values; objects of Python are no values."""
    if model := text_of(request.get("model")):
        found["model_requested"] = model
    if true_of(request.get("stream")):
        found["streaming"] = True
    if (schema := schema_asked(request)) is not None:
        found["output_schema"] = schema
    found["parameters"] = {
        key: item
        for key, item in request.items()
        if key not in NOT_PARAMETERS
        and item is not None
        and not isinstance(item, dict | list)
        and not (isinstance(item, str) and item.startswith("<"))
    }


def _output(value: Json, kind: Kind | None, found: Found) -> None:
    if value is None:
        return
    found["output"] = value
    if kind == "retriever" and (documents := read_documents(value)):
        found["context"] = documents
    if kind != "llm":
        return
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        found["output"] = wrap(read_messages(value, "assistant"))  # DSPy
        return
    response = read_response(value)
    if response is not None:
        found["output"] = wrap(response.messages)
        if response.finish_reasons:
            found["finish_reasons"] = response.finish_reasons
        if response.response_id:
            found["response_id"] = response.response_id
        put_tokens(response.tokens, found)
    elif isinstance(value, str) or looks_like_messages(value):
        found["output"] = wrap(read_messages(value, "assistant"))


def _prompt(linked: Json, found: Found) -> None:
    """`[{"name", "version"}]`; the first one, calls rarely have more."""
    if isinstance(linked, list) and linked and isinstance(linked[0], dict):
        if name := text_of(linked[0].get("name")):
            found["prompt_name"] = name
        if versions := texts_of([linked[0].get("version")]):
            found["prompt_version"] = versions[0]


CONVENTION = Convention("mlflow", ("mlflow.",), read)
