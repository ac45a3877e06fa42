"""Chat messages of any client as one shape.

A message is `{"role", "content": [part], "tool_calls": [{"id", "name", "arguments"}],
"tool_call_id"}`. Roles are system, user, assistant and tool. Read: OTel GenAI parts, OpenAI chat
and Responses, Anthropic, Bedrock Converse, Gemini, Vercel AI SDK, LangChain (also serialised),
AutoGen.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tracehub.core.trace import Json
from tracehub.core.wire.autogen import is_autogen, with_roles
from tracehub.core.wire.parts import TOOL_CALLS, TOOL_RESULTS, Part, read_part, refusal_of
from tracehub.core.wire.values import dumped, parsed, text_of

ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "aimessagechunk": "assistant",
    "model": "assistant",
    "tool": "tool",
    "function": "tool",
    "tool-call": "assistant",  # smolagents
    "tool-response": "tool",
    "tool_responses": "tool",  # AG2
}
# LangChain's class names in `{"lc": 1, "type": "constructor", "id": [..., "SystemMessage"]}`.
CLASSES = {
    "SystemMessage": "system",
    "HumanMessage": "user",
    "AIMessage": "assistant",
    "AIMessageChunk": "assistant",
    "ToolMessage": "tool",
    "FunctionMessage": "tool",
}
RESPONSE_ITEMS = ("function_call", "function_call_output", "reasoning", "custom_tool_call")
# Roles of pydantic-ai's own parts: `{"parts": [{"part_kind": "user-prompt", "content"}]}`.
PART_KINDS = {
    "system-prompt": "system",
    "user-prompt": "user",
    "tool-return": "tool",
    "retry-prompt": "user",  # of a tool when it has the id of a call
    "builtin-tool-return": "tool",
}

Message = dict[str, Json]


def message(
    role: str,
    content: list[Part] | None = None,
    tool_calls: list[Json] | None = None,
    tool_call_id: str | None = None,
) -> Message:
    return {
        "role": role,
        "content": content or [],
        "tool_calls": tool_calls or [],
        "tool_call_id": tool_call_id,
    }


def text_message(role: str, text: str, tool_call_id: str | None = None) -> Message:
    """A message of one text, or an empty one for an empty text."""
    content: list[Part] = [{"type": "text", "text": text}] if text else []
    return {"role": role, "content": content, "tool_calls": [], "tool_call_id": tool_call_id}


def tool_call(call_id: Json, name: Json, arguments: Json) -> Json:
    """One tool call; arguments are parsed when they are JSON in a string, `{}` when absent.

    OpenInference on the AI SDK writes that string as JSON once more.
    """
    if arguments is None or arguments == "":
        arguments = {}
    return {"id": text_of(call_id), "name": text_of(name), "arguments": parsed(parsed(arguments))}


def is_call(call: Json) -> bool:
    """Whether a read call says anything: a name, an id or arguments."""
    return bool(call["name"] or call["id"] or call["arguments"])


def role_of(value: Json, default: str = "user") -> str:
    return ROLES.get(value.lower(), value.lower()) if isinstance(value, str) and value else default


def read_messages(value: Json, default_role: str = "user") -> list[Message]:
    """Messages from a list of them, one of them, or a text. Unusable items are left out.

    >>> read_messages({"role": "ai", "content": "Hi"})[0]["content"]
    [{'type': 'text', 'text': 'Hi'}]
    """
    value = parsed(value)
    if isinstance(value, str):
        return [text_message(default_role, value)]
    items = value if isinstance(value, list) else [value]
    if len(items) == 1 and isinstance(items[0], list):  # LangChain: a batch of one conversation
        items = items[0]
    result: list[Message] = []
    for item in items:
        _read_one(item, default_role, result)
    return result


def looks_like_messages(value: Json) -> bool:
    """Whether a value is a list (or one) of chat messages rather than any other JSON."""
    if isinstance(value, list):
        if len(value) == 1 and isinstance(value[0], list):
            value = value[0]
        return bool(value) and all(_is_message(item) for item in value)
    return _is_message(value)


def _is_message(item: Json) -> bool:
    if not isinstance(item, dict):
        return False
    if "role" in item:
        return "content" in item or "parts" in item or "tool_calls" in item
    if _is_pydantic_ai(item) or is_autogen(item):
        return True
    kind = item.get("type")
    if isinstance(item.get("data"), dict) or item.get("lc") == 1:
        return True
    return isinstance(kind, str) and (
        (kind.lower() in ROLES and "content" in item) or kind in RESPONSE_ITEMS
    )


def _read_one(item: Json, default_role: str, result: list[Message]) -> None:
    if isinstance(item, str):
        result.append(text_message(default_role, item))
        return
    if not isinstance(item, dict):
        return
    if item.get("lc") == 1 and isinstance(item.get("kwargs"), dict):
        names = item.get("id")
        name = names[-1] if isinstance(names, list) and names else None
        item = {"role": CLASSES.get(str(name), default_role), **item["kwargs"]}
    elif isinstance(item.get("data"), dict) and "content" in item["data"]:
        item = {"type": item.get("type"), **item["data"]}
    elif isinstance(item.get("message"), dict) and "role" not in item:  # OpenAI's choices: Laminar
        item = item["message"]
    if str(item.get("type")) in RESPONSE_ITEMS and "role" not in item:
        _read_response_item(item, result)
        return
    if _is_pydantic_ai(item):
        _read_pydantic_ai(item["parts"], result)
        return
    if is_autogen(item):
        for one in with_roles(item):
            _read_one(one, default_role, result)
        return
    role = role_of(item.get("role") or _langchain_role(item), default_role)
    content = item.get("content")
    if content is None:
        content = item.get("parts", item.get("contents"))
    if content is None and "text" in item:
        content = item["text"]
    _build(role, content, item, result)


def _is_pydantic_ai(item: Json) -> bool:
    parts = item.get("parts")
    return isinstance(parts, list) and any(isinstance(p, dict) and "part_kind" in p for p in parts)


def _read_pydantic_ai(parts: list[Json], result: list[Message]) -> None:
    """A request or answer as pydantic-ai dumps it: one message a role, its parts in order."""
    for part in parts:
        kind = part.get("part_kind") if isinstance(part, dict) else None
        if not isinstance(kind, str):
            continue
        call_id = text_of(part.get("tool_call_id"))
        role = PART_KINDS.get(kind, "assistant")
        if kind == "retry-prompt" and call_id:
            role = "tool"
        if not (role == "assistant" and result and result[-1]["role"] == "assistant"):
            result.append(message(role, None, None, call_id if role == "tool" else None))
        if kind.endswith("tool-call"):
            call = tool_call(call_id, part.get("tool_name"), part.get("args"))
            result[-1]["tool_calls"].append(call)
        elif (content := part.get("content")) is not None:
            items = content if isinstance(content, list) and role == "user" else [dumped(content)]
            if kind == "thinking":
                items = [{"type": "reasoning", "text": content}]
            result[-1]["content"] += [read for item in items if (read := read_part(item))]


def _langchain_role(item: Json) -> Json:
    kind = item.get("type")
    return kind if isinstance(kind, str) and kind.lower() in ROLES else None


def _read_response_item(item: Json, result: list[Message]) -> None:
    """One item of OpenAI's Responses API that is not a message."""
    kind, call_id = item["type"], item.get("call_id", item.get("id"))
    if kind == "function_call_output":
        result.append(text_message("tool", dumped(item.get("output", "")), text_of(call_id)))
    elif kind == "reasoning":
        if texts := _summary_texts(item):
            result.append(message("assistant", texts))
    else:
        arguments = item.get("arguments", item.get("input"))
        result.append(message("assistant", None, [tool_call(call_id, item.get("name"), arguments)]))


def _summary_texts(item: Json) -> list[Part]:
    summary = item.get("summary")
    return [
        {"type": "reasoning", "text": part["text"]}
        for part in (summary if isinstance(summary, list) else ())
        if isinstance(part, dict) and isinstance(part.get("text"), str)
    ]


def _build(role: str, content: Json, item: Json, result: list[Message]) -> None:
    """Append the message, and one more `tool` message for each tool result among its parts."""
    call_id = text_of(item.get("tool_call_id") or item.get("toolCallId"))
    if call_id is None and role == "tool":
        call_id = text_of(item.get("id"))
    if content.__class__ is str:
        stripped = content[:2]
        if stripped not in ("[{", "[ ") or role == "tool":
            built = text_message(role, content, call_id)
            built["tool_calls"] = read_tool_calls(item)
            if not content and (refusal := refusal_of(item)):
                built["content"] = [refusal]
            result.append(built)
            return
        content = parsed(content)
        if not _all_parts(content):
            content = [dumped(item.get("content"))]
    content_parts: list[Part] = []
    calls: list[Json] = []
    answers: list[Message] = []
    for part in content if isinstance(content, list) else [content]:
        sort_part(part, content_parts, calls, answers)
    if not content_parts and (refusal := refusal_of(item)):
        content_parts = [refusal]
    calls = read_tool_calls(item) or calls
    if not answers:
        result.append(message(role, content_parts, calls, call_id))
    elif role == "assistant":  # its own words and calls, then what the tools said
        result.extend([message(role, content_parts, calls, call_id), *answers])
    else:  # answers of tools, then perhaps the user's words
        result.extend(answers)
        if content_parts or calls:
            result.append(message(role, content_parts, calls, call_id))


def _all_parts(content: Json) -> bool:
    """Whether a JSON text inside `content` is a list of parts and not the model's own list."""
    return isinstance(content, list) and all(
        isinstance(part, dict)
        and (str(part.get("type")) in KNOWN_PARTS or BEDROCK_PARTS.issuperset(part))
        for part in content
    )


KNOWN_PARTS = frozenset(
    "text image image_url input_text output_text tool_use tool_result tool_call tool_call_response "
    "tool-call tool-result thinking reasoning file input_audio document audio video".split()
)
BEDROCK_PARTS = frozenset(
    "text toolUse toolResult image document video reasoningContent cachePoint guardContent".split()
)


def sort_part(part: Json, content: list[Part], calls: list[Json], answers: list[Message]) -> None:
    """Put one received part where it belongs: content, tool calls, or answers of tools."""
    if part is None:
        return
    if part.__class__ is dict:
        kind = part.get("type")
        if kind == "text":
            if (read := read_part(part)) is not None:
                content.append(read)
            return
        for name, read_call in TOOL_CALLS:
            if kind == name or (kind is None and part.get(name) is not None):
                calls.append(tool_call(*read_call(part)))
                return
        for name, read_result in TOOL_RESULTS:
            if kind == name or (kind is None and part.get(name) is not None):
                call_id, value = read_result(part)
                answers.append(text_message("tool", result_text(value), text_of(call_id)))
                return
    if (read := read_part(part)) is not None:
        content.append(read)


def result_text(value: Json) -> str:
    """The text of a tool's result: its text parts joined, else compact JSON."""
    if isinstance(value, dict) and set(value) == {"type", "value"}:  # AI SDK: {type: json, value}
        value = value["value"]
    if isinstance(value, list) and value and all(isinstance(part, dict) for part in value):
        texts = [part.get("text", part.get("json")) for part in value]
        if all(text is not None for text in texts):
            return "\n".join(dumped(text) for text in texts)
    return "" if value is None else dumped(value)


def read_tool_calls(item: dict[str, Json]) -> list[Json]:
    """The `tool_calls` of an OpenAI or LangChain message."""
    calls = item.get("tool_calls") or item.get("toolCalls")
    if not calls:
        extra = item.get("additional_kwargs")
        calls = extra.get("tool_calls") if isinstance(extra, dict) else None
        if not calls and isinstance(single := item.get("function_call"), dict):
            calls = [single]
    calls = parsed(calls)
    if not isinstance(calls, list):
        return []
    found = [_read_call(call) for call in calls if isinstance(call, dict)]
    return [call for call in found if is_call(call)]


def _read_call(call: dict[str, Any]) -> Json:
    function = call.get("function")
    inner = function if isinstance(function, dict) else call
    arguments = inner.get("arguments", inner.get("args", inner.get("input")))
    return tool_call(
        call.get("id", call.get("toolCallId")), inner.get("name", inner.get("toolName")), arguments
    )


def instructions(value: Json) -> list[Message] | None:
    """System instructions: a list of parts, or (OpenLLMetry on LangChain) a plain string."""
    value = parsed(value)
    if isinstance(value, list) and value and isinstance(value[0], dict) and "role" in value[0]:
        return read_messages(value, "system") or None
    found = read_messages({"role": "system", "content": value}) if value else []
    return found if found and found[0]["content"] else None


def with_system(messages: list[Message], instructions: Iterable[Message]) -> list[Message]:
    """System instructions that were sent apart go first, unless there is a system message."""
    if any(item["role"] == "system" for item in messages):
        return messages
    return [*instructions, *messages]


def wrap(messages: list[Message]) -> Json:
    """`{"messages": [...]}`, or None when there is none."""
    return {"messages": messages} if messages else None


def uniform(value: Json) -> Json:
    """An object with a list of any client's `messages` with those in the one shape; else as is.

    What runs agents and chains shows its state like this (LangGraph, CrewAI, MLflow).
    """
    if value.__class__ is not dict or not isinstance(items := value.get("messages"), list):
        return value
    if not looks_like_messages(items) or all(is_uniform(item) for item in items):
        return value
    return {**value, "messages": read_messages(items)}


def is_uniform(item: Json) -> bool:
    """Whether a value is a message in the one shape."""
    return (
        isinstance(item, dict)
        and isinstance(item.get("content"), list)
        and isinstance(item.get("tool_calls"), list)
    )


def says_nothing(messages: list[Message]) -> bool:
    """Whether messages hold roles alone, as clients send them that were told to keep content."""
    return not any(item["content"] or item["tool_calls"] for item in messages)


def message_text(item: Message) -> str:
    """All text parts of a normalised message, joined by newlines."""
    return "\n".join(
        part["text"]
        for part in item["content"]
        if isinstance(part, dict)
        and part.get("type") == "text"
        and isinstance(part.get("text"), str)
    )
