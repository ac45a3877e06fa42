"""OTLP over HTTP: traces are stored, metrics are politely not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracehub.core.wire import otlp_answer
from tracehub.core.wire.decoded import WireError
from tracehub.core.wire.otlp import decode_protobuf
from tracehub.core.wire.otlp_json import decode_json
from tracehub.core.wire.otlp_logs import decode_logs_json, decode_logs_protobuf
from tracehub.ingest import pipeline
from tracehub.ingest.errors import Refused
from tracehub.ingest.http import Answer, Request

if TYPE_CHECKING:
    from tracehub.ingest.app import Ingest

JSON = "application/json"
PROTOBUF = "application/x-protobuf"


async def traces(ingest: Ingest, request: Request) -> Answer:
    """Store the spans of an ExportTraceServiceRequest; answer after the commit."""
    decode = decode_json if request.content_type == JSON else decode_protobuf
    try:
        decoded = decode(request.body)
    except WireError as error:
        raise Refused(400, error.message, error.field) from None
    prepared = await pipeline.prepare(decoded.spans, request.grant)
    await ingest.writer.store(prepared.rows)
    decoded.rejected += prepared.rejected
    message = " ".join([*([decoded.explain()] if decoded.rejected else []), *decoded.warnings])
    return _answer(
        200,
        otlp_answer.success(len(decoded.rejected), message, request.content_type == JSON),
        request.content_type,
    )


async def logs(ingest: Ingest, request: Request) -> Answer:
    """Keep log records that carry the content of GenAI calls, for the worker to join."""
    as_json = request.content_type == JSON
    try:
        found = (decode_logs_json if as_json else decode_logs_protobuf)(request.body)
    except WireError as error:
        raise Refused(400, error.message, error.field) from None
    rows = [
        pipeline.supplement(request.grant, key, "events", events)
        for key, events in found.events.items()
    ]
    await ingest.supplement(rows)
    body = otlp_answer.logs_success(found.dropped, found.message, as_json)
    return _answer(200, body, request.content_type)


async def metrics(ingest: Ingest, request: Request) -> Answer:
    """Take metrics and say that they are not stored: a 404 would fill the sender's log."""
    as_json = request.content_type == JSON
    return _answer(200, otlp_answer.metrics_not_stored(request.body, as_json), request.content_type)


def refuse(refused: Refused, content_type: str) -> Answer:
    """Return a google.rpc.Status in the encoding of the request."""
    as_json = content_type == JSON
    body = otlp_answer.status(refused.status, refused.message, refused.field, as_json)
    return _answer(refused.status, body, JSON if as_json else PROTOBUF, refused.headers)


def _answer(
    status: int,
    body: bytes,
    content_type: str,
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> Answer:
    return Answer(status, body, content_type, headers)
