"""Spans as an OpenTelemetry exporter would send them: built step by step, encoded as OTLP."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

NS = 1_000_000_000
Value = str | int | float | bool | list[str]
OK, ERROR = 1, 2


@dataclass(slots=True)
class DemoSpan:
    """One span; times in nanoseconds since the epoch, ids in hex."""

    span_id: str
    parent_id: str | None
    name: str
    start_ns: int
    end_ns: int = 0
    attributes: dict[str, Value] = field(default_factory=dict)
    events: list[tuple[str, int, dict[str, Value]]] = field(default_factory=list)
    status: int = OK
    message: str = ""

    def fail(self, kind: str, message: str) -> None:
        """Mark the span as failed, with the exception event that SDKs record."""
        self.status, self.message = ERROR, message
        self.attributes["error.type"] = kind
        exception: dict[str, Value] = {"exception.type": kind, "exception.message": message}
        self.events.append(("exception", -1, exception))


@dataclass(slots=True)
class DemoTrace:
    """A trace under construction. Its clock runs as far as `spend` moves it."""

    trace_id: str
    now_ns: int
    random: random.Random
    resource: dict[str, Value]
    scope: tuple[str, str]
    spans: list[DemoSpan] = field(default_factory=list)
    open: list[DemoSpan] = field(default_factory=list)

    def spend(self, seconds: float) -> None:
        """Let time pass."""
        self.now_ns += int(seconds * NS)

    def about(self, seconds: float, spread: float = 0.35) -> float:
        """Return a duration near `seconds`, log-normal as latencies are."""
        return seconds * self.random.lognormvariate(0.0, spread)

    @contextmanager
    def span(self, name: str, **attributes: Value) -> Iterator[DemoSpan]:
        """Open a span below the one that is open; dots in attribute names are written `__`."""
        span_id = f"{self.random.getrandbits(63) + 1:016x}"
        parent = self.open[-1].span_id if self.open else None
        span = DemoSpan(span_id, parent, name, self.now_ns)
        span.attributes.update((key.replace("__", "."), v) for key, v in attributes.items())
        self.open.append(span)
        yield span
        self.open.pop()
        span.end_ns = self.now_ns
        self.spans.append(span)  # children first, since spans are sent when they end


def compact(value: Any) -> str:
    """Return JSON text, as instrumentations write it into attributes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def encode(traces: Iterable[DemoTrace]) -> bytes:
    """Return the ExportTraceServiceRequest of these traces, grouped by resource and scope."""
    request = ExportTraceServiceRequest()
    scopes: dict[str, Any] = {}
    for trace in traces:
        key = compact([trace.resource, trace.scope])
        if key not in scopes:
            resource = request.resource_spans.add()
            resource.resource.attributes.extend(_pairs(trace.resource))
            scopes[key] = resource.scope_spans.add()
            scopes[key].scope.name, scopes[key].scope.version = trace.scope
        for span in trace.spans:
            _add(scopes[key].spans.add(), trace.trace_id, span)
    body: bytes = request.SerializeToString()
    return body


def _add(message: Any, trace_id: str, span: DemoSpan) -> None:
    message.trace_id = bytes.fromhex(trace_id)
    message.span_id = bytes.fromhex(span.span_id)
    if span.parent_id:
        message.parent_span_id = bytes.fromhex(span.parent_id)
    message.name = span.name
    message.kind = 1  # internal
    message.start_time_unix_nano = span.start_ns
    message.end_time_unix_nano = span.end_ns
    message.attributes.extend(_pairs(span.attributes))
    message.status.code = span.status
    message.status.message = span.message
    for name, time_ns, attributes in span.events:
        event = message.events.add()
        event.name, event.time_unix_nano = name, span.end_ns if time_ns < 0 else time_ns
        event.attributes.extend(_pairs(attributes))


def _pairs(attributes: dict[str, Value]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_value(value)) for key, value in attributes.items()]


def _value(value: Value) -> AnyValue:
    if isinstance(value, str):
        return AnyValue(string_value=value)
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    return AnyValue(array_value=ArrayValue(values=[_value(item) for item in value]))
