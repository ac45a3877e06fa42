"""Request bodies under a bound: counted as they come in and again as they inflate."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from io import BytesIO
from typing import Any

import zstandard

from tracehub.ingest.errors import Refused

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
MB = 1024 * 1024
DRAIN_BYTES = 64 * MB  # of a refused body are read and thrown away, so that the sender sees why
DRAIN_SECONDS = 2.0
COUNT_FROM = 16 * MB  # of an inflated body
_STEP = 256 * 1024
_FEED = 16 * 1024  # of a gzip body at once: what is left over is copied at every step
_WINDOW = 8 * MB  # of zstd, as RFC 8878 asks of those who read it
_SIP = 64  # bytes of a zstd body at once: 16 blocks, which hold 2 MB at the most


class Disconnected(Exception):
    """The sender went away before its body was complete."""


async def read(receive: Receive, limit: int) -> bytes:
    """Return the body as sent. Raises Refused (413) as soon as `limit` bytes are exceeded."""
    out = BytesIO()  # unlike a list of parts, never there twice
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise too_large(size, limit)
        out.write(part)
        if not message.get("more_body", False):
            return out.getvalue()


async def drain(receive: Receive) -> None:
    """Read on after a refusal, bounded, and throw it away."""
    loop = asyncio.get_running_loop()
    end, size = loop.time() + DRAIN_SECONDS, 0
    while size < DRAIN_BYTES:
        try:
            message = await asyncio.wait_for(receive(), max(0.0, end - loop.time()))
        except TimeoutError:
            return
        size += len(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return


def check_encoding(encoding: str) -> None:
    """Raise Refused (415) for a Content-Encoding that is not taken."""
    if encoding not in {"", "identity", *_PARTS}:
        raise Refused(
            415,
            f"Content-Encoding must be {', '.join(_PARTS)} or absent. Got {encoding[:40]!r}.",
            "Content-Encoding",
        )


async def inflate(body: bytes, encoding: str, limit: int) -> bytes:
    """Return the body without its Content-Encoding. Raises Refused (400, 413).

    1 MB of gzip can hold 1 GB: what is larger than COUNT_FROM is counted to its end before more
    of it is kept. Lets other requests run between steps.
    """
    if encoding not in _PARTS:
        return body
    out = BytesIO()
    counted = False
    try:
        for part in _PARTS[encoding](body):
            out.write(part)
            if out.tell() > limit:
                raise _unfolds(limit)
            if out.tell() > COUNT_FROM and not counted:
                await _count(_PARTS[encoding](body), limit)
                counted = True
            if out.tell() > _STEP:
                await asyncio.sleep(0)
    except (zlib.error, zstandard.ZstdError) as error:
        raise Refused(
            400, f"The body is not valid {encoding} ({error}).", "Content-Encoding"
        ) from None
    return out.getvalue()


def _gzip(body: bytes) -> Iterator[bytes]:
    """Yield what a gzip body of one or more members holds. Raises zlib.error, Refused."""
    engine = zlib.decompressobj(31)
    source = memoryview(body)
    at = 0
    while at < len(source) or engine.unconsumed_tail:
        if engine.eof:
            engine = zlib.decompressobj(31)
        data = engine.unconsumed_tail or bytes(source[at : at + _FEED])
        at += 0 if engine.unconsumed_tail else len(data)
        yield engine.decompress(data, _STEP)
        at -= len(engine.unused_data)
    if not engine.eof:
        raise _cut("gzip")


def _zstd(body: bytes) -> Iterator[bytes]:
    """Yield what a zstd body of one or more frames holds. Raises zstandard.ZstdError, Refused."""
    reader = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
    engine = reader.decompressobj()
    source = memoryview(body)
    at = 0
    parts = BytesIO()
    while at < len(source):
        if engine.eof:
            engine = reader.decompressobj()
        data = source[at : at + _SIP]
        parts.write(engine.decompress(data))
        at += len(data) - len(engine.unused_data)
        if parts.tell() > _STEP:
            yield parts.getvalue()
            parts = BytesIO()
    yield parts.getvalue()
    if not engine.eof:
        raise _cut("zstd")


_PARTS: dict[str, Callable[[bytes], Iterator[bytes]]] = {"gzip": _gzip, "zstd": _zstd}


async def _count(parts: Iterator[bytes], limit: int) -> None:
    size = 0
    for part in parts:
        size += len(part)
        if size > limit:
            raise _unfolds(limit)
        await asyncio.sleep(0)


def _unfolds(limit: int) -> Refused:
    return Refused(
        413,
        f"The body may hold {limit // MB} MB after decompression. It holds more.",
        close=True,
    )


def _cut(encoding: str) -> Refused:
    return Refused(400, f"The {encoding} body ends too early. Send it whole.", "Content-Encoding")


def too_large(size: int, limit: int) -> Refused:
    """Return the refusal of a body of `size` bytes or more."""
    return Refused(
        413,
        f"The body may hold {limit // MB} MB as sent. Got {size / MB:.1f} MB or more."
        " Send smaller batches.",
        "Content-Length",
        close=True,
    )
