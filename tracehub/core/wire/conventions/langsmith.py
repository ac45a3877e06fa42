"""LangSmith SDK in OTel mode: inputs and outputs are JSON in `gen_ai.prompt`, `.completion`."""

from __future__ import annotations

import re

from tracehub.core.trace import Json, Kind
from tracehub.core.wire.attributes import Attributes, Convention, Row
from tracehub.core.wire.documents import read_documents
from tracehub.core.wire.found import Found
from tracehub.core.wire.messages import looks_like_messages, read_messages, wrap
from tracehub.core.wire.responses import (
    Response,
    put_tokens,
    read_request,
    read_response,
    schema_asked,
    usage_tokens,
)
from tracehub.core.wire.validation import TRACEBACK
from tracehub.core.wire.values import object_of, parsed, provider_of, text_of, true_of, version_of

KINDS: dict[str, Kind] = {
    "llm": "llm",
    "tool": "tool",
    "retriever": "retriever",
    "embedding": "embedding",
    "chain": "chain",
    "prompt": "chain",
    "parser": "chain",
}
METADATA = "langsmith.metadata."
SESSIONS = ("session_id", "thread_id", "conversation_id")
NOT_PARAMETERS = frozenset(("model", "model_name", "messages", "input", "tools", "_type"))
PARAMETERS = NOT_PARAMETERS | frozenset(
    "stream stop temperature max_tokens max_completion_tokens top_p n seed tool_choice "
    "parallel_tool_calls response_format".split()
)
# `ValueError('amount must be number')`, then usually a traceback.
REPR = re.compile(r"([A-Za-z_][\w.]{0,200})\((['\"])(.{0,4000})\2,?\)", re.DOTALL)
ESCAPES = re.compile(r"\\([ntr'\"\\])")
# `Error: no booking`, then the stack.
JAVASCRIPT = re.compile(r"((?:[A-Z]\w{0,100})?Error): (.{1,4000}?)(?:\n\s+at |$)", re.DOTALL)
RAISED = re.compile(r"^([A-Za-z_][\w.]{0,200}): ", re.MULTILINE)  # beyond the indented frames
MAX_MESSAGE = 5_000


def kind_of(value: Json) -> Kind | None:
    return KINDS.get(value.lower(), "other") if isinstance(value, str) and value else None


def tags_of(value: Json) -> list[str] | None:
    """A comma-separated string."""
    if not isinstance(value, str):
        return None
    return [tag for item in value.split(",") if (tag := item.strip())] or None


ROWS: tuple[Row, ...] = (
    Row("kind", "langsmith.span.kind", kind_of),
    Row("tags", "langsmith.span.tags", tags_of),
    Row("provider", METADATA + "ls_provider", provider_of),
    Row("model_requested", METADATA + "ls_model_name", text_of),
    Row("prompt_name", METADATA + "lc_hub_repo", text_of),
    Row("prompt_version", METADATA + "lc_hub_commit_hash", text_of),
    Row("tool_version", METADATA + "tool_version", version_of),
    Row("streaming", "langsmith.request.streaming", true_of),
)


def read(span: Attributes) -> Found:
    found = span.take(ROWS)
    kind = found.get("kind")
    if (sent := span.get("gen_ai.prompt")) is not None:
        _input(parsed(sent), kind, found)
    if (sent := span.get("gen_ai.completion")) is not None:
        _output(parsed(sent), kind, found)
    if metadata := span.under(METADATA):
        _metadata(metadata, found)
    if parameters := object_of(span.get("langsmith.invocation_params")):
        found["parameters"] = {
            name: value
            for name, value in parameters.items()
            if value is not None and name not in NOT_PARAMETERS
        }
        if (schema := schema_asked(parameters)) is not None:
            found["output_schema"] = schema
    _events(span, found)
    return found


def _input(value: Json, kind: Kind | None, found: Found) -> None:
    if kind == "llm" and (messages := read_request(value)):
        found["input"] = wrap(messages)
    elif value is not None:
        found["input"] = value


def _output(value: Json, kind: Kind | None, found: Found) -> None:
    if kind == "retriever" and (documents := read_documents(value)):
        found["context"] = documents
    if not value or (value == {"output": None} and kind == "llm"):
        return  # a call that failed
    if kind == "llm":
        response = read_response(value)
        inner = value.get("output", value) if isinstance(value, dict) else value
        if response is not None:
            _response(response, found)
            return
        if isinstance(inner, str) or looks_like_messages(inner):
            found["output"] = wrap(read_messages(inner, "assistant"))
            return
    found["output"] = value


def _response(response: Response, found: Found) -> None:
    found["output"] = wrap(response.messages)
    if response.finish_reasons:
        found["finish_reasons"] = response.finish_reasons
    if response.model:
        found["model"] = response.model
    if response.response_id:
        found["response_id"] = response.response_id


def _metadata(metadata: dict[str, Json], found: Found) -> None:
    for key in SESSIONS:
        if session := text_of(metadata.get(key)):
            found["session"], found["session_rank"] = session, 2
            break
    if user := text_of(metadata.get("user_id")):
        found["user"] = user
    put_tokens(usage_tokens(object_of(metadata.get("usage_metadata"))), found)
    if (temperature := metadata.get("ls_temperature")) is not None:
        found["parameters"] = {"temperature": temperature}
    if found.get("kind") == "llm":  # LangChain repeats the parameters of a call there
        metadata = {key: item for key, item in metadata.items() if key not in PARAMETERS}
    found["metadata"] = metadata


def _events(span: Attributes, found: Found) -> None:
    """The first token, and the last exception.

    Its type is always `Exception`; the real one is in the repr that the message starts with.
    """
    for event in span.raw.events:
        if event["name"] == "new_token":
            found.setdefault("ttft_ns", max(0, event["time_ns"] - span.raw.start_ns))
        if event["name"] != "exception":
            continue
        message = event["attributes"].get("exception.message")
        if isinstance(message, str) and event["attributes"].get("exception.type") == "Exception":
            kind, text = error_of_repr(message)
            if kind is not None:
                found["error_type"], found["error_message"] = kind, text


def error_of_repr(message: str) -> tuple[str | None, str]:
    """Type and text out of `ValueError('…')` or `Error: …` and what follows; else type None.

    A repr that names no type (Pydantic's) is the text; the last line of the traceback has the type.
    """
    match = REPR.match(message[:MAX_MESSAGE])
    if match is not None:
        return match[1], unescaped(match[3])
    match = JAVASCRIPT.match(message[:MAX_MESSAGE])
    if match is not None:
        return match[1], match[2]
    text, traceback, lines = message.partition(f"\n\n{TRACEBACK}\n")
    raised = RAISED.search(lines.rpartition(f"{TRACEBACK}\n")[2]) if traceback else None
    return (raised[1], text) if raised is not None else (None, message)


def unescaped(text: str) -> str:
    """Text out of a repr: its line ends and quotes as they were."""
    if "\\" not in text:
        return text
    return ESCAPES.sub(
        lambda match: {"n": "\n", "t": "\t", "r": "\r"}.get(match[1], match[1]), text
    )


CONVENTION = Convention("langsmith", ("langsmith.",), read)
