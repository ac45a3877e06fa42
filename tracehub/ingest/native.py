"""TraceHub's own JSON: traces and feedback, for people without OpenTelemetry."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import Counter
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from tracehub.core import shape
from tracehub.core.wire.decoded import Decoded, WireError
from tracehub.core.wire.json_text import load
from tracehub.core.wire.native import decode
from tracehub.ingest import pipeline
from tracehub.ingest.access import Grant
from tracehub.ingest.errors import Refused
from tracehub.ingest.http import Answer, Request
from tracehub.traces import store

if TYPE_CHECKING:
    from tracehub.ingest.runtime import Ingest

JSON = "application/json"
MAX_FEEDBACK = 10_000  # in one request
FEEDBACK: shape.Schema = {
    "type": "object",
    "required": ["trace_id", "name"],
    "properties": {
        "trace_id": {"type": "string", "pattern": "^[0-9a-fA-F]{32}$"},
        "span_id": {"type": ["string", "null"], "pattern": "^[0-9a-fA-F]{16}$"},
        "name": {"type": "string", "minLength": 1, "maxLength": 200},
        "value": {"type": ["number", "boolean", "string", "null"]},
        "label": {"type": ["string", "null"], "maxLength": 200},
        "comment": {"type": ["string", "null"], "maxLength": 10_000},
        "source": {"type": ["string", "null"], "maxLength": 60},
        "id": {"type": ["string", "null"], "minLength": 1, "maxLength": 200},
    },
    "additionalProperties": False,
}


async def feedback(ingest: Ingest, request: Request) -> Answer:
    """Store one score or an array of them. The same `id` (or the same content) again is one."""
    value = json_of(request.body)
    return await store_feedback(ingest, request, value if isinstance(value, list) else [value])


async def store_feedback(ingest: Ingest, request: Request, items: list[Any]) -> Answer:
    """Store scores in our own fields; a bad one is named and harms only itself."""
    if len(items) > MAX_FEEDBACK:
        raise Refused(400, f"A request may hold {MAX_FEEDBACK:,} scores. Got {len(items):,}.")
    rejected: list[dict[str, Any]] = []
    rows: list[store.FeedbackRow] = []
    masked: Counter[str] = Counter()
    for index, item in enumerate(items):
        try:
            shape.check(item, FEEDBACK)
        except shape.ShapeError as error:
            rejected.append({"index": index, "field": error.field, "message": str(error)})
        else:
            rows.append(_feedback_row(request.grant, item, masked))
    if items and not rows:
        first = rejected[0]
        raise Refused(400, first["message"], first["field"])
    await ingest.write(lambda conn: store.add_feedback(conn, rows))
    ingest.count_masked(request.grant, masked)
    ingest.wake()
    return answer(200, {"accepted": len(rows), "rejected": rejected})


async def traces(ingest: Ingest, request: Request) -> Answer:
    """Store traces in TraceHub's own JSON: one, an array, or NDJSON."""
    masked: Counter[str] = Counter()
    body = pipeline.mask_text(request.body, request.grant, masked)
    try:
        found = decode(
            body,
            lines=request.content_type != JSON,
            arrived_ns=time.time_ns(),
            fresh_id=lambda: secrets.token_hex(16),
            idempotency_key=request.headers.get("idempotency-key"),
        )
    except WireError as error:
        raise Refused(400, error.message, error.field) from None
    if found.rejected and not found.accepted:
        first = found.rejected[0]
        raise Refused(400, f"{first['field']} {first['message']}", first["field"])
    for part in pipeline.batches(found.spans):
        prepared = await pipeline.prepare_spans(part, request.grant)
        await ingest.writer.store(prepared.rows, prepared.said)
    ingest.count_masked(request.grant, masked)
    return answer(
        200,
        {"accepted": found.accepted, "rejected": found.rejected, "trace_ids": found.trace_ids},
    )


def _feedback_row(grant: Grant, item: dict[str, Any], masked: Counter[str]) -> store.FeedbackRow:
    item = pipeline.mask_json(orjson.dumps(item), item, grant, masked)
    key = (
        item.get("id")
        or hashlib.sha256(orjson.dumps(item, option=orjson.OPT_SORT_KEYS)).hexdigest()
    )
    return store.FeedbackRow(
        grant.project_id,
        UUID(hex=item["trace_id"]),
        (item.get("span_id") or "").lower(),
        key,
        item["name"],
        orjson.dumps(item.get("value")).decode(),
        item.get("label") or "",
        item.get("comment") or "",
        item.get("source") or "",
    )


def json_of(body: bytes) -> Any:
    """Return a decoded body with nothing in it that cannot be stored. Raises Refused (400)."""
    try:
        return shape.clean(load(body, Decoded()))
    except WireError as error:
        raise Refused(400, error.message, error.field) from None
    except shape.ShapeError as error:
        raise Refused(400, str(error), error.field) from None


def refuse(refused: Refused, content_type: str) -> Answer:
    """Return the API's error object."""
    error = {"code": _CODES.get(refused.status, "error"), "message": refused.message}
    if refused.field:
        error["field"] = refused.field
    return answer(refused.status, {"error": error}, refused.headers)


_CODES = {
    400: "invalid",
    401: "unauthorized",
    403: "forbidden",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    429: "quota_exceeded",
    503: "unavailable",
}


def answer(status: int, value: Any, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Answer:
    """Return a JSON answer."""
    return Answer(status, orjson.dumps(value), JSON, headers)
