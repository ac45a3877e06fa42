"""What was received, packed beside its normalised content without storing the text twice.

Most of a span is text that is in `content` as well. In the received JSON each such text is replaced
by a reference to it, and the rest (names and numbers) is compressed with a dictionary of attribute
names. Unpacking puts the very same bytes back. docs/design/storage.md has the sizes.

A reference is a control byte that says how the text is escaped, its number, and NUL; JSON text
holds no raw control byte, so nothing else can look like one. The rules here, the word list
included, are part of the stored form: a change needs another VERSION, and old ones stay readable.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import orjson
import zstandard

Json = Any
VERSION = b"\x01"
MAX_RECEIVED = 64 * 1024 * 1024
MIN_TEXT = 24  # characters; a shorter text is hardly worth its reference
MAX_TEXTS = 64  # of one span are referred to, the longest
HEAD = 32  # bytes of a text that are looked for first
MAX_MISSED = 16  # places where only the head fits
MAX_SCANNED = 256 * 1024 * 1024  # bytes looked through for the texts of one span
LEVEL = 3  # 1 saves 1 us a span and costs 4 % more space

_words = files("tracehub.core").joinpath("packing_words_1.txt").read_bytes()
_dictionary = zstandard.ZstdCompressionDict(_words, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
_dictionary.precompute_compress(level=LEVEL)
_pack = zstandard.ZstdCompressor(level=LEVEL, dict_data=_dictionary, write_dict_id=False).compress
_unpack = zstandard.ZstdDecompressor(dict_data=_dictionary).decompress
_compress = zstandard.ZstdCompressor(level=LEVEL).compress
_decompress = zstandard.ZstdDecompressor().decompress
_REFERENCE = re.compile(rb"([\x01-\x03])(\d+)\x00")


def compress(text: bytes) -> bytes:
    """Return zstd of a text that stands alone."""
    return _compress(text)


def decompress(stored: bytes) -> bytes:
    """Return what `compress` took."""
    return _decompress(stored, max_output_size=MAX_RECEIVED)


def pack(received: bytes, content: dict[str, Json]) -> bytes:
    """Return JSON text of what was received, smaller by the texts that `content` holds."""
    left = MAX_SCANNED
    for number, text in enumerate(_texts(content)):
        left -= len(received)
        if left < 0:
            break
        for kind, form in _forms(text):
            shorter = _replace(received, form, b"%c%d\x00" % (kind, number))
            if shorter is not received:
                received = shorter
                break
    return VERSION + _pack(received)


def _replace(received: bytes, form: bytes, reference: bytes) -> bytes:
    """`received.replace(form, reference)`, or `received` itself where there is nothing to replace.

    Looks for a short head of the form first: `replace` prepares a table for each long text, which
    takes longer than to look for it once.
    """
    head = form[:HEAD]
    parts: list[bytes] = []
    done = missed = 0
    at = received.find(head)
    while at >= 0 and missed < MAX_MISSED:
        if received.startswith(form, at):
            parts += (received[done:at], reference)
            done = at + len(form)
            at = received.find(head, done)
        else:
            missed += 1
            at = received.find(head, at + 1)
    if at >= 0:  # a text that begins like many others: in linear time, whatever was sent
        shorter = received.replace(form, reference)
        return shorter if len(shorter) != len(received) else received
    return b"".join((*parts, received[done:])) if done else received


def unpack(stored: bytes, content: dict[str, Json]) -> bytes:
    """Return what `pack` took. Raises ValueError when the content is not the one it was given."""
    if stored[:1] != VERSION:
        raise ValueError(f"stored.raw must begin with {VERSION!r}. Got {stored[:1]!r}.")
    received = _unpack(stored[1:], max_output_size=MAX_RECEIVED)
    if b"\x00" not in received:
        return received
    texts = _texts(content)

    def text(match: re.Match[bytes]) -> bytes:
        kind, number = match[1][0], int(match[2])
        if number >= len(texts):
            raise ValueError(f"stored.raw refers to text {number}; content has {len(texts)}.")
        return dict(_forms(texts[number]))[kind]

    return _REFERENCE.sub(text, received)


def _texts(content: dict[str, Json]) -> list[str]:
    """Return the longest texts of a content, in an order that jsonb cannot change."""
    found: list[str] = []
    waiting: list[Any] = [content]
    while waiting:
        node = waiting.pop()
        for value in node.values() if node.__class__ is dict else node:
            kind = value.__class__
            if kind is str:
                if len(value) >= MIN_TEXT:
                    found.append(value)
            elif kind is dict or kind is list or kind is tuple:
                waiting.append(value)
    # By length alone first: comparing texts is for ties.
    return sorted(set(found), key=lambda text: (-len(text), text))[:MAX_TEXTS]


def _forms(text: str) -> Iterator[tuple[int, bytes]]:
    """Yield how a text looks in JSON; in JSON inside a string; in Python's ASCII JSON in there."""
    once = orjson.dumps(text)[1:-1]
    yield 1, once
    if b"\\" in once:
        yield 2, orjson.dumps(once.decode())[1:-1]
    if not text.isascii():
        yield 3, orjson.dumps(json.dumps(text)[1:-1])[1:-1]
