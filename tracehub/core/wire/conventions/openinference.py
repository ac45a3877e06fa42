"""OpenInference (Arize Phoenix and its instrumentations).

Source: openinference-semantic-conventions 0.1. Lists are flattened: `llm.input_messages.0.message`.
"""

from __future__ import annotations

from typing import Any

from tracehub.core.trace import Json, Kind
from tracehub.core.wire.attributes import Attributes, Convention, Node, Row, Shape, fill, leaf, tree
from tracehub.core.wire.documents import document
from tracehub.core.wire.found import Found
from tracehub.core.wire.messages import (
    Message,
    is_call,
    message,
    result_text,
    role_of,
    sort_part,
    text_message,
    tool_call,
)
from tracehub.core.wire.parts import Part
from tracehub.core.wire.responses import schema_asked
from tracehub.core.wire.values import (
    cost_of,
    count_of,
    dumped,
    is_given,
    object_of,
    parsed,
    provider_of,
    text_of,
    texts_of,
    true_of,
    version_of,
)

KINDS: dict[str, Kind] = {
    "LLM": "llm",
    "CHAIN": "chain",
    "AGENT": "agent",
    "TOOL": "tool",
    "RETRIEVER": "retriever",
    "EMBEDDING": "embedding",
    "RERANKER": "reranker",
    "GUARDRAIL": "guardrail",
    "EVALUATOR": "evaluator",
}
NOT_PARAMETERS = frozenset(("model", "model_name", "messages", "input", "tools", "_type"))
STREAM_BEGAN = "First Token Stream Event"


def kind_of(value: Json) -> Kind | None:
    return KINDS.get(value.upper(), "other") if isinstance(value, str) and value else None


def said(value: Json) -> Json:
    """What a span gave, parsed; nothing for the stream that a client could not look into."""
    return parsed(value) if is_given(value) else None


ROWS: tuple[Row, ...] = (
    Row("kind", "openinference.span.kind", kind_of),
    Row("provider", "llm.provider", provider_of),
    Row("provider", "llm.system", provider_of),
    Row("model", "llm.response.model_name", text_of),
    Row("model", "llm.model_name", text_of),
    Row("model", "embedding.model_name", text_of),
    Row("model", "reranker.model_name", text_of),
    Row("model_requested", "llm.request.model_name", text_of),
    Row("tokens_input", "llm.token_count.prompt", count_of),
    Row("tokens_output", "llm.token_count.completion", count_of),
    Row("tokens_total", "llm.token_count.total", count_of),
    Row("tokens_cached", "llm.token_count.prompt_details.cache_read", count_of),
    Row("tokens_cache_write", "llm.token_count.prompt_details.cache_write", count_of),
    Row("tokens_audio_input", "llm.token_count.prompt_details.audio", count_of),
    Row("tokens_reasoning", "llm.token_count.completion_details.reasoning", count_of),
    Row("tokens_audio_output", "llm.token_count.completion_details.audio", count_of),
    Row("cost", "llm.cost.total", cost_of),
    Row("finish_reasons", "llm.finish_reason", texts_of),
    Row("streaming", "llm.is_streaming", true_of),
    Row("prompt_template", "llm.prompt_template.template", text_of),
    Row("prompt_version", "llm.prompt_template.version", text_of),
    Row("prompt_variables", "llm.prompt_template.variables", object_of),
    Row("prompt_name", "llm.prompt_template.name", text_of),
    Row("prompt_name", "prompt.id", text_of),
    Row("tool_name", "tool.name", text_of),
    Row("tool_name", "tool_call.function.name", text_of),
    Row("tool_version", "tool.version", version_of),
    Row("tool_call_id", "tool_call.id", text_of),
    Row("tool_call_id", "tool.id", text_of),
    Row("tool_description", "tool.description", text_of),
    Row("agent", "agent.name", text_of),
    Row("tags", "tag.tags", texts_of),
    Row("weak_input", "input.value", parsed),
    Row("weak_input", "reranker.query", text_of),
    Row("weak_output", "output.value", said),
)


def read(span: Attributes) -> Found:
    found = span.take(ROWS)
    plan = span.shape.once(_plan)
    if (sent := span.get("llm.invocation_parameters")) is not None:
        _parameters(sent, found)
    # Steps around calls have a few of the messages and, in `input.value`, the whole.
    is_step = found.get("kind", "llm") != "llm"
    if plan.input and not (is_step and "weak_input" in found):
        found["input"] = {"messages": _messages(plan.input, span.values)}
    if plan.output and not (is_step and "weak_output" in found):
        found["output"] = {"messages": _messages(plan.output, span.values)}
    if plan.documents:
        found["context"] = _documents(plan.documents, span.values)
    if plan.embedded and "weak_input" not in found:
        found["weak_input"] = [span.values[key] for key in plan.embedded]
    if metadata := object_of(span.get("metadata")):
        _metadata(metadata, found)
    if "cost" not in found and plan.costs:
        parts = [cost for key in plan.costs if (cost := cost_of(span.values[key]))]
        if parts:
            found["cost"] = sum(parts[1:], parts[0])
    for event in span.raw.events:
        if event["name"] == STREAM_BEGAN:
            found["ttft_ns"] = max(0, event["time_ns"] - span.raw.start_ns)
            found["streaming"] = True
            break
    return found


def _metadata(metadata: dict[str, Json], found: Found) -> None:
    found["metadata"] = metadata
    if session := text_of(metadata.get("session_id", metadata.get("thread_id"))):
        found["session"], found["session_rank"] = session, 2
    if user := text_of(metadata.get("user_id")):
        found["user"] = user


def _parameters(sent: Json, found: Found) -> None:
    """Parameters of the call; nothing from a whole response object (openai-agents sends that)."""
    given = object_of(sent)
    if "id" in given or "created_at" in given or "output" in given:
        return
    if "model_requested" not in found and (model := text_of(given.get("model"))):
        found["model_requested"] = model
    found["parameters"] = {
        name: value
        for name, value in given.items()
        if is_given(value) and name not in NOT_PARAMETERS
    }
    if true_of(given.get("stream")):
        found["streaming"] = True
    if (schema := schema_asked(given)) is not None:
        found["output_schema"] = schema


class _Plan:
    """Where the flattened lists of one shape are."""

    __slots__ = ("costs", "documents", "embedded", "input", "output")

    def __init__(self, shape: Shape) -> None:
        self.input = _message_plan(shape, "llm.input_messages.")
        self.output = _message_plan(shape, "llm.output_messages.")
        self.documents = _document_plan(shape)
        self.embedded = [
            key
            for node in _items(tree(shape.under("embedding.embeddings.")))
            if (key := leaf(node, "embedding", "text"))
        ]
        self.costs = [
            key for key in ("llm.cost.prompt", "llm.cost.completion") if key in shape.names
        ]


def _plan(shape: Shape) -> _Plan:
    return _Plan(shape)


def _items(node: Node) -> list[Node]:
    return node if isinstance(node, list) else []


def _message_plan(shape: Shape, prefix: str) -> list[tuple[str | None, str | None, Node]]:
    """Per message: the key of its role, of its content, and its tree when it holds more."""
    plan = []
    for item in _items(tree(shape.under(prefix))):
        node = item.get("message") if isinstance(item, dict) else None
        if isinstance(node, dict):
            role, content = leaf(node, "role"), leaf(node, "content")
            simple = len(node) == (role is not None) + (content is not None)
            plan.append((role, content, None if simple else node))
    return plan


def _messages(
    plan: list[tuple[str | None, str | None, Node]], values: dict[str, Json]
) -> list[Message]:
    result = []
    for role_key, content_key, node in plan:
        role = role_of(values[role_key]) if role_key else "user"
        content = values[content_key] if content_key else None
        if node is None and (content is None or content.__class__ is str):
            result.append(text_message(role, content or ""))
        else:
            result += _message(role, content, node, values)
    return result


def _message(role: str, content: Json, node: Node, values: dict[str, Json]) -> list[Message]:
    filled: dict[str, Any] = fill(node, values) if node is not None else {}
    parts: list[Part] = []
    used: list[Json] = []  # `tool_use` contents, which repeat the tool calls
    answers: list[Message] = []
    if content:
        text = dumped(content)
        if role == "tool" and text.startswith('{"type":'):  # the AI SDK's `{"type", "value"}`
            text = result_text(parsed(text))
        parts.append({"type": "text", "text": text})
    else:
        for item in _items(filled.get("contents")):
            inner = item.get("message_content") if isinstance(item, dict) else None
            sort_part(inner, parts, used, answers)
    sent = [_call(item) for item in _items(filled.get("tool_calls"))]
    calls = [call for call in sent if is_call(call)] or used
    if not calls and (name := filled.get("function_call_name")):
        calls = [tool_call(None, name, filled.get("function_call_arguments_json"))]
    if answers and not parts and not calls:
        return answers
    return [*answers, message(role, parts, calls, text_of(filled.get("tool_call_id")))]


def _call(item: Json) -> Json:
    inner = item.get("tool_call") if isinstance(item, dict) else None
    inner = inner if isinstance(inner, dict) else {}
    function = inner.get("function")
    function = function if isinstance(function, dict) else {}
    return tool_call(inner.get("id"), function.get("name"), function.get("arguments"))


def _document_plan(shape: Shape) -> list[tuple[str | None, ...]]:
    nodes = _items(tree(shape.under("retrieval.documents.")))
    nodes = nodes or _items(tree(shape.under("reranker.output_documents.")))
    return [
        tuple(leaf(node, "document", name) for name in ("content", "id", "score", "metadata"))
        for node in nodes
    ]


def _documents(plan: list[tuple[str | None, ...]], values: dict[str, Json]) -> list[Json]:
    return [document(*(values[key] if key else None for key in keys)) for keys in plan]


CONVENTION = Convention(
    "openinference",
    (
        "openinference.",
        "llm.",
        "input.",
        "output.",
        "retrieval.",
        "embedding.",
        "reranker.",
        "tool.",
        "tool_call.",
        "metadata",
        "tag.tags",
        "prompt.id",
        "agent.name",
    ),
    read,
)
