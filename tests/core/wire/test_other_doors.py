"""LangSmith's own API, GenAI log records, and the answers of OTLP."""

from __future__ import annotations

import json

import orjson
import pytest
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests.core.wire.expectations import (
    ARRIVED_NS,
    FOLDER,
    decode,
    differences,
    span_json,
    trace_json,
)
from tracehub.core.wire import langsmith_native, otlp_answer
from tracehub.core.wire.decoded import WireError
from tracehub.core.wire.normalise import normalise
from tracehub.core.wire.otlp_logs import decode_logs_json, decode_logs_protobuf


def meta_of(name):
    return json.loads((FOLDER / f"{name}.meta.json").read_text(encoding="utf-8"))


def test_langsmith_runs_posted_and_patched_in_two_requests_become_whole_traces():
    meta = meta_of("langsmith-native-support")
    stored = {}
    for request in meta["requests"]:
        if request["path"] == "/runs/multipart":
            body = (FOLDER / request["file"]).read_bytes()
            runs = langsmith_native.decode_multipart(body, request["headers"]["content-type"])
            assert not runs.decoded.rejected
            for raw in runs.decoded.spans:
                key = (raw.trace_id, raw.span_id)
                if key in runs.partial:
                    raw = langsmith_native.merge(stored[key], raw)
                stored[key] = raw
    assert len(stored) == meta["expected"]["span_total"]
    traces = {}
    for raw in stored.values():
        traces.setdefault(raw.trace_id, []).append(normalise(raw, arrived_ns=ARRIVED_NS))
    got = sorted((trace_json(spans) for spans in traces.values()), key=lambda t: t["started_at"])
    for wanted, trace in zip(meta["expected"]["traces"], got, strict=True):
        assert not differences(wanted, trace)


def test_a_batch_of_runs_in_json_is_read_like_the_multipart_form():
    run = {
        "id": "01a20f8b-0d69-7061-a1fb-9d0a95112d67",
        "trace_id": "01a20f8b-0d69-7061-a1fb-9d0a95112d67",
        "name": "desk",
        "run_type": "chain",
        "start_time": "2026-11-24T21:51:40.905827+00:00",
        "inputs": {"q": 1},
    }
    patch = {"id": run["id"], "end_time": "2026-11-24T21:51:41.905827Z", "outputs": {"output": 2}}
    runs = langsmith_native.decode_batch(orjson.dumps({"post": [run], "patch": [patch]}))
    span = normalise(runs.decoded.spans[0], arrived_ns=ARRIVED_NS)
    assert (span.input, span.output, span.duration_ns) == ({"q": 1}, 2, 10**9)
    assert not runs.partial


def test_a_run_without_a_uuid_is_rejected_and_the_others_are_kept():
    good = {"id": "01a20f8b-0d69-7061-a1fb-9d0a95112d67", "name": "a", "run_type": "tool"}
    runs = langsmith_native.decode_batch(orjson.dumps({"post": [{"id": "x"}, good]}))
    assert [rejected.field for rejected in runs.decoded.rejected] == ["id"]
    assert len(runs.decoded.spans) == 1


def test_multipart_without_a_boundary_is_refused():
    with pytest.raises(WireError, match="boundary"):
        langsmith_native.decode_multipart(b"x", "multipart/form-data")


@pytest.mark.parametrize(
    "name", ["botocore-bedrock", "otel-openai-v2-legacy", "semantic-kernel-tool"]
)
def test_log_records_give_their_spans_the_messages(name):
    meta = meta_of(name)
    logs, spans = sorted(meta["requests"], key=lambda request: request["path"])
    raws = {raw.span_id: raw for raw in decode(spans).spans}
    found = decode_logs_protobuf((FOLDER / logs["file"]).read_bytes())
    for key, events in found.events.items():
        raws[key.span_id].events += events
    for wanted in meta["expected_with_logs"]:
        span = normalise(raws[wanted["span_id"]], arrived_ns=ARRIVED_NS)
        assert not differences(wanted, span_json(span))


def test_other_log_records_are_dropped_and_said_so():
    record = {
        "traceId": "a" * 32,
        "spanId": "b" * 16,
        "eventName": "gen_ai.user.message",
        "body": {"kvlistValue": {"values": [{"key": "content", "value": {"stringValue": "hi"}}]}},
    }
    other = {"body": {"stringValue": "a line of an ordinary log"}}
    body = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record, other, {"traceId": 5}]}]}]}
    found = decode_logs_json(orjson.dumps(body))
    assert (found.kept, found.dropped) == (1, 2)
    assert "GenAI" in found.message


def test_an_export_that_went_well_is_answered_with_nothing():
    assert otlp_answer.success(0, "", False) == b""
    assert otlp_answer.success(0, "", True) == b"{}"


def test_partial_success_counts_as_a_string_in_json():
    answer = orjson.loads(otlp_answer.success(2, "span 1: traceId", True))
    assert answer == {"partialSuccess": {"rejectedSpans": "2", "errorMessage": "span 1: traceId"}}
    message = ExportTraceServiceResponse.FromString(otlp_answer.success(2, "why", False))
    assert (message.partial_success.rejected_spans, message.partial_success.error_message) == (
        2,
        "why",
    )


def test_a_failure_is_a_google_rpc_status_in_both_encodings():
    body = otlp_answer.status(400, "must be hexadecimal", "traceId", False)
    status = status_pb2.Status.FromString(body)
    detail = error_details_pb2.BadRequest()
    assert status.details[0].Unpack(detail)
    assert (status.code, status.message) == (3, "must be hexadecimal")
    assert detail.field_violations[0].field == "traceId"
    answer = orjson.loads(otlp_answer.status(503, "busy", None, True))
    assert answer == {"code": 14, "message": "busy"}


def test_metrics_are_counted_and_turned_away():
    body = (FOLDER / "openllmetry-openai-support.2.pb").read_bytes()
    answer = ExportMetricsServiceResponse.FromString(otlp_answer.metrics_not_stored(body, False))
    assert answer.partial_success.rejected_data_points > 0
    assert "not metrics" in answer.partial_success.error_message
