"""OTLP over gRPC: the same handlers as over HTTP, behind the three Export methods.

A call is taken as a stream of one message: so the key is looked at, and room waited for, before
the message is read from the sender's connection. gRPC would inflate without a bound, so it is told
not to; a message that begins as gzip does is inflated here. No protobuf message begins so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
from django.conf import settings

from tracehub.core.wire import otlp_answer
from tracehub.ingest.admission import SMALL
from tracehub.ingest.app import handle_body
from tracehub.ingest.errors import Refused, busy
from tracehub.ingest.http import Request
from tracehub.ingest.otlp import PROTOBUF
from tracehub.ingest.routes import ROUTES
from tracehub.ingest.runtime import Ingest

logger = logging.getLogger(__name__)

_COLLECTOR = "/opentelemetry.proto.collector."
PATHS = {
    f"{_COLLECTOR}trace.v1.TraceService/Export": "/v1/traces",
    f"{_COLLECTOR}logs.v1.LogsService/Export": "/v1/logs",
    f"{_COLLECTOR}metrics.v1.MetricsService/Export": "/v1/metrics",
}
GZIP = b"\x1f\x8b"
ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
READERS = 2  # messages that come in or are large at once: each may be as large as a body, twice
WINDOW = 64 * 1024  # bytes of a message that a connection may send before it is read
WAIT_SECONDS = 3.0  # for one of them to be done
READ_SECONDS = 10.0  # for a message to come in
DRAIN_SECONDS = 6.0  # for running calls to end after a stop


class Service(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc ships no types
    """Answers the Export methods of traces, logs and metrics; others are UNIMPLEMENTED."""

    def __init__(self, ingest: Ingest) -> None:
        self.ingest = ingest
        self._readers = asyncio.Semaphore(READERS)
        self._calls = 0  # that run

    def service(self, details: Any) -> Any:
        path = PATHS.get(details.method)
        if path is None:
            return None

        async def export(messages: AsyncIterator[bytes], context: Any) -> bytes:
            return await self._export(path, messages, context)

        return grpc.stream_unary_rpc_method_handler(export)

    async def _export(self, path: str, messages: AsyncIterator[bytes], context: Any) -> bytes:
        metadata = context.invocation_metadata() or ()
        headers = {key.lower(): value for key, value in metadata if isinstance(value, str)}
        self._calls += 1
        try:
            if self._calls > settings.OTLP_GRPC_CALLS:
                raise busy(f"{settings.OTLP_GRPC_CALLS} calls run at once. Send again.")
            return await self._answer(path, messages, headers)
        except Refused as error:
            refused = error
            if refused.status != 503:
                self.ingest.refusals.add(path, refused, headers)
        except Exception:
            logger.exception("A gRPC call failed.")
            refused = busy("The server met an error. Send again.")
        finally:
            self._calls -= 1
        code, details = otlp_answer.grpc_status(
            refused.status, refused.message, refused.field, _retry_after(refused)
        )
        await context.abort(_CODES[code], refused.message, trailing_metadata=((DETAILS, details),))
        raise AssertionError  # abort has raised

    async def _answer(
        self, path: str, messages: AsyncIterator[bytes], headers: dict[str, str]
    ) -> bytes:
        grant = await self.ingest.keyring.grant(headers)
        self.ingest.check_disk()
        async with self._read(messages) as message:
            if message.startswith(ZLIB):
                raise Refused(
                    400, "Compression must be gzip or none. Got deflate.", "grpc-encoding"
                )
            encoding = "gzip" if message.startswith(GZIP) else ""
            request = Request(path, headers, PROTOBUF, "", b"", grant)
            answer = await handle_body(self.ingest, ROUTES[path], request, message, encoding)
        return answer.body

    @asynccontextmanager
    async def _read(self, messages: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Give the message once there was room to read it; a small one makes room at once.

        Raises Refused (400, 503).
        """
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._readers.acquire()
        except TimeoutError:
            raise busy("The server is behind. Send again.", 2) from None
        reading = True
        try:
            message = await _one(messages)
            if len(message) <= SMALL:
                self._readers.release()
                reading = False
            yield message
        finally:
            if reading:
                self._readers.release()


DETAILS = "grpc-status-details-bin"
_CODES = {code.value[0]: code for code in grpc.StatusCode}


async def _one(messages: AsyncIterator[bytes]) -> bytes:
    try:
        async with asyncio.timeout(READ_SECONDS):
            return await anext(messages)
    except TimeoutError:
        raise busy(f"The message did not come within {READ_SECONDS:.0f} s. Send again.") from None
    except StopAsyncIteration:
        raise Refused(400, "The call has no message.") from None


def _retry_after(refused: Refused) -> int | None:
    found = dict(refused.headers).get(b"retry-after")
    return int(found) if found else None


async def serve(address: str, started: Callable[[int], None], stop: asyncio.Event) -> None:
    """Serve at `host:port` until `stop`; `started` is told the port.

    Raises OSError when the address cannot be listened on.
    """
    ingest = Ingest()
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", ingest.limit),
            ("grpc.per_message_decompression", 0),
            ("grpc.http2.bdp_probe", 0),  # else a window grows to megabytes, for every connection
            ("grpc.http2.lookahead_bytes", WINDOW),
            ("grpc.so_reuseport", 0),  # a taken port is an error, not shared
        ]
    )
    server.add_generic_rpc_handlers((Service(ingest),))
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise OSError(f"{address} cannot be listened on: {error}") from None
    await ingest.start()
    try:
        await server.start()
        started(port)
        await stop.wait()
        await server.stop(DRAIN_SECONDS)
    finally:
        await ingest.stop()
