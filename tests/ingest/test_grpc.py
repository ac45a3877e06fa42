"""OTLP over gRPC: `tracehub otlp-grpc` as a process, and what it says when it cannot."""

from __future__ import annotations

import contextlib
import gzip
import os
import signal
import subprocess
import sys
import threading

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult

from tracehub.core.wire import otlp_answer
from tracehub.digest.actions import digest_all
from tracehub.ingest.grpc_server import PATHS
from tracehub.traces.models import StoredSpan, Trace

TRACES, _LOGS, METRICS = PATHS


@pytest.fixture
def address(committed_db, tmp_path):
    """The command as a process on the test's database."""
    env = {
        **os.environ,
        "DATABASE_URL": committed_db,
        "TRACEHUB_DATA_DIR": str(tmp_path),
        "TRACEHUB_MIN_FREE_MB": "0",
        "TRACEHUB_OTLP_GRPC_CALLS": "2",
    }
    command = [sys.executable, "-m", "tracehub.cli.main", "otlp-grpc", "--port", "0"]
    process = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stderr.readline()
        assert "OTLP over gRPC at" in line, line + process.stderr.read()
        yield line.split()[-1]
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
        process.stderr.close()


def call(address, method, body, key, **options):
    with grpc.insecure_channel(address) as channel:
        metadata = (("authorization", f"Bearer {key}"),)
        return channel.unary_unary(method)(body, metadata=metadata, timeout=20, **options)


def refusal(*given, **options):
    """The code of a call that is refused, and what its details say."""
    with pytest.raises(grpc.RpcError) as caught:
        call(*given, **options)
    details = dict(caught.value.trailing_metadata())["grpc-status-details-bin"]
    said = status_pb2.Status.FromString(details)
    assert said.code == caught.value.code().value[0]
    return caught.value.code(), said


@contextlib.contextmanager
def held_back(address, key, calls):
    """Calls that run and whose message does not come."""
    ended = threading.Event()

    def messages():
        ended.wait(20)
        yield b""

    with grpc.insecure_channel(address) as channel:
        metadata = (("authorization", f"Bearer {key}"),)
        begin = channel.stream_unary(TRACES).future
        held = [begin(messages(), metadata=metadata) for _ in range(calls)]
        yield held  # who lets go of one ends it
        ended.set()


def refused_as_busy(address, key):
    """Whether a call is told to come again, since others run."""
    try:
        call(address, TRACES, b"", key)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAVAILABLE
        return "2 calls run at once" in error.details()
    return False


def test_a_real_exporter_stores_over_grpc_and_refusals_are_named(address, key, project, wait_for):
    exporter = OTLPSpanExporter(
        endpoint=f"http://{address}",
        insecure=True,
        headers=(("authorization", f"Bearer {key}"),),
        compression=grpc.Compression.Gzip,
    )
    tracing = TracerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = tracing.get_tracer("test")
    with tracer.start_as_current_span("support"), tracer.start_as_current_span("chat") as chat:
        chat.set_attribute("gen_ai.operation.name", "chat")
        chat.set_attribute("gen_ai.request.model", "gpt-4o")
        chat.set_attribute("api.password", "th_ing_" + "x" * 10)
    assert exporter.export(()) == SpanExportResult.SUCCESS
    assert StoredSpan.objects.filter(project_id=project.pk).count() == 2
    digest_all(seconds=20)
    trace = Trace.objects.get()
    assert (trace.name, trace.model_names, trace.span_count) == ("support", ["gpt-4o"], 2)

    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="requests")
    metric.sum.data_points.add(as_int=1)
    said = ExportMetricsServiceResponse.FromString(
        call(address, METRICS, request.SerializeToString(), key)
    )
    assert said.partial_success.rejected_data_points == 1

    code, said = refusal(address, TRACES, b"", "nothing")
    assert (code, "not a TraceHub key" in said.message) == (grpc.StatusCode.UNAUTHENTICATED, True)
    code, said = refusal(address, TRACES, b"\x08", key)
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    bomb = gzip.compress(bytes(80 * 1024 * 1024))  # 80 KB as sent, beyond 64 MB inflated
    code, said = refusal(address, TRACES, bomb, key)
    assert (code, "64" in said.message) == (grpc.StatusCode.INVALID_ARGUMENT, True)
    code, said = refusal(address, TRACES, b"a" * 2000, key, compression=grpc.Compression.Deflate)
    assert "gzip or none" in said.message
    with pytest.raises(grpc.RpcError) as caught:
        call(address, TRACES.replace("trace", "profiles"), b"", key)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert call(address, TRACES, ExportTraceServiceRequest().SerializeToString(), key) == b""
    with held_back(address, key, 2):
        wait_for(lambda: refused_as_busy(address, key))


def test_a_server_that_is_behind_says_when_to_come_again():
    code, body = otlp_answer.grpc_status(503, "The server is behind.", None, 2)
    said = status_pb2.Status.FromString(body)
    retry = error_details_pb2.RetryInfo()
    assert said.details[0].Unpack(retry)
    assert (code, said.code, retry.retry_delay.seconds) == (14, 14, 2)
    code, body = otlp_answer.grpc_status(413, "Too large.", "body", None)
    said = status_pb2.Status.FromString(body)
    assert (code, said.code, len(said.details)) == (3, 3, 1)
