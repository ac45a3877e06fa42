"""OpenLLMetry (Traceloop SDK and its instrumentations), current and the flattened form; Laminar.

Up to 0.4x messages are `gen_ai.prompt.N.role`, `gen_ai.completion.N.content` and so on; that many
installed versions still send.
"""

from __future__ import annotations

import re
from typing import Any

from tracehub.core.trace import Json, Kind
from tracehub.core.wire.attributes import Attributes, Convention, Node, Row, Shape, fill, tree
from tracehub.core.wire.documents import document
from tracehub.core.wire.found import Found
from tracehub.core.wire.messages import Message, message_text, read_messages, wrap
from tracehub.core.wire.values import (
    count_of,
    number_of,
    object_of,
    parsed,
    provider_of,
    text_of,
    texts_of,
    true_of,
)

KINDS: dict[str, Kind] = {"workflow": "chain", "task": "chain", "agent": "agent", "tool": "tool"}
REQUEST_KINDS: dict[str, Kind] = {
    "chat": "llm",
    "completion": "llm",
    "embedding": "embedding",
    "rerank": "reranker",
}
LAMINAR: dict[str, Kind] = {"LLM": "llm", "CACHED": "llm", "TOOL": "tool", "EVALUATOR": "evaluator"}
PROPERTIES = "traceloop.association.properties."
LAMINAR_PROPERTIES = "lmnr.association.properties."
CHUNKS = frozenset(("gen_ai.content.completion.chunk", "llm.content.completion.chunk"))
FOUND = "db.query.result"  # an event for each document that a vector database found
RANKED = re.compile(r"Doc (\d{1,9}), Score: ([\d.e-]{1,30})")  # answers of Cohere's rerankers
SESSIONS = ("session_id", "thread_id", "conversation_id")
MESSAGE_KEYS = frozenset(("role", "content", "tool_calls", "function_call"))


def kind_of(value: Json) -> Kind | None:
    return KINDS.get(value, "chain") if isinstance(value, str) and value else None


def request_kind(value: Json) -> Kind | None:
    return REQUEST_KINDS.get(value) if isinstance(value, str) else None


def laminar_kind(value: Json) -> Kind | None:
    return LAMINAR.get(value) if isinstance(value, str) else None


ROWS: tuple[Row, ...] = (
    Row("kind", "traceloop.span.kind", kind_of),
    Row("kind", "lmnr.span.type", laminar_kind),
    Row("request_kind", "llm.request.type", request_kind),
    Row("weak_input", "traceloop.entity.input", parsed),
    Row("weak_input", "lmnr.span.input", parsed),
    Row("weak_output", "traceloop.entity.output", parsed),
    Row("weak_output", "lmnr.span.output", parsed),
    Row("tags", LAMINAR_PROPERTIES + "tags", texts_of),
    Row("prompt_name", "traceloop.prompt.key", text_of),
    Row("prompt_version", "traceloop.prompt.version", text_of),
    Row("prompt_template", "traceloop.prompt.template", text_of),
    Row("tokens_total", "llm.usage.total_tokens", count_of),
    Row("tokens_input", "llm.usage.prompt_tokens", count_of),
    Row("tokens_output", "llm.usage.completion_tokens", count_of),
    Row("streaming", "llm.is_streaming", true_of),
    Row("provider", PROPERTIES + "ls_provider", provider_of),
    Row("model_requested", PROPERTIES + "ls_model_name", text_of),
)


def read(span: Attributes) -> Found:
    found = span.take(ROWS)
    if found.get("kind") == "tool" and (name := text_of(span.get("traceloop.entity.name"))):
        found["tool_name"] = name
    elif found.get("kind") == "agent" and (name := text_of(span.get("traceloop.entity.name"))):
        found["agent"] = name
    if variables := span.under("traceloop.prompt.template_variables."):
        found["prompt_variables"] = variables
    for prefix in (PROPERTIES, LAMINAR_PROPERTIES):
        if properties := span.under(prefix):
            _properties(properties, found)
    plan = span.shape.once(_plan)
    if plan[0] or plan[1]:
        _flattened(plan, span.values, found)
        if found.get("request_kind") == "reranker":
            _ranked(found)
    for event in span.raw.events:
        if event["name"] in CHUNKS:
            found.setdefault("ttft_ns", max(0, event["time_ns"] - span.raw.start_ns))
        elif event["name"] == FOUND:
            found.setdefault("context", []).append(_document(event["attributes"]))
    return found


def _document(attributes: dict[str, Json]) -> dict[str, Json]:
    """What Chroma, Milvus and Pinecone found. A distance is no score: the nearer, the smaller."""
    get = attributes.get
    metadata = dict(object_of(get(f"{FOUND}.metadata")))
    if (distance := number_of(get(f"{FOUND}.distance"))) is not None:
        metadata["distance"] = distance
    result: dict[str, Json] = document(
        get(f"{FOUND}.document"), get(f"{FOUND}.id"), get(f"{FOUND}.score"), metadata
    )
    return result


def _ranked(found: Found) -> None:
    """The question of a reranker, and its documents as it sorted them.

    They come as messages: a document each of the system, the question of the user, and answers
    such as `Doc 1, Score: 0.91`.
    """
    given = found["input"]["messages"] if "input" in found else []
    made = found["output"]["messages"] if "output" in found else []
    texts = [message_text(item) for item in given if item["role"] == "system"]
    ranked = [match for item in made if (match := RANKED.fullmatch(message_text(item)))]
    if not ranked or len(ranked) != len(made):
        return
    numbered = dict(enumerate(texts))
    found["context"] = [
        document(numbered.get(int(match[1])), match[1], match[2]) for match in ranked
    ]
    asked = [message_text(item) for item in given if item["role"] == "user"]
    if len(asked) == 1:
        found["input"] = asked[0]


def _properties(properties: dict[str, Json], found: Found) -> None:
    found["metadata"] = {name: item for name, item in properties.items() if name != "tags"}
    for key in SESSIONS:
        if session := text_of(properties.get(key)):
            found["session"], found["session_rank"] = session, 2
            break
    if user := text_of(properties.get("user_id")):
        found["user"] = user


def _plan(shape: Shape) -> tuple[Node, Node]:
    """The trees of flattened prompts and completions; empty without indices (LangSmith's text)."""
    prompts = tree(shape.under("gen_ai.prompt."))
    completions = tree(shape.under("gen_ai.completion."))
    return (
        prompts if isinstance(prompts, list) else _indexed(prompts),
        completions if isinstance(completions, list) else _indexed(completions),
    )


def _indexed(node: Node) -> list[Node]:
    """Indexed items beside other names: `gen_ai.prompt.name` next to `gen_ai.prompt.0.role`."""
    numbers = [name for name in node if name.isascii() and name.isdigit() and len(name) < 16]
    return [node[name] for name in sorted(numbers, key=int)]


def _flattened(plan: tuple[Node, Node], values: dict[str, Json], found: Found) -> None:
    prompts = _messages(plan[0], values, "user")
    if prompts:
        found["input"] = wrap(prompts)
    filled = [fill(node, values) for node in plan[1] if isinstance(node, dict)]
    answers = [message for item in filled for message in _message(item, "assistant")]
    if answers:
        found["output"] = wrap(answers)
    reasons = [text for item in filled if (text := text_of(item.get("finish_reason")))]
    if reasons:
        found["finish_reasons"] = reasons


def _messages(nodes: list[Node], values: dict[str, Json], role: str) -> list[Message]:
    return [
        message
        for node in nodes
        if isinstance(node, dict)
        for message in _message(fill(node, values), role)
    ]


def _message(item: dict[str, Any], role: str) -> list[Message]:
    if MESSAGE_KEYS.isdisjoint(item):
        return []
    calls = item.get("tool_calls")
    if isinstance(calls, list):
        item = {**item, "tool_calls": [object_of(call) for call in calls]}
    return read_messages({**item, "role": item.get("role") or role})


CONVENTION = Convention(
    "openllmetry",
    (
        "traceloop.",
        "llm.request.type",
        "llm.usage.",
        "llm.is_streaming",
        "gen_ai.prompt.",
        "gen_ai.completion.",
        "lmnr.",
    ),
    read,
    events=True,
)
