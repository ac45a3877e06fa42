"""What a message holds besides text: images to look at, and chips for all else."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, replace

from django.template.defaultfilters import filesizeformat

from tracehub.core.media import Reference, read, told
from tracehub.core.trace import Json
from tracehub.traces.media.reading import PLAYED, SHOWN
from tracehub.web.trace_view.text import one_line, visible

CHIPS_AT_MOST = 20
INLINE_AT_MOST = 2_000_000  # characters of base64 of one part; the JSON holds larger ones
# Types whose data is handed to the browser, with what it begins with.
_SAVED = PLAYED | {"application/pdf": (b"%PDF-",)}
DRAWN_AT_MOST = 2_000_000  # bytes of a picture that is drawn unasked
_OTHER_NAMES = {"image/jpg": "image/jpeg", "audio/mp3": "audio/mpeg", "audio/x-wav": "audio/wav"}


@dataclass(slots=True, frozen=True)
class Chip:
    """A part that is no text: `image`, `image/png`, 12400 bytes.

    `source` is a data URL when the data is what its type says and the type may be opened; `shown`
    tells an image of a file to save. What was taken out on arrival has its `hash` instead, and
    `played` when it is a sound. `name` is the file's own, where the sender told it.
    """

    kind: str
    type: str = ""
    size: int | None = None
    where: str = ""
    source: str = ""
    shown: bool = False
    hash: str = ""
    played: bool = False
    name: str = ""


def parts(content: Json) -> tuple[str, list[Chip], str]:
    """Return the text, the other parts as chips, and the reasoning of a message's content."""
    chips: list[Chip] = []
    if isinstance(content, str):
        return _without_media(content, chips), chips, ""
    texts: list[str] = []
    reasoning: list[str] = []
    for part in content if isinstance(content, list) else []:
        if isinstance(part, str):
            texts.append(part)
        elif not isinstance(part, dict):
            texts.append(json.dumps(part, ensure_ascii=False))
        elif isinstance(part.get("text"), str):
            (reasoning if part.get("type") == "reasoning" else texts).append(part["text"])
        else:
            chips.append(replace(chip(part), name=one_line(str(part.get("filename", "")), 60)))
    texts = [_without_media(text, chips) for text in texts]
    return "\n\n".join(texts), chips[:CHIPS_AT_MOST], "\n\n".join(reasoning)


def _without_media(text: str, chips: list[Chip]) -> str:
    """Return a text with a word for each medium that was taken out of it, and a chip for it."""

    def word(found: Reference) -> str:
        chips.append(_aside("media", found, found.type))
        return f"[{found.type}, {filesizeformat(found.size)}]"

    return told(text, word)


def _aside(kind: str, found: Reference, mime: str) -> Chip:
    mime = _OTHER_NAMES.get(mime, mime)
    drawn = mime in SHOWN and found.size <= DRAWN_AT_MOST
    where = "kept apart from the trace"
    kind = mime.partition("/")[0] if kind == "media" else kind
    return Chip(kind, visible(mime)[:60], found.size, where, "", drawn, found.hash, mime in PLAYED)


def chip(part: dict[str, Json]) -> Chip:
    """Name a part. Nothing is fetched, and an address elsewhere is text."""
    data, uri = part.get("data"), part.get("uri")
    mime = str(part.get("mime_type") or "").lower()
    kind = visible(str(part.get("type") or "part"))[:40]
    named = read(data) or (read(uri.partition(",")[2]) if isinstance(uri, str) else None)
    if named is not None:
        return _aside(kind, named, named.type)
    where = ""
    if isinstance(uri, str) and uri[:5].lower() == "data:":
        head, _, data = uri[5:].partition(",")
        mime = mime or head.split(";")[0].lower()
        where = "in the message"
    elif isinstance(uri, str):
        where = one_line(uri, 80)
    size = len(data) * 3 // 4 if isinstance(data, str) else None
    if data is None and uri is None:
        size = len(json.dumps(part, ensure_ascii=False))
    mime = _OTHER_NAMES.get(mime, mime)
    source = _source(mime, data) if isinstance(data, str) else ""
    return Chip(kind, visible(mime)[:60], size, where, source, bool(source) and mime in SHOWN)


def _source(mime: str, data: str) -> str:
    """Return data of an allowed type as a data URL; "" when it is not what its type says."""
    begins = SHOWN.get(mime) or _SAVED.get(mime)
    if begins is None or len(data) > INLINE_AT_MOST:
        return ""
    try:
        raw = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return ""
    if not raw.startswith(begins):
        return ""
    return f"data:{mime};base64,{data}"
