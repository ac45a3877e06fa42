"""LangSmith's own API, for SDKs that are pointed here instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracehub.core.supplements import patch_body
from tracehub.core.trace import SpanKey
from tracehub.core.wire.decoded import WireError
from tracehub.core.wire.langsmith_native import Runs, decode_batch, decode_multipart
from tracehub.ingest import native, pipeline
from tracehub.ingest.errors import Refused
from tracehub.ingest.http import Answer, Request

if TYPE_CHECKING:
    from tracehub.ingest.runtime import Ingest


async def batch(ingest: Ingest, request: Request) -> Answer:
    """Store `{"post": [run], "patch": [run]}`."""
    try:
        runs = decode_batch(request.body)
    except WireError as error:
        raise Refused(400, error.message, error.field) from None
    return await _store(ingest, request, runs)


async def multipart(ingest: Ingest, request: Request) -> Answer:
    """Store runs that come as parts `post.<id>`, `patch.<id>.outputs` and so on."""
    try:
        runs = decode_multipart(request.body, request.headers.get("content-type", ""))
    except WireError as error:
        raise Refused(400, error.message, error.field) from None
    return await _store(ingest, request, runs)


async def _store(ingest: Ingest, request: Request, runs: Runs) -> Answer:
    """Write whole runs as spans and late patches as supplements; answer 202 as LangSmith does."""
    late = set(runs.partial)
    whole = [s for s in runs.decoded.spans if SpanKey(s.trace_id, s.span_id) not in late]
    unread = await pipeline.store(ingest, whole, request.grant)
    apart = pipeline.Prepared()
    patches = [
        pipeline.supplement(request.grant, key, "patch", patch_body(s), apart)
        for s in runs.decoded.spans
        if (key := SpanKey(s.trace_id, s.span_id)) in late
    ]
    await ingest.supplement(patches, apart.said)
    if runs.feedback:
        await native.store_feedback(ingest, request, [_score(item) for item in runs.feedback])
    rejected = [*runs.decoded.rejected, *unread]
    if rejected and not runs.decoded.spans:
        raise Refused(400, f"{rejected[0].field} {rejected[0].message}", rejected[0].field)
    return native.answer(
        202,
        {
            "message": "Runs batch ingested",
            "rejected": [
                {"index": r.index, "field": r.field, "message": r.message} for r in rejected
            ],
        },
    )


async def feedback(ingest: Ingest, request: Request) -> Answer:
    """Store a score as LangSmith's SDK sends it."""
    value = native.json_of(request.body)
    items = value if isinstance(value, list) else [value]
    scores = [_score(item) for item in items if isinstance(item, dict)]
    return await native.store_feedback(ingest, request, scores)


async def info(ingest: Ingest, request: Request) -> Answer:
    """Tell the SDK what this server takes: multipart batches up to our limits."""
    return native.answer(
        200,
        {
            "version": "0.12.0",
            "instance_flags": {"zstd_compression_enabled": True},
            "batch_ingest_config": {
                "use_multipart_endpoint": True,
                "scale_up_qsize_trigger": 1000,
                "scale_up_nthreads_limit": 16,
                "scale_down_nempty_trigger": 4,
                "size_limit": 100,
                "size_limit_bytes": ingest.limit,
            },
        },
    )


def _score(item: dict[str, Any]) -> dict[str, Any]:
    """Return LangSmith's feedback in our fields; a run's id is its span, its trace is named."""
    trace = str(item.get("trace_id") or item.get("run_id") or "").replace("-", "")
    run = str(item.get("run_id") or "").replace("-", "")
    source = item.get("feedback_source")
    value = item.get("score") if item.get("score") is not None else item.get("value")
    score = {
        "trace_id": trace,
        "span_id": run[-16:] or None,
        "name": item.get("key"),
        "value": value if isinstance(value, str | int | float | bool | None) else str(value),
        "comment": item.get("comment"),
        "source": source.get("type") if isinstance(source, dict) else None,
        "id": str(item["id"]) if item.get("id") else None,
    }
    return {name: field for name, field in score.items() if field is not None}
