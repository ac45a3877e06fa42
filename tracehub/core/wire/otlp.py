"""OTLP/HTTP in protobuf: an ExportTraceServiceRequest -> raw spans.

`decode_json` of `otlp_json` is the same for JSON; both are given from here.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tracehub.core.trace import Json, RawSpan, Rejected
from tracehub.core.wire import mend_utf8
from tracehub.core.wire.decoded import (
    HEADERS_SIGN,
    Decoded,
    SpanError,
    WireError,
    check_count,
    shown,
    without_headers,
    without_nul,
)
from tracehub.core.wire.otlp_json import decode_json, decode_json_parts

__all__ = [
    "Decoded",
    "WireError",
    "decode_json",
    "decode_json_parts",
    "decode_protobuf",
]

ZERO_TRACE = bytes(16)
ZERO_SPAN = bytes(8)


def decode_protobuf(body: bytes) -> Decoded:
    """Return the spans of an ExportTraceServiceRequest.

    A span with bad ids is rejected alone. Strings that are not UTF-8 get U+FFFD. Raises WireError
    when the bytes are no such message or hold more than 50,000 spans.
    """
    decoded = Decoded()
    request = _parse(body, decoded)
    check_count(
        sum(len(scope.spans) for res in request.resource_spans for scope in res.scope_spans)
    )
    reader = Reader(decoded)
    for resource_spans in request.resource_spans:
        resource = reader.attributes(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            reader.spans(scope_spans, resource)
    return decoded


def _parse(body: bytes, decoded: Decoded) -> Any:
    request = ExportTraceServiceRequest()
    try:
        request.ParseFromString(body)
    except DecodeError:
        try:
            mended, decoded.replaced = mend_utf8.mend(body, ExportTraceServiceRequest.DESCRIPTOR)
            request.ParseFromString(mended)
        except DecodeError as error:
            raise WireError(
                "The body is not an ExportTraceServiceRequest in protobuf: it is cut off, nested "
                f"deeper than 100 messages or something else. Got {len(body)} bytes.",
                "body",
            ) from error
    return request


class Reader:
    """Turns protobuf messages into plain values, counting the characters it replaced."""

    __slots__ = ("decoded", "index")

    def __init__(self, decoded: Decoded) -> None:
        self.decoded = decoded
        self.index = 0

    def spans(self, scope_spans: Any, resource: dict[str, Json]) -> None:
        scope = self._scope(scope_spans.scope)
        keep = self.decoded.spans.append
        for span in scope_spans.spans:
            try:
                keep(self._span(span, resource, scope))
            except SpanError as error:
                self.decoded.rejected.append(Rejected(self.index, error.field, error.message))
            self.index += 1

    def _scope(self, scope: Any) -> dict[str, Json]:
        result: dict[str, Json] = {
            "name": self.text(scope.name),
            "version": self.text(scope.version),
        }
        if scope.attributes:
            result["attributes"] = self.attributes(scope.attributes)
        return result

    def _span(self, span: Any, resource: dict[str, Json], scope: dict[str, Json]) -> RawSpan:
        trace_id, span_id, parent = span.trace_id, span.span_id, span.parent_span_id
        if len(trace_id) != 16 or trace_id == ZERO_TRACE:
            raise SpanError("traceId", _bad_id(trace_id, 16))
        if len(span_id) != 8 or span_id == ZERO_SPAN:
            raise SpanError("spanId", _bad_id(span_id, 8))
        if parent and len(parent) != 8:
            raise SpanError("parentSpanId", _bad_id(parent, 8))
        attributes = self.attributes(span.attributes)
        if HEADERS_SIGN in attributes:
            attributes = without_headers(attributes)
        raw = RawSpan(
            trace_id.hex(),
            span_id.hex(),
            parent.hex() if parent and parent != ZERO_SPAN else None,
            self.text(span.name),
            span.start_time_unix_nano,
            span.end_time_unix_nano,
            attributes,
            self._events(span.events) if span.events else [],
            resource=resource,
            scope=scope,
            span_kind=span.kind,
            trace_state=self.text(span.trace_state),
            flags=span.flags,
        )
        if span.HasField("status"):
            raw.status_code = span.status.code
            raw.status_message = self.text(span.status.message)
        if span.links:
            raw.links = [self._link(link) for link in span.links]
        self._dropped(span, raw)
        return raw

    def _dropped(self, span: Any, raw: RawSpan) -> None:
        if count := span.dropped_attributes_count:
            raw.dropped["attributes"] = count
        if count := span.dropped_events_count:
            raw.dropped["events"] = count
        if count := span.dropped_links_count:
            raw.dropped["links"] = count

    def _events(self, events: Any) -> list[dict[str, Json]]:
        return [
            {
                "name": self.text(event.name),
                "time_ns": event.time_unix_nano,
                "attributes": self.attributes(event.attributes),
            }
            for event in events
        ]

    def _link(self, link: Any) -> dict[str, Json]:
        return {
            "trace_id": link.trace_id.hex(),
            "span_id": link.span_id.hex(),
            "trace_state": self.text(link.trace_state),
            "attributes": self.attributes(link.attributes),
            "flags": link.flags,
        }

    def attributes(self, pairs: Iterable[Any]) -> dict[str, Json]:
        """Key-value messages as a dict; of two equal keys the last wins."""
        result: dict[str, Json] = {}
        for pair in pairs:
            value = pair.value
            if text := value.string_value:
                result[pair.key] = text if "\0" not in text else self.text(text)
            else:
                result[pair.key] = self.value(value)
        if "\0" in "".join(result):
            return {self.text(key): value for key, value in result.items()}
        return result

    def text(self, text: str) -> str:
        if "\0" in text:
            self.decoded.replaced += text.count("\0")
            return without_nul(text)
        return text

    def value(self, value: Any) -> Json:
        """An AnyValue as JSON. Recursive, but upb takes no message nested deeper than 100."""
        which = value.WhichOneof("value")
        if which == "int_value":
            return value.int_value
        if which == "double_value":
            return finite(value.double_value)
        if which == "bool_value":
            return value.bool_value
        if which == "array_value":
            return [self.value(item) for item in value.array_value.values]
        if which == "kvlist_value":
            return self.attributes(value.kvlist_value.values)
        if which == "bytes_value":
            return base64.b64encode(value.bytes_value).decode("ascii")
        return self.text(value.string_value) if which == "string_value" else None


def finite(number: float) -> float | str:
    """JSON has no NaN and no infinity: they are kept as the words that OTLP/JSON uses."""
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else ("Infinity" if number > 0 else "-Infinity")


def _bad_id(value: bytes, length: int) -> str:
    if value and not any(value):
        return f"must not be all zeros. Got {length} zero bytes"
    return f"must be {length} bytes. Got {len(value)} bytes: {shown(value.hex())}"
