"""The answers of OTLP/HTTP: export responses, and google.rpc.Status for every failure.

Sources: opentelemetry-proto/docs/specification.md ("OTLP/HTTP Response"), google/rpc/status.proto,
google/rpc/error_details.proto. Status is encoded here by hand: its four fields are not worth the
googleapis package.
"""

from __future__ import annotations

import orjson
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tracehub.core.trace import Json

# HTTP status -> google.rpc.Code. What is not listed is INVALID_ARGUMENT or INTERNAL.
CODES = {
    400: 3,
    401: 16,
    403: 7,
    404: 5,
    405: 12,
    408: 4,
    409: 6,
    413: 8,
    415: 3,
    429: 8,
    500: 13,
    501: 12,
    502: 14,
    503: 14,
    504: 4,
}
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"
NO_METRICS = "TraceHub stores traces, not metrics."


def success(rejected: int, message: str, as_json: bool) -> bytes:
    """ExportTraceServiceResponse; nothing in it when all spans were taken and nothing is to say."""
    if as_json:
        return _json_answer("rejectedSpans", rejected, message)
    if not rejected and not message:
        return b""
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = rejected
    answer.partial_success.error_message = message
    return bytes(answer.SerializeToString())


def logs_success(rejected: int, message: str, as_json: bool) -> bytes:
    """ExportLogsServiceResponse with the number of log records that were not kept."""
    if as_json:
        return _json_answer("rejectedLogRecords", rejected, message)
    if not rejected and not message:
        return b""
    answer = ExportLogsServiceResponse()
    answer.partial_success.rejected_log_records = rejected
    answer.partial_success.error_message = message
    return bytes(answer.SerializeToString())


def metrics_not_stored(body: bytes, as_json: bool) -> bytes:
    """ExportMetricsServiceResponse that rejects every data point of `body`, whatever it is."""
    points = _json_points(body) if as_json else _protobuf_points(body)
    if as_json:
        return _json_answer("rejectedDataPoints", points, NO_METRICS)
    answer = ExportMetricsServiceResponse()
    answer.partial_success.rejected_data_points = points
    answer.partial_success.error_message = NO_METRICS
    return bytes(answer.SerializeToString())


def status(http_status: int, message: str, field: str | None, as_json: bool) -> bytes:
    """google.rpc.Status of a failure; `field` becomes the one BadRequest.field_violation."""
    code = CODES.get(http_status, 3 if http_status < 500 else 13)
    if as_json:
        answer: dict[str, Json] = {"code": code, "message": message}
        if field:
            violation = {"field": field, "description": message}
            answer["details"] = [{"@type": BAD_REQUEST, "fieldViolations": [violation]}]
        return orjson.dumps(answer)
    body = _varint_field(1, code) + _bytes_field(2, message.encode("utf-8", "replace"))
    if field:
        violation_body = _bytes_field(1, field.encode("utf-8", "replace"))
        violation_body += _bytes_field(2, message.encode("utf-8", "replace"))
        detail = _bytes_field(1, BAD_REQUEST.encode())
        detail += _bytes_field(2, _bytes_field(1, violation_body))
        body += _bytes_field(3, detail)
    return body


def grpc_status(
    http_status: int, message: str, field: str | None, retry_seconds: int | None
) -> tuple[int, bytes]:
    """google.rpc.Code and Status of a failure over gRPC; `retry_seconds` becomes a RetryInfo.

    A message that is too large is INVALID_ARGUMENT: exporters send RESOURCE_EXHAUSTED again.
    """
    http_status = 400 if http_status == 413 else http_status
    body = status(http_status, message, field, as_json=False)
    if retry_seconds is not None:
        delay = _bytes_field(1, _varint_field(1, retry_seconds))
        detail = _bytes_field(1, RETRY_INFO.encode()) + _bytes_field(2, delay)
        body += _bytes_field(3, detail)
    return CODES.get(http_status, 3 if http_status < 500 else 13), body


def _json_answer(name: str, rejected: int, message: str) -> bytes:
    if not rejected and not message:
        return b"{}"
    # 64-bit integers are strings in protobuf's JSON.
    return orjson.dumps({"partialSuccess": {name: str(rejected), "errorMessage": message}})


def _protobuf_points(body: bytes) -> int:
    request = ExportMetricsServiceRequest()
    try:
        request.ParseFromString(body)
    except DecodeError:  # not stored anyway
        return 0
    return sum(
        len(getattr(metric, metric.WhichOneof("data")).data_points)
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.WhichOneof("data")
    )


def _json_points(body: bytes) -> int:
    """Data points are the entries of the `dataPoints` lists; counted without decoding values."""
    try:
        waiting = [orjson.loads(body)]
    except orjson.JSONDecodeError:
        return 0
    points = 0
    while waiting:
        current = waiting.pop()
        if isinstance(current, dict):
            found = current.get("dataPoints")
            if isinstance(found, list):
                points += len(found)
            else:
                waiting.extend(current.values())
        elif isinstance(current, list):
            waiting.extend(current)
    return points


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _varint_field(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number)


def _bytes_field(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value
