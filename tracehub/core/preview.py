"""The beginning of a payload as one line of text, for lists."""

from __future__ import annotations

from typing import Any

import orjson

Json = Any
LIMIT = 400  # characters of an input: traces alike are told by them
SHORT = 200  # of an output


def text_of(message: Json) -> str:
    """Return the text parts of a message, or the names of its tool calls when it has no text."""
    parts = message.get("content") or []
    texts = [str(part.get("text", "")) for part in parts if isinstance(part, dict)]
    text = "\n".join(t for t in texts if t)
    if text:
        return text
    calls = message.get("tool_calls") or []
    return " ".join(
        f"{call.get('name')}({orjson.dumps(call.get('arguments')).decode()})" for call in calls
    )


def _messages(value: Json) -> list[Json] | None:
    if isinstance(value, dict) and isinstance(value.get("messages"), list):
        return [message for message in value["messages"] if isinstance(message, dict)]
    return None


def last_user_message(value: Json) -> Json:
    """Return the text of the last user message of a chat input, else the value itself.

    >>> last_user_message({"messages": [{"role": "user", "content": [{"text": "Hi"}]}]})
    'Hi'
    """
    messages = _messages(value)
    if not messages:
        return value
    users = [message for message in messages if message.get("role") == "user"]
    return text_of((users or messages)[-1])


def plain(value: Json) -> Json:
    """Return what a person would call input or output: the last message's text, or the value."""
    messages = _messages(value)
    return text_of(messages[-1]) if messages else value


def preview(value: Json, limit: int = LIMIT) -> str | None:
    """Return the first characters of a payload; JSON stays JSON, white space is folded.

    >>> preview({"refund": {"amount": 418.6}})
    '{"refund":{"amount":418.6}}'
    >>> preview("  two\\nlines ")
    'two lines'
    """
    text = folded(value, 4 * limit)
    return text if text is None or len(text) <= limit else text[: limit - 1] + "…"


def folded(value: Json, limit: int) -> str | None:
    """Return the first `limit` characters of a payload as one line; None for no payload.

    >>> folded({"messages": [{"role": "user", "content": [{"text": "Hi  there"}]}]}, 5)
    'Hi t'
    """
    value = plain(value)
    if value is None:
        return None
    if not isinstance(value, str):
        value = orjson.dumps(value).decode()
    return " ".join(value[:limit].split())


def told(value: Json) -> Json:
    """Return an input or output as the API tells it: a text that is a JSON object or list as JSON.

    >>> told('{"refund": null}'), told("{broken"), told("418.60")
    ({'refund': None}, '{broken', '418.60')
    """
    if isinstance(value, str) and value[:1] in {"{", "["}:
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value
