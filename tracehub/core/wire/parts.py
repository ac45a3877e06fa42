"""Content parts of chat messages: text, pictures, sound, documents, reasoning, tool use.

Parts that no reader here knows pass through unchanged.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from tracehub.core.trace import Json
from tracehub.core.wire.values import list_of

Part = dict[str, Json]
MEDIA = ("image", "audio", "document", "video")
# Addresses, and what Langfuse leaves where its own store took the bytes.
REFERENCES = ("http://", "https://", "gs://", "s3://", "file:", "@@@langfuseMedia:")


def read_part(part: Json) -> Part | None:
    """One part in the shape of docs/reference/api.md; None when there is nothing in it."""
    if part.__class__ is str:
        return {"type": "text", "text": part} if part else None
    if not isinstance(part, dict):
        return {"type": "text", "text": str(part)}
    kind = part.get("type")
    read = _READERS.get(kind) if isinstance(kind, str) else None
    if read is not None:
        return _with_name(read(part), part)
    if kind is None:
        return _untyped(part)
    return part


def _text(part: Part) -> Part | None:
    text = part.get("text", part.get("content"))
    if isinstance(text, dict):  # OpenAI assistants: {"value", "annotations"}
        text = text.get("value")
    if not isinstance(text, str):
        return part if text is not None else None
    return {"type": "text", "text": text} if text else None


def _reasoning(part: Part) -> Part | None:
    for key in ("text", "content", "thinking", "reasoning"):
        if isinstance(text := part.get(key), str) and text:
            return {"type": "reasoning", "text": _summary(text) or text}
    return part


def _summary(text: str) -> str:
    """OpenAI's summary of its reasoning, a list of parts, where it came as JSON text."""
    if not text.startswith('[{"'):
        return ""
    parts = [part.get("text") for part in list_of(text) if isinstance(part, dict)]
    return "\n".join(part for part in parts if isinstance(part, str))


def _refusal(part: Part) -> Part | None:
    text = part.get("refusal") or part.get("text") or part.get("content") or ""
    return {"type": "refusal", "text": str(text)}


def refusal_of(item: Part) -> Part | None:
    """The refusal of an OpenAI message, which stands beside its empty content; also LangChain's."""
    extra = item.get("additional_kwargs")
    text = item.get("refusal") or (extra.get("refusal") if isinstance(extra, dict) else None)
    return {"type": "refusal", "text": text} if isinstance(text, str) and text else None


def _medium(kind: str, source: Json, mime: Json = None) -> Part:
    """A picture or the like from a URL, a data URL or base64 text."""
    result: Part = {"type": kind}
    if isinstance(source, dict):
        source = _base64(source)
    if isinstance(source, str):
        if source.startswith("data:") and ";base64," in source[:200]:
            header, _, data = source.partition(";base64,")
            result["data"], mime = data, mime or header[5:]
        elif source.startswith(REFERENCES):
            result["uri"] = source
        else:
            result["data"] = source
    if isinstance(mime, str):
        result["mime_type"] = mime
    return result


def _base64(value: dict[str, Json]) -> str | None:
    """Bytes as JavaScript prints them: `{"0": 137, "1": 80}` or `{"type": "Buffer", "data"}`."""
    numbers = value.get("data") if value.get("type") == "Buffer" else list(value.values())
    try:
        return base64.b64encode(bytes(numbers)).decode() if isinstance(numbers, list) else None
    except (TypeError, ValueError):
        return None


def _with_name(read: Part | None, part: Part) -> Part | None:
    """The part as read, with the name of the file, which no reader looks for."""
    if read is None or read is part or read["type"] not in MEDIA:
        return read
    inner = part.get("file")
    for place in (part, inner if isinstance(inner, dict) else {}):
        for key in ("filename", "file_name", "fileName", "title"):
            if isinstance(name := place.get(key), str) and name:
                return {**read, "filename": name}
    return read


def _kind_of(part: Part, default: str) -> str:
    """What a part of unknown kind holds, from `modality` or the MIME type."""
    if part.get("modality") in MEDIA:
        return str(part["modality"])
    mime = part.get("mime_type", part.get("mediaType", part.get("media_type")))
    head = mime.partition("/")[0] if isinstance(mime, str) else ""
    return head if head in MEDIA else ("document" if head in ("text", "application") else default)


def _mime(part: Part) -> Json:
    for key in ("mime_type", "mediaType", "media_type", "mimeType"):
        if part.get(key) is not None:
            return part[key]
    return None


def _image_url(part: Part) -> Part | None:
    url = part.get("image_url", part.get("image"))
    return _medium("image", url.get("url") if isinstance(url, dict) else url)


def _image(part: Part) -> Part | None:
    if "uri" in part:
        return part
    source = part.get("source")
    if isinstance(source, dict):  # Anthropic
        return _medium("image", source.get("url", source.get("data")), source.get("media_type"))
    value = part.get("image", part.get("image_url", part.get("url", part.get("data"))))
    if isinstance(value, dict) and "0" not in value and value.get("type") != "Buffer":
        # OpenInference: image.image.url; Bedrock: source.bytes
        value = value.get("url", value.get("image", value.get("source")))
        value = value.get("url") if isinstance(value, dict) else value
    if value is None:
        value = part.get("content")
    return _medium("image", value, _mime(part)) if value is not None else part


def _audio(part: Part) -> Part | None:
    inner = part.get("input_audio", part.get("audio", part))
    if not isinstance(inner, dict):
        return part
    mime = f"audio/{inner['format']}" if isinstance(inner.get("format"), str) else _mime(inner)
    data = inner.get("data", inner.get("url", inner.get("content")))
    return _medium("audio", data, mime) if data is not None else part


def _blob(part: Part) -> Part | None:
    data = part.get("content", part.get("data", part.get("file")))
    return {**_medium(_kind_of(part, "document"), None, _mime(part)), "data": data}


def _uri(part: Part) -> Part | None:
    source, kind = part.get("uri", part.get("url")), _kind_of(part, "document")
    if isinstance(source, str) and source.startswith("data:"):
        return _medium(kind, source, _mime(part))
    return {**_medium(kind, None, _mime(part)), "uri": source}


def _file(part: Part) -> Part | None:
    if "file_id" in part:
        return {
            **_medium(_kind_of(part, "document"), None, _mime(part)),
            "file_id": part["file_id"],
        }
    source = part.get("source")
    if isinstance(source, dict) and isinstance(source.get("data", source.get("url")), str):
        return _anthropic(source)
    inner = part.get("file")
    part = inner if isinstance(inner, dict) else part
    keys = ("file_data", "data", "url", "file_url")
    data = next((part[key] for key in keys if part.get(key) is not None), None)
    return _medium(_kind_of(part, "document"), data, _mime(part)) if data is not None else part


def _anthropic(source: Part) -> Part | None:
    """A document, or its plain text."""
    data = source.get("data", source.get("url"))
    if source.get("type") == "text":
        return _text({"text": data})
    return _medium("document", data, source.get("media_type"))


def _untyped(part: Part) -> Part | None:
    """Bedrock Converse and Gemini name the kind by the key."""
    if isinstance(text := part.get("text"), str):
        return {"type": "reasoning" if part.get("thought") is True else "text", "text": text}
    if isinstance(inline := part.get("inlineData", part.get("inline_data")), dict):
        return {
            **_medium(_kind_of(inline, "document"), None, _mime(inline)),
            "data": inline.get("data"),
        }
    if isinstance(reasoning := part.get("reasoningContent"), dict):
        inner = reasoning.get("reasoningText")
        return _reasoning(inner) if isinstance(inner, dict) else part
    return part or None


_READERS: dict[str, Callable[[Part], Part | None]] = {
    "text": _text,
    "input_text": _text,
    "output_text": _text,
    "reasoning": _reasoning,
    "thinking": _reasoning,
    "refusal": _refusal,
    "image": _image,
    "image_url": _image_url,
    "input_image": _image_url,
    "input_audio": _audio,
    "audio": _audio,
    "blob": _blob,
    "uri": _uri,
    "file": _file,
    "input_file": _file,
    "document": _file,
}


def _nested(key: str, call_id: str, name: str, arguments: str) -> Callable[[Any], tuple[Json, ...]]:
    def read(part: Any) -> tuple[Json, ...]:
        inner = part[key] if isinstance(part.get(key), dict) else {}
        return inner.get(call_id), inner.get(name), inner.get(arguments)

    return read


# How each client writes a tool call among the parts: -> (id, name, arguments).
TOOL_CALLS: tuple[tuple[str, Callable[[Any], tuple[Json, ...]]], ...] = (
    ("tool_call", lambda p: (p.get("id"), p.get("name"), p.get("arguments"))),
    ("tool_use", lambda p: (p.get("id"), p.get("name"), p.get("input"))),
    (
        "tool-call",
        lambda p: (p.get("toolCallId"), p.get("toolName"), p.get("input", p.get("args"))),
    ),
    ("toolUse", _nested("toolUse", "toolUseId", "name", "input")),
    ("functionCall", _nested("functionCall", "id", "name", "args")),
    ("function_call", _nested("function_call", "id", "name", "args")),
)
# And a tool's answer: -> (id of the call, value).
TOOL_RESULTS: tuple[tuple[str, Callable[[Any], tuple[Json, Json]]], ...] = (
    ("tool_call_response", lambda p: (p.get("id"), p.get("response", p.get("result")))),
    ("tool_result", lambda p: (p.get("tool_use_id"), p.get("content"))),
    ("tool-result", lambda p: (p.get("toolCallId"), p.get("output", p.get("result")))),
    ("toolResult", lambda p: _pair(p.get("toolResult"), "toolUseId", "content")),
    ("functionResponse", lambda p: _pair(p.get("functionResponse"), "id", "response")),
    ("function_response", lambda p: _pair(p.get("function_response"), "id", "response")),
)


def _pair(inner: Json, call_id: str, value: str) -> tuple[Json, Json]:
    return (inner.get(call_id), inner.get(value)) if isinstance(inner, dict) else (None, inner)
