"""Uvicorn's HTTP protocol with deadlines, and without room for request smuggling."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_SECONDS = 30.0  # from connecting, or from the last answer's first new byte
BODY_SECONDS = 30.0  # without a complete body, unless more than BODY_RATE arrives
BODY_RATE = 32 * 1024  # bytes a second that a large upload must keep


class IngestProtocol(HttpToolsProtocol):
    """Closes connections that dribble, and refuses what two servers could read differently."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._deadline: asyncio.TimerHandle | None = None
        self._body_started = 0.0
        self._body_size = 0
        self._why = ""
        self._arm(HEADER_SECONDS, self._header_late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._deadline is None:
            self._arm(HEADER_SECONDS, self._header_late)
        super().data_received(data)

    def on_headers_complete(self) -> None:
        names = [name for name, _ in self.headers]
        encodings = [value.lower() for name, value in self.headers if name == b"transfer-encoding"]
        lengths = {value for name, value in self.headers if name == b"content-length"}
        if encodings and (b"content-length" in names or encodings != [b"chunked"]):
            self._refuse("Send Content-Length or Transfer-Encoding: chunked, not both or another.")
        if len(lengths) > 1:
            self._refuse("Content-Length came twice with different values.")
        self._body_started, self._body_size = self.loop.time(), 0
        self._arm(BODY_SECONDS, self._body_late)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body_size += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._disarm()
        super().on_message_complete()

    def _body_late(self) -> None:
        if self._body_size > BODY_RATE * (self.loop.time() - self._body_started):
            self._arm(BODY_SECONDS, self._body_late)  # large, but moving
            return
        self._close()

    def _header_late(self) -> None:
        self._close()

    def _refuse(self, message: str) -> None:
        """Stop parsing at once: uvicorn answers a failed callback with 400 and closes."""
        self._why = message
        raise ValueError(message)

    def send_400_response(self, msg: str) -> None:
        super().send_400_response(self._why or msg)

    def _close(self) -> None:
        self._disarm()
        if not self.transport.is_closing():
            self.transport.close()

    def _arm(self, seconds: float, late: Any) -> None:
        self._disarm()
        self._deadline = self.loop.call_later(seconds, late)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
