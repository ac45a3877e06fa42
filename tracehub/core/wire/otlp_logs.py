"""OTLP log records with the content of GenAI calls -> events for the spans they belong to.

Older GenAI instrumentations send messages as log records (conventions 1.30 to 1.36), before or
after their span. A record becomes one span event: storage adds it to the span's events, once per
(span, name, time, content), and normalises the span again; `genai_events` reads it from there.
A record whose span has not come yet must wait for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tracehub.core.trace import Json, SpanKey
from tracehub.core.wire import mend_utf8
from tracehub.core.wire.decoded import MAX_SPANS, Decoded, SpanError, WireError, shown
from tracehub.core.wire.json_text import load
from tracehub.core.wire.otlp import Reader
from tracehub.core.wire.otlp_json import JsonReader, hex_id, uint64

MAX_RECORDS = MAX_SPANS * 4
# `gen_ai.system.message`, `gen_ai.choice`, `gen_ai.client.inference.operation.details` ...
PREFIX = "gen_ai."
DROPPED = "TraceHub keeps log records of GenAI calls that name their span, no others."


@dataclass(slots=True)
class DecodedLogs:
    """Events by span, in the order they came, and how many records were dropped."""

    events: dict[SpanKey, list[dict[str, Json]]] = field(default_factory=dict)
    kept: int = 0
    dropped: int = 0

    @property
    def message(self) -> str:
        """Why records were dropped, for `partial_success`; empty when none was."""
        return DROPPED if self.dropped else ""

    def add(self, key: SpanKey | None, event: dict[str, Json] | None) -> None:
        if key is None or event is None:
            self.dropped += 1
            return
        self.events.setdefault(key, []).append(event)
        self.kept += 1


def decode_logs_protobuf(body: bytes) -> DecodedLogs:
    """Read an ExportLogsServiceRequest. Raises WireError when the bytes are no such message."""
    decoded = Decoded()
    request = ExportLogsServiceRequest()
    try:
        request.ParseFromString(body)
    except DecodeError:
        try:
            mended, _ = mend_utf8.mend(body, ExportLogsServiceRequest.DESCRIPTOR)
            request.ParseFromString(mended)
        except DecodeError as error:
            raise WireError(
                f"The body is not an ExportLogsServiceRequest in protobuf. Got {len(body)} bytes.",
                "body",
            ) from error
    found = DecodedLogs()
    reader = Reader(decoded)
    for resource_logs in request.resource_logs:
        for scope_logs in resource_logs.scope_logs:
            for record in scope_logs.log_records:
                attributes = reader.attributes(record.attributes)
                name = reader.text(record.event_name) or attributes.get("event.name")
                key = None
                if len(record.trace_id) == 16 and len(record.span_id) == 8:
                    key = SpanKey(record.trace_id.hex(), record.span_id.hex())
                time_ns = record.time_unix_nano or record.observed_time_unix_nano
                found.add(key, _event(name, time_ns, attributes, reader.value(record.body)))
                _check(found)
    return found


def decode_logs_json(body: bytes) -> DecodedLogs:
    """The same for OTLP/JSON. A record that cannot be read is dropped."""
    decoded = Decoded()
    request = load(body, decoded)
    if not isinstance(request, dict):
        raise WireError(f"The body must be an object. Got {shown(request)}.", "body")
    found = DecodedLogs()
    reader = JsonReader(decoded, clean=b"\\u0000" not in body)
    for record in _records(request):
        try:
            found.add(*_read(record, reader))
        except SpanError:
            found.dropped += 1
        _check(found)
    return found


def _records(request: dict[str, Json]) -> Iterator[dict[str, Any]]:
    for resource_logs in _objects(request.get("resourceLogs")):
        for scope_logs in _objects(resource_logs.get("scopeLogs")):
            yield from _objects(scope_logs.get("logRecords"))


def _objects(value: Json) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _read(record: dict[str, Any], reader: JsonReader) -> tuple[SpanKey, dict[str, Json] | None]:
    attributes = reader.attributes(record.get("attributes"))
    name = record.get("eventName") or attributes.get("event.name")
    time_ns = uint64(record.get("timeUnixNano"), "timeUnixNano")
    time_ns = time_ns or uint64(record.get("observedTimeUnixNano"), "observedTimeUnixNano")
    key = SpanKey(
        hex_id(record.get("traceId"), "traceId", 32), hex_id(record.get("spanId"), "spanId", 16)
    )
    return key, _event(name, time_ns, attributes, reader.value(record.get("body"), "body", 0))


def _check(found: DecodedLogs) -> None:
    if found.kept + found.dropped > MAX_RECORDS:
        raise WireError(f"A request may hold {MAX_RECORDS:,} log records.", "resourceLogs")


def _event(
    name: Json, time_ns: int, attributes: dict[str, Json], body: Json
) -> dict[str, Json] | None:
    """A span event with the body of the record as JSON text, as span events of that age have it."""
    if not isinstance(name, str) or not name.startswith(PREFIX):
        return None
    if isinstance(body, dict) and body:
        attributes = {**attributes, "gen_ai.event.content": orjson.dumps(body).decode()}
    elif isinstance(body, str) and body:
        attributes = {**attributes, "content": body}
    return {"name": name, "time_ns": time_ns, "attributes": attributes}
