"""How many bytes of bodies are in memory at once: a large one waits its turn before it is read.

A body that is not read stays in the sender's socket, for uvicorn stops reading at 64 KB. What has
waited WAIT_SECONDS in vain is told to come again, so that no sender runs into its own timeout.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from tracehub.ingest import body
from tracehub.ingest.errors import Refused, busy

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
SMALL = 64 * 1024  # bytes that every connection may hold without asking
LARGE = body.MB  # beyond it bodies are decoded one at a time
ROOM = 24 * body.MB
WAIT_SECONDS = 3.0
TURN_SECONDS = 8.0  # for the bodies before it to be decoded and stored


class Admission:
    """The room for bodies in one process, and the turn of the large ones."""

    def __init__(self, limit: int) -> None:
        self.free = max(ROOM, limit)
        self.limit = limit
        self._changed = asyncio.Condition()
        self._turn = asyncio.Semaphore(1)

    @asynccontextmanager
    async def body(self, receive: Receive, headers: Mapping[str, str]) -> AsyncIterator[bytes]:
        """Give the body as sent, once there is room. Raises Refused (413, 503)."""
        announced = headers.get("content-length", "")
        size = int(announced) if announced.isdigit() else self.limit
        if size > self.limit:
            raise body.too_large(size, self.limit)
        held = 0
        try:
            if size > SMALL:
                await self._take(size)
                held = size
            sent = await body.read(receive, self.limit)
            if held > len(sent):  # it came without Content-Length
                await self._give(held - len(sent))
                held = len(sent)
            yield sent
        finally:
            if held:
                await self._give(held)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until no other large body is being decoded. Raises Refused (503)."""
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await self._turn.acquire()
        except TimeoutError:
            raise busy("The server is behind. Send again.", 2) from None
        try:
            yield
        finally:
            self._turn.release()

    async def _take(self, size: int) -> None:
        try:
            async with asyncio.timeout(WAIT_SECONDS), self._changed:
                await self._changed.wait_for(lambda: self.free >= size)
                self.free -= size
        except TimeoutError:
            refused = busy("The server is behind. Send again.", 2)
            raise Refused(
                refused.status, refused.message, headers=refused.headers, close=True
            ) from None

    async def _give(self, size: int) -> None:
        async with self._changed:
            self.free += size
            self._changed.notify_all()
