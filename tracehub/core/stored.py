"""How a span lies in Postgres: narrow columns, `facts`, `content`, and what was received.

`facts` is a small JSON object with every field of `SpanDigest` that is not a column and not at
its default (`core.span_facts`). `payload` is the normalised content (input, output, context, tool
...) and what came over the wire, after masking, packed together (`core.packing`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, NamedTuple
from uuid import UUID

import orjson

from tracehub.core import span_facts
from tracehub.core.packing import pack, unpack
from tracehub.core.trace import (
    Prompt,
    RawSpan,
    Span,
    SpanDigest,
    ToolUse,
    ValidationError,
)

Json = Any
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FINISHED = 1 << 24
_DUMP = orjson.OPT_NON_STR_KEYS


class SpanRow(NamedTuple):
    """One row of `spans`, in the order of its columns without `day`, which storage decides."""

    project_id: int
    trace_id: UUID
    span_id: int
    parent_id: int | None
    started_at: datetime
    start_ns: int
    duration_ns: int | None
    name: str
    kind: str
    error: bool
    provider: str | None
    model: str | None
    input_tokens: int | None
    output_tokens: int | None
    total_tokens: int | None
    cost: Decimal | None
    rank: int
    facts: bytes
    payload: bytes
    cost_computed: bool

    @property
    def size(self) -> int:
        """Bytes of payload, for the bounds of queues."""
        return len(self.facts) + len(self.payload) + len(self.name) + 200


def span_number(span_id: str) -> int:
    """Return the signed 64-bit number that a span id of 16 hex digits is stored as.

    >>> span_number("ffffffffffffffff")
    -1
    """
    number = int(span_id, 16)
    return number - (1 << 64) if number >> 63 else number


def span_hex(number: int) -> str:
    """Return the span id as 16 hex digits.

    >>> span_hex(-1)
    'ffffffffffffffff'
    """
    return f"{number & 0xFFFFFFFFFFFFFFFF:016x}"


def when(ns: int) -> datetime:
    """Return nanoseconds since the epoch as a time, cut off (not rounded) to microseconds."""
    return EPOCH + timedelta(microseconds=ns // 1000)


def received_json(raw: RawSpan) -> bytes:
    """Return what was received as JSON text: the input of masking and of `row_of`."""
    kept = {
        "name": raw.name,
        "attributes": raw.attributes,
        "events": raw.events,
        "links": raw.links,
        "resource": raw.resource,
        "scope": raw.scope,
        "parent_id": raw.parent_id,
        "status": [raw.status_code, raw.status_message],
        "times": [raw.start_ns, raw.end_ns],
        "kind": raw.span_kind,
        "trace_state": raw.trace_state,
        "dropped": raw.dropped,
    }
    return orjson.dumps({k: v for k, v in kept.items() if v}, option=_DUMP)


def received_span_json(span: Span) -> bytes:
    """Return the same for a span of TraceHub's own JSON: `posted` as it came, and what it became.

    `posted_trace` is what was said of the trace, on the span that carries it. `attributes` and
    `events` are kept beside only where reading changed them.
    """
    posted = span.posted
    kept = {
        **posted,
        "attributes": span.attributes,
        "events": span.events,
        "links": span.links,
        "parent_id": span.parent_id,
    }
    sent = posted.get("posted", {})
    same = [name for name in ("attributes", "events") if kept[name] == sent.get(name)]
    return orjson.dumps({k: v for k, v in kept.items() if v and k not in same}, option=_DUMP)


def received_of(payload: bytes) -> dict[str, Json]:
    """Return what was received, as a dict with the keys of `received_json`."""
    value: dict[str, Json] = orjson.loads(unpack(payload)[1])
    return value


def content_in(payload: bytes) -> dict[str, Json]:
    """Return the normalised content of a stored span, with the keys of `content_of`."""
    value: dict[str, Json] = orjson.loads(unpack(payload)[0])
    return value


def digest_of(row: dict[str, Json]) -> SpanDigest:
    """Rebuild a digest from a row of `spans` (columns and `facts`, as dict)."""
    return SpanDigest(
        trace_id=row["trace_id"].hex,
        span_id=span_hex(row["span_id"]),
        parent_id=None if row["parent_id"] is None else span_hex(row["parent_id"]),
        name=row["name"],
        kind=row["kind"],
        start_ns=row["start_ns"],
        duration_ns=row["duration_ns"],
        error=row["error"],
        provider=row["provider"],
        model=row["model"],
        cost=row["cost"],
        **span_facts.read(row),
    )


def cost_source(row: dict[str, Json]) -> Literal["sent", "computed"] | None:
    """Return where the cost in a row of `spans` comes from, None without a cost."""
    if row["cost"] is None:
        return None
    return "computed" if row["cost_computed"] else "sent"


def content_of(span: Span) -> dict[str, Json]:
    """Return the normalised payload of a span, without empty parts."""
    prompt, tool = span.prompt, span.tool
    out: dict[str, Json] = {
        "input": span.input,
        "output": span.output,
        "parameters": span.parameters,
        "context": span.context,
        "tool": None if tool is None else _plain(tool),
        "output_schema": span.output_schema,
        "validation_errors": [_plain(error) for error in span.validation_errors],
        "flags": span.flags,
        "trace_input": span.facts.trace_input,
        "trace_output": span.facts.trace_output,
    }
    if prompt is not None:
        out["prompt"] = _plain(prompt)
    return {k: v for k, v in out.items() if v is not None and v != {} and v != []}


def _plain(value: Prompt | ToolUse | ValidationError) -> dict[str, Json]:
    """Return a record as a dict of its fields."""
    return {name: getattr(value, name) for name in value.__slots__}


def row_of(
    project_id: int, span: Span, digest: SpanDigest, received: bytes, *, joined: int = 0
) -> SpanRow:
    """Return the row of a normalised span. `received` is the masked JSON of `received_json`.

    `joined` counts the supplements in it: a span with them beats the same span without.
    """
    tokens = span.tokens
    return SpanRow(
        project_id,
        UUID(hex=span.trace_id),
        span_number(span.span_id),
        None if span.parent_id is None else span_number(span.parent_id),
        when(span.start_ns),
        span.start_ns,
        span.duration_ns,
        span.name,
        span.kind,
        span.error,
        span.provider,
        span.model,
        tokens.input if tokens else None,
        tokens.output if tokens else None,
        tokens.total if tokens else None,
        span.cost,
        (FINISHED if span.finished else 0) + min(len(span.attributes) + joined, FINISHED - 1),
        orjson.dumps(span_facts.write(digest), option=_DUMP),
        pack(orjson.dumps(content_of(span), option=_DUMP), received),
        span.cost_source == "computed",
    )


def span_of(row: dict[str, Json]) -> Span:
    """Rebuild a whole span, payloads included, from a row of `spans` (as dict)."""
    digest = digest_of(row)
    content, received = map(orjson.loads, unpack(row["payload"]))
    posted = received.get("posted", {})
    prompt, tool = content.get("prompt"), content.get("tool")
    for name in ("trace_input", "trace_output"):
        setattr(digest.facts, name, content.get(name))
    return Span(
        trace_id=digest.trace_id,
        span_id=digest.span_id,
        parent_id=digest.parent_id,
        name=digest.name,
        kind=digest.kind,
        start_ns=digest.start_ns,
        duration_ns=digest.duration_ns,
        error=digest.error,
        error_type=digest.error_type,
        error_message=digest.error_message,
        provider=digest.provider,
        model=digest.model,
        model_requested=digest.model_requested,
        service_tier=digest.service_tier,
        parameters=content.get("parameters", {}),
        finish_reasons=digest.finish_reasons,
        response_id=digest.response_id,
        agent=digest.agent,
        prompt=Prompt(**prompt) if prompt else None,
        input=content.get("input"),
        output=content.get("output"),
        context=content.get("context", []),
        tool=ToolUse(**tool) if tool else None,
        validation_errors=digest.validation_errors,
        output_schema=content.get("output_schema"),
        guardrail=digest.guardrail,
        feedback=digest.feedback,
        tokens=digest.tokens,
        tokens_counted=digest.tokens_counted,
        cost=digest.cost,
        cost_source=cost_source(row),
        ttft_ns=digest.ttft_ns,
        streaming=digest.streaming,
        facts=digest.facts,
        attributes=received.get("attributes") or posted.get("attributes") or {},
        events=received.get("events") or posted.get("events") or [],
        links=received.get("links", []),
        resource=received.get("resource", {}),
        scope=received.get("scope", {}),
        dropped=received.get("dropped", {}),
        flags=content.get("flags", []),
    )
