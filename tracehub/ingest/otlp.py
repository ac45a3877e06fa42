"""OTLP over HTTP: traces are stored, metrics are politely not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from tracehub.core.trace import Rejected
from tracehub.core.wire import otlp_answer
from tracehub.core.wire.decoded import Decoded, WireError
from tracehub.core.wire.otlp import decode_json_parts, decode_protobuf
from tracehub.core.wire.otlp_logs import decode_logs_json, decode_logs_protobuf
from tracehub.core.wire.otlp_split import pieces
from tracehub.ingest import pipeline
from tracehub.ingest.errors import Refused
from tracehub.ingest.http import Answer, Request

if TYPE_CHECKING:
    from tracehub.ingest.runtime import Ingest

JSON = "application/json"
PROTOBUF = "application/x-protobuf"
PIECE = 1024 * 1024  # bytes of a large body that are parsed at once
SPANS = 1000  # of a large JSON body that are turned into rows at once


async def traces(ingest: Ingest, request: Request) -> Answer:
    """Store the spans of an ExportTraceServiceRequest; answer after the commit."""
    as_json = request.content_type == JSON
    rejected: list[Rejected] = []
    replaced = 0
    try:
        for part in decoded_parts(request.body, as_json):
            mended = await pipeline.store(ingest, part.spans, request.grant)
            rejected += [*part.rejected, *mended]
            replaced += part.replaced
    except WireError as error:
        raise Refused(400, error.message, error.field) from None
    said = Decoded(rejected=rejected, replaced=replaced)
    message = " ".join([*([said.explain()] if rejected else []), *said.warnings])
    return _answer(200, otlp_answer.success(len(rejected), message, as_json), request.content_type)


def decoded_parts(body: bytes, as_json: bool) -> Iterator[Decoded]:
    """Yield the spans of a request, a large one in parts; places count from its beginning."""
    if as_json:
        yield from decode_json_parts(body, SPANS)
    elif len(body) <= PIECE:
        yield decode_protobuf(body)
    else:
        before = 0
        for piece in pieces(body, PIECE):
            part = decode_protobuf(piece)
            part.rejected = [replace(item, index=item.index + before) for item in part.rejected]
            before += part.total
            yield part


async def logs(ingest: Ingest, request: Request) -> Answer:
    """Keep log records that carry the content of GenAI calls, for the worker to join."""
    as_json = request.content_type == JSON
    try:
        found = (decode_logs_json if as_json else decode_logs_protobuf)(request.body)
    except WireError as error:
        raise Refused(400, error.message, error.field) from None
    apart = pipeline.Prepared()
    rows = [
        pipeline.supplement(request.grant, key, "events", events, apart)
        for key, events in found.events.items()
    ]
    await ingest.supplement(rows, apart.said)
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
