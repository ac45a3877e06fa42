"""Logfire and pydantic-ai, beside the GenAI conventions that both follow."""

from __future__ import annotations

from tracehub.core.trace import Json, Kind
from tracehub.core.wire.attributes import Attributes, Convention, Row
from tracehub.core.wire.found import Found
from tracehub.core.wire.messages import Message, instructions, read_messages, with_system, wrap
from tracehub.core.wire.responses import put_tokens, read_request, usage_tokens
from tracehub.core.wire.values import (
    cost_of,
    list_of,
    number_of,
    object_of,
    parsed,
    parsed_any,
    text_of,
    true_of,
)

ERROR_LEVEL = 17
EVENT_ROLES = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}


# How the spans of OpenAI's Agents SDK are named by Logfire, which has no attribute for their kind.
AGENT_KINDS: tuple[tuple[str, Kind], ...] = (
    ("OpenAI Agents trace: ", "chain"),
    ("Task: ", "chain"),
    ("Turn ", "chain"),
    ("Agent run: ", "agent"),
    ("Function: ", "tool"),
    ("Guardrail ", "guardrail"),
)


def is_pending(value: Json) -> bool | None:
    return True if value == "pending_span" else None


def is_error(value: Json) -> bool | None:
    level = number_of(value)
    return True if level is not None and level >= ERROR_LEVEL else None


ROWS: tuple[Row, ...] = (
    Row("span_name", "logfire.msg", text_of),
    Row("pending", "logfire.span_type", is_pending),
    Row("error", "logfire.level_num", is_error),
    Row("cost", "operation.cost", cost_of),
    Row("output", "final_result", parsed),
    Row("agent", "agent_name", text_of),
    Row("tool_arguments", "tool_arguments", parsed),
    Row("tool_result", "tool_response", parsed),
)


def read(span: Attributes) -> Found:
    found = span.take(ROWS)
    get = span.get
    if "cost" in found and "gen_ai.aggregated_usage.input_tokens" in span.shape.names:
        del found["cost"]  # an agent's roll-up of the calls below it
    history = get("pydantic_ai.all_messages")
    if history is None:
        history = get("all_messages_events")
    if history is not None:
        sent = get("gen_ai.system_instructions")
        apart = instructions(sent) if sent is not None else None
        _conversation(read_messages(_events_to_messages(list_of(history))), apart, found)
    elif (events := get("events")) is not None and "gen_ai.request.model" in span.shape.names:
        _events(list_of(events), found)
    if span.raw.scope.get("name") == "logfire.openai_agents":
        _openai_agents(span, found)
    if (request := get("request_data")) is not None:
        _request(object_of(request), found)
    if (response := get("response_data")) is not None:
        _response(object_of(response), found)
    return found


def _conversation(messages: list[Message], apart: list[Message] | None, found: Found) -> None:
    """The run of an agent: what it was asked is all up to the first answer.

    Newer pydantic-ai sends the instructions apart.
    """
    for index, item in enumerate(messages):
        if item["role"] == "assistant":
            messages = messages[:index]
            break
    if messages:
        found["input"] = wrap(with_system(messages, apart or []))


def _events_to_messages(items: list[Json]) -> list[Json]:
    """pydantic-ai before 1.0: `{"event.name": "gen_ai.user.message", "content", "role"}`."""
    result: list[Json] = []
    for item in items:
        if isinstance(item, dict) and "event.name" in item:
            name = item["event.name"]
            role = EVENT_ROLES.get(name) if isinstance(name, str) else None
            item = {"role": role, **item} if role else item.get("message")
        result.append(item)
    return result


def _openai_agents(span: Attributes, found: Found) -> None:
    get = span.get
    template, name = get("logfire.msg_template"), text_of(get("name"))
    kind = next((kind for start, kind in AGENT_KINDS if str(template).startswith(start)), None)
    if kind is not None:
        found["kind"] = kind
    if kind == "agent" and name:
        found["agent"] = name
    elif kind == "tool":
        found["tool_name"] = name or ""
        found["tool_arguments"], found["tool_result"] = parsed(get("input")), parsed(get("output"))
    elif kind == "guardrail":
        found["output"] = {"triggered": get("triggered")}
    if (group := text_of(parsed_any(get("group_id")))) is not None:
        found["session"], found["session_rank"] = group, 2
    if response := object_of(get("response")):
        found["weak_output"] = response
    put_tokens(usage_tokens(object_of(get("gen_ai.usage.raw"))), found)


def _events(items: list[Json], found: Found) -> None:
    """Messages of a call; the answer is a choice, or what the assistant says at the end."""
    names = [object_of(item).get("event.name") for item in items]
    cut = len(items)
    if "gen_ai.choice" in names:
        cut = names.index("gen_ai.choice")
    else:
        while cut and names[cut - 1] == "gen_ai.assistant.message":
            cut -= 1
    given, made = items[:cut], items[cut:]
    if messages := read_messages(_events_to_messages(given)):
        found["input"] = wrap(messages)
    if made and (messages := read_messages(_events_to_messages(made), "assistant")):
        found["output"] = wrap(messages)


def _request(request: dict[str, Json], found: Found) -> None:
    """`instrument_openai`: the request as it was made."""
    if messages := read_request(request):
        found["weak_input"] = wrap(messages)
    if model := text_of(request.get("model")):
        found["model_requested"] = model
    if true_of(request.get("stream")):
        found["streaming"] = True


def _response(response: dict[str, Json], found: Found) -> None:
    """The answer; of a stream it is on a log record beside the span of the request."""
    sent = response.get("message", response.get("combined_chunk_content"))
    if sent:
        found["weak_output"] = wrap(read_messages(sent, "assistant"))
    put_tokens(usage_tokens(object_of(response.get("usage"))), found)


CONVENTION = Convention(
    "logfire",
    ("logfire.", "operation.cost", "pydantic_ai."),  # `final_result` alone may be anybody's
    read,
)
