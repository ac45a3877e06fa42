"""What a tool span ran, out of the wrappers that libraries put around arguments and results."""

from __future__ import annotations

from tracehub.core.trace import Json, Span, ToolUse
from tracehub.core.wire.found import Found
from tracehub.core.wire.messages import result_text
from tracehub.core.wire.values import literal_of, parsed


def tool_of(span: Span, found: Found) -> ToolUse:
    """What the span says of its tool, which without a name of its own is called like the span."""
    arguments = found.get("tool_arguments")
    if arguments is None or _has(arguments, "input_str", "metadata"):
        arguments = arguments_of(span.input if arguments is None else arguments)
    result = found.get("tool_result")
    if result is None or _has(result, "output", "kwargs"):
        result = result_of(span.output if result is None else result)
    return ToolUse(
        found.get("tool_name") or span.name,
        found.get("tool_call_id"),
        arguments,
        result,
        found.get("tool_description"),
        found.get("tool_version"),
    )


def _has(value: Json, *keys: str) -> bool:
    """Whether a value is the wrapper that OpenLLMetry keeps of LangChain's callbacks."""
    return isinstance(value, dict) and all(key in value for key in keys)


def arguments_of(value: Json) -> Json:
    """Arguments without the wrapper of Langfuse, Traceloop, smolagents or LangChain.

    >>> arguments_of({"args": [], "kwargs": {"pnr": "X7K2QD"}})
    {'pnr': 'X7K2QD'}
    """
    value = _literal(parsed(value))
    if not isinstance(value, dict):
        return value
    keys = value.keys()
    if {"args", "kwargs"} <= keys and len(keys) <= 3:
        args, kwargs = value["args"], value["kwargs"]
        if not args:
            return kwargs
        if not kwargs:
            return args[0] if isinstance(args, list) and len(args) == 1 else args
        return value
    if "input_str" in keys:
        inputs = value.get("inputs")
        return inputs if inputs is not None else arguments_of(value["input_str"])
    return value


def result_of(value: Json) -> Json:
    """A result without LangChain's message around it, parsed where it is JSON."""
    value = parsed(value)
    if isinstance(value, dict):
        if value == {"output": None}:  # LangSmith, of a tool that failed
            return None
        inner = value.get("output") if value.keys() <= {"output", "kwargs"} else value
        if isinstance(inner, dict):
            value = _message_content(inner, value)
        elif inner is not None:
            value = inner
    if isinstance(value, list) and value and all(_is_text_part(part) for part in value):
        value = result_text(value)
    return parsed(value)


def _message_content(inner: dict[str, Json], default: Json) -> Json:
    for key in ("data", "kwargs"):
        data = inner.get(key)
        if isinstance(data, dict) and "content" in data:
            return data["content"]
    if "content" in inner and ("tool_call_id" in inner or inner.get("type") == "tool"):
        return inner["content"]
    return default


def _is_text_part(part: Json) -> bool:
    return isinstance(part, dict) and "text" in part and part.keys() <= {"type", "text"}


def _literal(value: Json) -> Json:
    """LangChain's tools send the repr of a dict; literals only, nothing is run."""
    if not isinstance(value, str) or not value.startswith("{'"):
        return value
    result = literal_of(value)
    is_plain = isinstance(result, dict) and all(
        isinstance(key, str) and isinstance(item, str | int | float | bool | None)
        for key, item in result.items()
    )
    return result if is_plain else value
