"""Pictures, sounds and documents inside texts: taken out on arrival, named by a reference.

What comes as base64 and is what it seems to be (a data URL, or bytes that begin as its type does)
is replaced in place by `mediaref:TYPE;size=BYTES;sha256=HEX`, wherever it stands: a part of a
message, an attribute, JSON inside a string. So whoever reads a span reads a short text.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from hashlib import sha256
from typing import Any, NamedTuple

Json = Any
LEAST = 4096  # characters of base64 that are worth a reference
MISSES = 10_000
# What the bytes of a type begin with. The first fit counts; RIFF says in bytes 8 to 12 what it is.
BEGINS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"ID3", "audio/mpeg"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"%PDF-", "application/pdf"),
    (b"\x1aE\xdf\xa3", "video/webm"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
_PLAIN = frozenset({int, float, bool, type(None)})
_SHARED = frozenset({"resource", "scope"})  # between spans of a batch: never changed
_DATA = ";base64,"
# The same beginnings in base64, as far as whole characters know them.
_HEADS = ("iVBORw0KGg", "/9j/", "R0lGOD", "SUQz", "T2dnU", "ZkxhQ", "JVBERi", "GkXfo", "UklGR")
_RUN = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_TYPE = re.compile(
    r"data:([a-z0-9.+-]{1,40}/[a-z0-9.+-]{1,80})(?:;[a-z0-9=.+-]{1,80}){0,3}\Z", re.I
)
_LEAD = "mediaref:"
_LEAD_BYTES = _LEAD.encode()
_REFERENCE = re.compile(
    r"mediaref:([\w.+-]{1,40}/[\w.+-]{1,80});size=(\d{1,12});sha256=([0-9a-f]{64})"
)
_WITH_URL = re.compile(rf"(?:data:[^\s,\"]{{0,200}};base64,)?{_REFERENCE.pattern}")


class Media(NamedTuple):
    """A thing that was taken out; `type` is what was said of it, or what it begins like."""

    hash: bytes
    type: str
    body: bytes


class Reference(NamedTuple):
    """What stands in its place. `size` in bytes, `hash` in hex."""

    type: str
    size: int
    hash: str

    def __str__(self) -> str:
        return f"{_LEAD}{self.type};size={self.size};sha256={self.hash}"


@dataclass(slots=True)
class Aside:
    """Takes media out of values: `found` is what was taken, `named` every hash spoken of."""

    found: dict[bytes, Media] = field(default_factory=dict)
    named: set[bytes] = field(default_factory=set)
    _known: dict[str, str] = field(default_factory=dict)  # long texts come again in other fields

    def take(self, record: Any) -> bool:
        """Take media out of a record or JSON in place: long strings in dicts, lists and fields.

        Tells whether anything was replaced.
        """
        replaced = False
        waiting: list[Any] = [record]
        while waiting:
            node = waiting.pop()
            for place, value in _places(node):
                if value.__class__ is str:
                    if len(value) >= LEAST or _LEAD in value:
                        short = self.text(value)
                        if short is not value:
                            _put(node, place, short)
                            replaced = True
                elif value.__class__ not in _PLAIN:
                    waiting.append(value)
        return replaced

    def text(self, text: str) -> str:
        """Return a text with a reference for each medium in it."""
        short = self._known.get(text)
        if short is None:
            short = self._known[text] = self._taken(text) if len(text) >= LEAST else text
        self.named |= {bytes.fromhex(one.hash) for one in references(short)}
        return short

    def _taken(self, text: str) -> str:
        parts: list[str] = []
        done = 0
        for start, end, said in _runs(text):
            medium = _medium(text[start:end], said)
            if medium is not None:
                self.found[medium.hash] = medium
                name = Reference(medium.type, len(medium.body), medium.hash.hex())
                parts += (text[done:start], str(name))
                done = end
        return "".join((*parts, text[done:])) if done else text


def possible(text: bytes) -> bool:
    """Tell whether a record may hold media or references, by its JSON text: most hold neither."""
    return len(text) >= LEAST or _LEAD_BYTES in text


def references(text: str) -> Iterator[Reference]:
    """Yield the media that a text names."""
    if _LEAD in text:
        for found in _REFERENCE.finditer(text):
            yield Reference(found[1], int(found[2]), found[3])


def read(text: Json) -> Reference | None:
    """Return the medium that a text stands for, and nothing else.

    >>> read("mediaref:image/png;size=9;sha256=" + "0" * 64).size
    9
    """
    found = _REFERENCE.fullmatch(text) if isinstance(text, str) else None
    return Reference(found[1], int(found[2]), found[3]) if found else None


def told(text: str, tell: Callable[[Reference], str]) -> str:
    """Return a text with `tell` in the place of each reference, a data URL around it included."""
    if _LEAD not in text:
        return text
    return _WITH_URL.sub(lambda m: tell(Reference(m[1], int(m[2]), m[3])), text)


def whole(text: str, body: Callable[[Reference], bytes | None]) -> str:
    """Return a text as it came, with the bytes that `body` knows in base64 again."""

    def put(match: re.Match[str]) -> str:
        found = body(Reference(match[1], int(match[2]), match[3]))
        return match[0] if found is None else base64.b64encode(found).decode("ascii")

    return _REFERENCE.sub(put, text) if _LEAD in text else text


def put_back(record: Any, body: Callable[[Reference], bytes | None]) -> None:
    """Put media back into JSON, in place, as far as `body` knows them."""
    waiting: list[Any] = [record]
    while waiting:
        node = waiting.pop()
        for place, value in _places(node):
            if value.__class__ is str:
                if _LEAD in value:
                    _put(node, place, whole(value, body))
            elif value.__class__ not in _PLAIN:
                waiting.append(value)


def _runs(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield where base64 may stand, with the type that a data URL says.

    Linear in the text, and given up after MISSES places that only look like a beginning.
    """
    misses = 0
    heads = {head: text.find(head) for head in (_DATA, *_HEADS)}
    done = 0
    while misses < MISSES and (heads := {head: at for head, at in heads.items() if at >= 0}):
        head, at = min(heads.items(), key=lambda one: one[1])
        if at < done:
            heads[head] = text.find(head, done)
            continue
        said, start = "", at
        if head == _DATA:
            start = at + len(_DATA)
            found = _TYPE.search(text[max(0, at - 300) : at])
            said = found[1].lower() if found else ""
        end = _end(text, start)
        apart = head == _DATA or at == 0 or not (text[at - 1].isalnum() or text[at - 1] in "+/")
        if apart and end - start >= LEAST:
            yield start, end, said
        else:
            misses += 1
        done = max(end, at + 1)
        heads[head] = text.find(head, done)


def _end(text: str, start: int) -> int:
    found = _RUN.match(text, start)
    return found.end() if found else start


def _medium(run: str, said: str) -> Media | None:
    """Return what a run of base64 holds, when that is what was said, or known by its beginning."""
    try:
        body = base64.b64decode(run + "=" * (-len(run) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    kind = said or _sniffed(body)
    return Media(sha256(body).digest(), kind, body) if kind else None


def _sniffed(body: bytes) -> str:
    if body.startswith(b"RIFF"):
        return _RIFF.get(body[8:12], "")
    return next((kind for begins, kind in BEGINS if body.startswith(begins)), "")


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    if node.__class__ is dict:
        yield from list(node.items())
    elif node.__class__ is list:
        yield from enumerate(node)
    elif is_dataclass(node):
        for one in fields(node):
            if one.name not in _SHARED:
                yield one.name, getattr(node, one.name)


def _put(node: Any, place: Any, text: str) -> None:
    if node.__class__ in (dict, list):
        node[place] = text
    else:
        setattr(node, place, text)
