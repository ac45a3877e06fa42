"""Request bodies under a bound: counted as they come in and again as they inflate."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from tracehub.ingest.errors import Refused

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
MB = 1024 * 1024
DRAIN_BYTES = 64 * MB  # of a refused body are read and thrown away, so that the sender sees why
DRAIN_SECONDS = 2.0
_STEP = 256 * 1024


class Disconnected(Exception):
    """The sender went away before its body was complete."""


async def read(receive: Receive, headers: Mapping[str, str], limit: int) -> bytes:
    """Return the body as sent. Raises Refused (413) above `limit` bytes, announced or counted."""
    announced = headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        raise _too_large(int(announced), limit)
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise _too_large(size, limit)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


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


async def inflate(body: bytes, encoding: str, limit: int) -> bytes:
    """Return the body without its Content-Encoding. Raises Refused (400, 413, 415).

    Counts as it goes: 1 MB of gzip can hold 1 GB. Lets other requests run between steps.
    """
    if encoding in {"", "identity"}:
        return body
    if encoding != "gzip":
        raise Refused(
            415,
            f"Content-Encoding must be gzip or absent. Got {encoding[:40]!r}.",
            "Content-Encoding",
        )
    out: list[bytes] = []
    size, rest = 0, body
    try:
        while rest:  # a gzip body may hold several members
            engine = zlib.decompressobj(31)
            data = rest
            while not engine.eof:
                part = engine.decompress(data, _STEP)
                size += len(part)
                if size > limit:
                    raise Refused(
                        413,
                        f"The body may hold {limit // MB} MB after decompression. It holds more.",
                        close=True,
                    )
                out.append(part)
                data = engine.unconsumed_tail
                if not part and not data and not engine.eof:
                    raise Refused(
                        400, "The gzip body ends too early. Send it whole.", "Content-Encoding"
                    )
                if size > _STEP:
                    await asyncio.sleep(0)
            rest = engine.unused_data
    except zlib.error as error:
        raise Refused(400, f"The body is not valid gzip ({error}).", "Content-Encoding") from None
    return b"".join(out)


def _too_large(size: int, limit: int) -> Refused:
    return Refused(
        413,
        f"The body may hold {limit // MB} MB as sent. Got {size / MB:.1f} MB or more."
        " Send smaller batches.",
        "Content-Length",
        close=True,
    )
