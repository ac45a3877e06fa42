"""A large request in pieces says what it said whole."""

from __future__ import annotations

import orjson
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.core.wire.expectations import FOLDER, decode, is_traces, load_meta
from tracehub.core.wire import decoded as rules
from tracehub.core.wire.decoded import WireError
from tracehub.core.wire.otlp import decode_json, decode_json_parts, decode_protobuf
from tracehub.core.wire.otlp_split import pieces

PROTOBUF = "application/x-protobuf"


def requests():
    for path in sorted(FOLDER.glob("*.meta.json")):
        for request in load_meta(path)["requests"]:
            if is_traces(request) and request.get("expect", {}).get("status", 200) == 200:
                yield pytest.param(request, id=request["file"])


@pytest.mark.parametrize("size", [1, 600, 10_000_000])
@pytest.mark.parametrize("request_", list(requests()))
def test_pieces_hold_the_same_spans(request_, size):
    whole = decode(request_)
    body = (FOLDER / request_["file"]).read_bytes()
    if request_["headers"].get("content-type", "").startswith(PROTOBUF):
        parts = [decode_protobuf(piece) for piece in pieces(body, size)]
    else:
        parts = list(decode_json_parts(body, size))
    assert [span for part in parts for span in part.spans] == whole.spans
    assert [item.message for part in parts for item in part.rejected] == [
        item.message for item in whole.rejected
    ]


def big(spans):
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for number in range(1, spans + 1):
        span = scope.spans.add()
        span.trace_id, span.span_id = b"\x01" * 16, number.to_bytes(8)
    return request


def test_a_piece_is_no_larger_than_asked_by_more_than_a_span():
    body = big(5_000).SerializeToString()
    sizes = [len(piece) for piece in pieces(body, 10_000)]
    assert max(sizes) < 10_200
    assert len(sizes) == pytest.approx(len(body) / 10_000, abs=2)


def test_too_many_spans_are_refused_before_anything_is_parsed(monkeypatch):
    monkeypatch.setattr(rules, "MAX_SPANS", 10)
    with pytest.raises(WireError, match="may hold 10 spans"):
        next(pieces(big(11).SerializeToString(), 100))


@pytest.mark.parametrize("body", [b"\x0b\x0c", b"\x0a\x7f", b"\x00\x01", b"\xff" * 11])
def test_what_cannot_be_cut_is_left_to_the_parser(body):
    assert list(pieces(body, 1)) == [body]


def test_parts_of_json_hold_as_many_spans_as_asked():
    spans = [{"traceId": "01" * 16, "spanId": f"{n:016x}"} for n in range(1, 8)]
    body = {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}
    parts = list(decode_json_parts(orjson.dumps(body), 3))
    assert [len(part.spans) for part in parts] == [3, 3, 1]
    assert len(decode_json(orjson.dumps(body)).spans) == 7
