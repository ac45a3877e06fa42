"""OTLP through a real socket: what is acknowledged is stored, what is bad is named."""

from __future__ import annotations

import gzip
import json

import pytest
import requests
import zstandard
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from tracehub.core.packing import unpack
from tracehub.core.stored import content_in
from tracehub.digest.actions import digest_all
from tracehub.traces.models import Arrival, StoredSpan, Trace

PB = "application/x-protobuf"
NOW = 1_795_500_000_000_000_000
ZSTD = zstandard.ZstdCompressor().compress
# A frame that asks its reader for a window of 16 MB.
_WINDOW = zstandard.ZstdCompressionParameters(window_log=24)
_WIDE = zstandard.ZstdCompressor(compression_params=_WINDOW).compressobj()
WIDE = _WIDE.compress(b"{}") + _WIDE.flush()


def span(trace: int = 1, number: int = 1, **fields):
    return {
        "traceId": f"{trace:032x}",
        "spanId": f"{number:016x}",
        "name": "answer",
        "startTimeUnixNano": str(NOW),
        "endTimeUnixNano": str(NOW + 2_000_000),
        **fields,
    }


def body(*spans):
    return {"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}


def post(url, key, data, path="/v1/traces", content_type="application/json", **headers):
    if isinstance(data, dict):
        data = json.dumps(data).encode()
    headers = {"content-type": content_type, "authorization": f"Bearer {key}", **headers}
    return requests.post(url + path, data=data, headers=headers, timeout=20)


def test_a_real_exporter_sees_its_trace_stored_and_digested(url, key, project):
    exporter = OTLPSpanExporter(
        endpoint=f"{url}/v1/traces", headers={"authorization": f"Bearer {key}"}
    )
    tracing = TracerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = tracing.get_tracer("test")
    with tracer.start_as_current_span("support") as root:
        root.set_attribute("session.id", "s-1")
        with tracer.start_as_current_span("chat") as call:
            call.set_attribute("gen_ai.operation.name", "chat")
            call.set_attribute("gen_ai.provider.name", "openai")
            call.set_attribute("gen_ai.request.model", "gpt-4o")
            call.set_attribute("gen_ai.usage.input_tokens", 1000)
            call.set_attribute("gen_ai.usage.output_tokens", 100)
    tracing.shutdown()
    assert digest_all(seconds=10) == 1
    trace = Trace.objects.get()
    assert (trace.project_id, trace.name, trace.session_id) == (project.pk, "support", "s-1")
    assert (trace.model_names, trace.input_tokens, str(trace.cost)) == (
        ["gpt-4o"],
        1000,
        "0.0035000000",
    )
    assert trace.span_count == 2


@pytest.mark.parametrize(
    "path",
    ["/v1/traces", "/otlp/v1/traces", "/otel/v1/traces", "/api/public/otel/v1/traces"],
)
def test_every_path_of_the_contract_takes_traces(url, key, path):
    answer = post(url, key, body(span()), path)
    assert (answer.status_code, answer.content) == (200, b"{}")
    assert StoredSpan.objects.count() == 1


def test_compressed_and_chunked_bodies_are_read_whole(url, key):
    packed = gzip.compress(json.dumps(body(span(1))).encode())
    assert post(url, key, packed, **{"content-encoding": "gzip"}).status_code == 200
    text = json.dumps(body(span(3))).encode()
    frames = ZSTD(text[:300]) + ZSTD(text[300:])
    assert post(url, key, frames, **{"content-encoding": "zstd"}).status_code == 200
    large = json.dumps(body(*(span(n, name=f"{n} " + "x" * 9000) for n in range(10, 180))))
    assert post(url, key, ZSTD(large.encode()), **{"content-encoding": "zstd"}).status_code == 200
    chunks = (json.dumps(body(span(2))).encode()[i : i + 50] for i in range(0, 400, 50))
    assert post(url, key, chunks).status_code == 200
    assert StoredSpan.objects.count() == 173


def test_the_same_batch_again_is_stored_once(url, key):
    for _ in range(3):
        assert post(url, key, body(span(1, 1), span(1, 2))).status_code == 200
    assert StoredSpan.objects.count() == 2
    assert Arrival.objects.count() == 1


def test_a_finished_span_beats_a_pending_one_in_any_order(url, key):
    pending, done = span(name="pending", endTimeUnixNano="0"), span(name="done")
    for sent in (pending, done, pending):
        assert post(url, key, body(sent)).status_code == 200
    assert StoredSpan.objects.get().name == "done"


def test_good_spans_beside_bad_ones_are_stored_and_the_answer_counts_the_bad(url, key):
    answer = post(url, key, body(span(1), span(2, traceId="xyz")))
    assert answer.status_code == 200
    partial = answer.json()["partialSuccess"]
    assert partial["rejectedSpans"] == "1"
    assert "traceId" in partial["errorMessage"]
    assert StoredSpan.objects.count() == 1


def test_partial_success_in_protobuf(url, key):
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    spans.add(trace_id=b"\1" * 16, span_id=b"\1" * 8, name="a", start_time_unix_nano=NOW)
    spans.add(trace_id=b"\1" * 3, span_id=b"\1" * 8, name="b")
    answer = post(url, key, request.SerializeToString(), content_type=PB)
    said = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert (answer.status_code, said.rejected_spans) == (200, 1)


@pytest.mark.parametrize(
    ("data", "headers", "status", "words"),
    [
        (b"\xff\xff\xff", {"content-type": PB}, 400, ""),
        (b"{", {}, 400, "not JSON"),
        (gzip.compress(b"{}" * 1000, mtime=0)[:20], {"content-encoding": "gzip"}, 400, "too early"),
        (b"no gzip", {"content-encoding": "gzip"}, 400, "not valid gzip"),
        (ZSTD(b"{}" * 1000)[:15], {"content-encoding": "zstd"}, 400, "too early"),
        (b"no zstd", {"content-encoding": "zstd"}, 400, "not valid zstd"),
        (WIDE, {"content-encoding": "zstd"}, 400, "not valid zstd"),
        (b"{}", {"content-encoding": "br"}, 415, "gzip, zstd"),
        (b"{}", {"content-type": "text/plain"}, 415, "Content-Type"),
        (b"{}", {"content-type": "application/json; charset=utf-16"}, 415, "charset"),
    ],
)
def test_bad_bodies_get_an_answer_that_names_the_rule(url, key, data, headers, status, words):
    sent = {"content-type": "application/json", "authorization": f"Bearer {key}", **headers}
    answer = requests.post(f"{url}/v1/traces", data=data, headers=sent, timeout=20)
    assert answer.status_code == status
    assert words in answer.text
    assert "<html" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer {key}"},
        {"authorization": "Bearer%20{key}"},
        {"x-api-key": "{key}"},
        {"api_key": "{key}"},
        {"x-tracehub-key": "{key}"},
    ],
)
def test_the_key_is_taken_from_every_header_that_clients_use(url, key, headers):
    sent = {name: value.format(key=key) for name, value in headers.items()}
    sent["content-type"] = "application/json"
    answer = requests.post(f"{url}/v1/traces", json=body(span()), headers=sent, timeout=20)
    assert answer.status_code == 200


@pytest.mark.parametrize("wrong", ["", "Bearer nonsense", "Bearer th_ing_0123456789_" + "a" * 38])
def test_a_missing_or_wrong_key_is_401(url, key, wrong):
    sent = {"authorization": wrong} if wrong else {}
    answer = requests.post(f"{url}/v1/traces", json=body(span()), headers=sent, timeout=20)
    assert answer.status_code == 401
    assert answer.json()["code"] == 16


def test_a_body_that_is_too_large_is_refused_with_the_limit(url, key, settings):
    answer = post(url, key, b"x" * (17 * 1024 * 1024))
    assert answer.status_code == 413
    assert "16 MB" in answer.text


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("zstd", ZSTD)])
def test_a_small_body_that_inflates_beyond_the_limit_is_refused(url, key, encoding, compress):
    bomb = compress(b" " * (70 * 1024 * 1024))
    answer = post(url, key, bomb, **{"content-encoding": encoding})
    assert answer.status_code == 413


def test_nul_and_lone_surrogates_are_stored_with_a_stand_in(url, key):
    text = json.dumps(body(span(name="a\0b"))).replace("answer", "answer")
    raw = text.replace('"a\\u0000b"', '"a\\u0000b\\ud800"').encode()
    assert post(url, key, raw).status_code == 200
    assert StoredSpan.objects.get().name == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"


def test_a_span_without_times_is_stored_at_its_arrival(url, key):
    assert post(url, key, body(span(startTimeUnixNano="0", endTimeUnixNano="0"))).status_code == 200
    stored = StoredSpan.objects.get()
    assert stored.duration_ns is None
    assert "start_missing" in content_in(stored.payload)["flags"]


def test_secrets_are_masked_before_the_first_write(url, key):
    secret = "sk-" + "A1b2C3d4" * 5
    attributes = [
        {"key": "input.value", "value": {"stringValue": f"use {secret}"}},
        {"key": "http.request.header.authorization", "value": {"stringValue": "whatever"}},
    ]
    assert post(url, key, body(span(attributes=attributes))).status_code == 200
    stored = StoredSpan.objects.get()
    everything = b"".join(unpack(stored.payload)).decode() + json.dumps(stored.facts)
    assert secret not in everything
    assert "[masked:openai_key]" in everything
    assert "whatever" not in everything


def test_metrics_are_answered_but_not_stored(url, key):
    answer = post(url, key, {"resourceMetrics": []}, "/v1/metrics")
    assert answer.status_code == 200
    assert "not metrics" in answer.text


def test_a_wrong_method_is_405_with_allow(url, key):
    answer = requests.get(f"{url}/v1/traces", headers={"authorization": f"Bearer {key}"}, timeout=5)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
