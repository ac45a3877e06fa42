"""OpenTelemetry GenAI content as span events: Strands, Azure, Semantic Kernel, joined log records.

Event names `gen_ai.user.message` and its kin (conventions 1.30 to 1.36), and
`gen_ai.client.inference.operation.details` with the attributes of the current form.
"""

from __future__ import annotations

from typing import Any

from tracehub.core.trace import Json
from tracehub.core.wire.attributes import Attributes, Convention
from tracehub.core.wire.found import Found
from tracehub.core.wire.messages import Message, message_text, read_messages, with_system, wrap
from tracehub.core.wire.values import dumped, list_of, object_of, parsed, text_of, texts_of

ROLES = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
CHOICE = "gen_ai.choice"
DETAILS = "gen_ai.client.inference.operation.details"
# Older OpenLIT and OpenLLMetry: one event with the whole text.
TEXTS = {"gen_ai.content.prompt": "gen_ai.prompt", "gen_ai.content.completion": "gen_ai.completion"}


def read(span: Attributes) -> Found:
    found: Found = {}
    details: dict[str, Json] = {}
    given: list[Message] = []
    made: list[Message] = []
    reasons: list[str] = []
    is_tool = span.get("gen_ai.operation.name") == "execute_tool"
    for event in span.raw.events:
        name, attributes = event["name"], event["attributes"]
        if name in ROLES:
            if is_tool and name == "gen_ai.tool.message":
                found["tool_arguments"] = parsed(_content(attributes))
            else:
                given += _message(ROLES[name], attributes)
        elif name == CHOICE:
            if is_tool:
                found["tool_result"] = parsed(_result(attributes))
            else:
                made += _choice(attributes, reasons)
        elif name == DETAILS:
            details.update(attributes)
        elif name in TEXTS and (text := attributes.get(TEXTS[name])):
            target = given if name == "gen_ai.content.prompt" else made
            target += read_messages(text, "user" if target is given else "assistant")
    if details:
        given, made = _details(details, given, made, found)
    if given:
        found["event_input"] = wrap(_once(given))
    if made:
        found["event_output"] = wrap(made)
    if reasons:
        found["event_finish_reasons"] = reasons
    return found


def _content(attributes: dict[str, Json]) -> Json:
    """The content of an event; `gen_ai.event.content` is JSON of the whole body."""
    if (content := attributes.get("content")) is not None:
        return content
    return object_of(attributes.get("gen_ai.event.content")).get("content")


def _whole(attributes: dict[str, Json], *needed: str) -> dict[str, Json]:
    """What an event says: JSON of its whole body, or the attributes themselves.

    Semantic Kernel puts that JSON into the text of a log record, which comes here as `content`.
    """
    if whole := object_of(attributes.get("gen_ai.event.content")):
        return whole
    whole = object_of(attributes.get("content"))
    return whole if whole and all(key in whole for key in needed) else attributes


def _once(messages: list[Message]) -> list[Message]:
    """Answers of tools once: botocore tells each in a tool's and in a user's event."""
    seen: set[tuple[str, str]] = set()
    kept = []
    for item in messages:
        if item["role"] == "tool" and item["tool_call_id"]:
            key = item["tool_call_id"], message_text(item)
            if key in seen:
                continue
            seen.add(key)
        kept.append(item)
    return kept


def _message(role: str, attributes: dict[str, Json]) -> list[Message]:
    whole = _whole(attributes, "role")
    item: dict[str, Any] = {**whole, "role": whole.get("role") or role}
    # Bedrock Converse parts come as JSON text; a tool's own answer may be JSON as well.
    parts = parsed(item.get("content"))
    if isinstance(parts, list) and parts and all(isinstance(part, dict) for part in parts):
        item["content"] = parts
    if role == "tool" and "tool_call_id" not in item and "id" in item:
        item["tool_call_id"] = item["id"]
    return read_messages(item)


def _choice(attributes: dict[str, Json], reasons: list[str]) -> list[Message]:
    whole = _whole(attributes, "message", "finish_reason")
    reasons += texts_of(whole.get("finish_reason"))
    message = parsed(whole.get("message"))
    if isinstance(message, dict):
        return read_messages({"role": "assistant", **message}, "assistant")
    if isinstance(message, list):
        return read_messages({"role": "assistant", "content": message}, "assistant")
    if message is None:
        message = whole.get("content")
        calls = list_of(whole.get("tool_calls"))
        if message is None and not calls:
            return []
        return read_messages({"role": "assistant", "content": message, "tool_calls": calls})
    return read_messages({"role": "assistant", "content": dumped(message)})


def _result(attributes: dict[str, Json]) -> Json:
    """What a tool gave back: the text of its parts."""
    message = parsed(attributes.get("message"))
    if isinstance(message, list):
        texts = [text for part in message if (text := text_of(object_of(part).get("text")))]
        if texts:
            return "\n".join(texts)
    return message


def _details(
    details: dict[str, Json], given: list[Message], made: list[Message], found: Found
) -> tuple[list[Message], list[Message]]:
    if (sent := details.get("gen_ai.input.messages")) is not None:
        given = read_messages(sent)
    if (sent := details.get("gen_ai.system_instructions")) is not None:
        system = read_messages({"role": "system", "content": parsed(sent)})
        given = with_system(given, system)
    if (sent := details.get("gen_ai.output.messages")) is not None:
        made = read_messages(sent, "assistant")
    if arguments := details.get("gen_ai.tool.call.arguments"):
        found["tool_arguments"] = parsed(arguments)
    if (result := details.get("gen_ai.tool.call.result")) is not None:
        found["tool_result"] = parsed(result)
    return given, made


CONVENTION = Convention("genai_events", (), read, events=True)
