"""The rules of OTLP that hold for a span however it was encoded."""

from __future__ import annotations

import gzip
import json

import orjson
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.core.wire.expectations import ARRIVED_NS
from tracehub.core.summary import digest, summarise
from tracehub.core.wire.decoded import MAX_SPANS
from tracehub.core.wire.json_text import replace_surrogates
from tracehub.core.wire.normalise import normalise
from tracehub.core.wire.otlp import WireError, decode_json, decode_protobuf

SPAN = {
    "traceId": "a" * 32,
    "spanId": "b" * 16,
    "name": "x",
    "startTimeUnixNano": "1795557034000000000",
    "endTimeUnixNano": "1795557034001000000",
}


def body(*spans, resource=()):
    scope = {"scope": {"name": "s"}, "spans": list(spans)}
    resource = {"attributes": list(resource)}
    return orjson.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]})


def one(**fields):
    return decode_json(body({**SPAN, **fields})).spans[0]


def protobuf(**fields):
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id, span.name = b"\1" * 16, b"\2" * 8, "x"
    span.start_time_unix_nano, span.end_time_unix_nano = 10**18, 10**18 + 5
    for name, value in fields.items():
        setattr(span, name, value)
    return request, span


@pytest.mark.parametrize("number", [1795557034000000001, "1795557034000000001"])
def test_nanoseconds_keep_every_digit(number):
    assert one(startTimeUnixNano=number).start_ns == 1795557034000000001


@pytest.mark.parametrize("number", [-1, "-1", "1.5", 1.5, "x", 2**64, [], True])
def test_other_times_reject_the_span_and_say_the_rule(number):
    wrong = json.dumps({**SPAN, "startTimeUnixNano": number}).encode()
    decoded = decode_json(body("WRONG", SPAN).replace(b'"WRONG"', wrong))
    assert len(decoded.spans) == 1
    assert "unsigned 64-bit" in decoded.explain()
    assert decoded.rejected[0].field == "startTimeUnixNano"


def test_ids_in_base64_are_rejected_with_a_hint():
    decoded = decode_json(body({**SPAN, "traceId": "oqKioqKioqKioqKioqKiog=="}))
    assert "base64" in decoded.explain()


@pytest.mark.parametrize("parent", ["", None, "0" * 16])
def test_no_parent_is_a_root(parent):
    assert one(parentSpanId=parent).parent_id is None


def test_a_wrong_parent_rejects_the_span():
    decoded = decode_json(body({**SPAN, "parentSpanId": "12"}))
    assert decoded.rejected[0].field == "parentSpanId"


@pytest.mark.parametrize(
    ("field", "value"), [("trace_id", b"\1" * 15), ("span_id", b""), ("span_id", b"\0" * 8)]
)
def test_protobuf_ids_go_by_their_length(field, value):
    request, _ = protobuf(**{field: value})
    decoded = decode_protobuf(request.SerializeToString())
    assert len(decoded.rejected) == 1
    assert not decoded.spans


def test_every_kind_of_value_is_read_alike_in_both_encodings():
    request, span = protobuf()
    values = {
        "text": {"stringValue": "t"},
        "empty": {"stringValue": ""},
        "whole": {"intValue": "-5"},
        "half": {"doubleValue": 0.5},
        "nan": {"doubleValue": "NaN"},
        "yes": {"boolValue": True},
        "bytes": {"bytesValue": "AAEC/w=="},
        "list": {"arrayValue": {"values": [{"intValue": 1}, {}, {"stringValue": "a"}]}},
        "map": {"kvlistValue": {"values": [{"key": "k", "value": {"boolValue": False}}]}},
        "nothing": {},
    }
    for key, value in values.items():
        pair = span.attributes.add(key=key)
        if "stringValue" in value:
            pair.value.string_value = value["stringValue"]
    span.attributes[2].value.int_value = -5
    span.attributes[3].value.double_value = 0.5
    span.attributes[4].value.double_value = float("nan")
    span.attributes[5].value.bool_value = True
    span.attributes[6].value.bytes_value = b"\0\1\2\xff"
    items = span.attributes[7].value.array_value.values
    items.add().int_value = 1
    items.add()
    items.add().string_value = "a"
    span.attributes[8].value.kvlist_value.values.add(key="k").value.bool_value = False
    expected = {
        "text": "t",
        "empty": "",
        "whole": -5,
        "half": 0.5,
        "nan": "NaN",
        "yes": True,
        "bytes": "AAEC/w==",
        "list": [1, None, "a"],
        "map": {"k": False},
        "nothing": None,
    }
    sent = [{"key": key, "value": value} for key, value in values.items()]
    assert one(attributes=sent).attributes == expected
    assert decode_protobuf(request.SerializeToString()).spans[0].attributes == expected


def test_of_two_equal_keys_the_last_wins():
    pairs = [{"key": "k", "value": {"intValue": n}} for n in (1, 2)]
    assert one(attributes=pairs).attributes == {"k": 2}


@pytest.mark.parametrize("key", ["__proto__", "constructor.prototype.x", "a.b"])
def test_strange_keys_are_plain_data(key):
    assert one(attributes=[{"key": key, "value": {"stringValue": "v"}}]).attributes == {key: "v"}


def test_integers_beyond_64_bits_stay_text():
    assert one(attributes=[{"key": "k", "value": {"intValue": "1" * 30}}]).attributes == {
        "k": "1" * 30
    }


def test_nul_and_lone_surrogates_are_replaced_and_counted_in_both_encodings():
    text = body(
        {**SPAN, "name": "a\0b", "attributes": [{"key": "k\0", "value": {"stringValue": "SUR"}}]}
    )
    decoded = decode_json(text.replace(b"SUR", rb"x\ud800 \ud83d\ude00 \\ud800"))
    span = decoded.spans[0]
    assert span.name == "a\ufffdb"
    assert span.attributes == {"k\ufffd": "x\ufffd \N{GRINNING FACE} \\ud800"}
    assert decoded.replaced == 3
    assert "U+FFFD" in decoded.warnings[0]
    request, message = protobuf(name="a\0b")
    message.attributes.add(key="k\0").value.string_value = "v\0"
    decoded = decode_protobuf(request.SerializeToString())
    assert decoded.spans[0].attributes == {"k\ufffd": "v\ufffd"}
    assert decoded.replaced == 3


def test_surrogates_are_mended_in_linear_time():
    text = rb"\\" * 400_000 + rb"\ud800" + rb"\u0041" * 200_000
    assert replace_surrogates(text)[1] == 1


def test_invalid_utf8_in_protobuf_becomes_a_visible_stand_in():
    request, span = protobuf(name="nam-E")
    span.attributes.add(key="k").value.string_value = "val-E"
    decoded = decode_protobuf(request.SerializeToString().replace(b"-E", b"\xff\xfe"))
    assert decoded.spans[0].name == "nam\ufffd\ufffd"
    assert decoded.spans[0].attributes == {"k": "val\ufffd\ufffd"}
    assert decoded.replaced == 4


def test_too_many_spans_are_refused_with_the_limit():
    spans = [{"spanId": "1"}] * (MAX_SPANS + 1)
    with pytest.raises(WireError, match="50,000"):
        decode_json(body(*spans))


@pytest.mark.parametrize(
    "text", [b"[]", b'"x"', b'{"resourceSpans": {}}', b'{"resourceSpans": [1]}', b"", b"\xff"]
)
def test_other_json_is_refused_with_a_sentence(text):
    with pytest.raises(WireError) as caught:
        decode_json(text)
    assert caught.value.field
    assert str(caught.value).endswith((".", ")", "]")) or "Got" in str(caught.value)


def test_compressed_bytes_are_no_request():
    with pytest.raises(WireError, match="protobuf"):
        decode_protobuf(gzip.compress(b"x"))


def test_headers_of_the_ai_sdk_are_never_kept():
    pairs = [
        {"key": "ai.operationId", "value": {"stringValue": "ai.generateText"}},
        {"key": "ai.request.headers.authorization", "value": {"stringValue": "Bearer secret"}},
    ]
    assert list(one(attributes=pairs).attributes) == ["ai.operationId"]


def test_an_impossible_start_becomes_the_arrival_and_the_sent_value_is_kept():
    span = normalise(one(startTimeUnixNano="4294967295000000000"), arrived_ns=ARRIVED_NS)
    assert (span.start_ns, span.flags) == (ARRIVED_NS, ["end_before_start", "start_in_future"])
    assert span.attributes["tracehub.sent_start_ns"] == 4294967295000000000


def test_what_the_client_cut_is_known():
    assert one(droppedAttributesCount=3, droppedLinksCount=0).dropped == {"attributes": 3}


def test_links_state_and_flags_are_kept():
    raw = one(links=[{"traceId": "C" * 32, "spanId": "d" * 16}], traceState="a=b", flags=257)
    assert raw.links[0]["trace_id"] == "c" * 32
    assert (raw.trace_state, raw.flags) == ("a=b", 257)


@pytest.mark.parametrize("code", [2, "2", "STATUS_CODE_ERROR"])
def test_status_codes_are_numbers_or_names(code):
    assert one(status={"code": code, "message": "m"}).status_code == 2


def test_siblings_of_one_microsecond_go_by_their_nanoseconds():
    """Postgres keeps microseconds; the order is that of the full numbers."""
    start = 1795557034000000000

    def call(number, offset, said):
        pairs = {"gen_ai.operation.name": "chat", "gen_ai.prompt.0.content": said}
        return {
            **SPAN,
            "spanId": f"{number:016x}",
            "startTimeUnixNano": str(start + offset),
            "attributes": [{"key": k, "value": {"stringValue": v}} for k, v in pairs.items()],
        }

    sent = decode_json(body(call(1, 3, "last"), call(2, 1, "first"), call(3, 2, "second"))).spans
    spans = [normalise(span, arrived_ns=ARRIVED_NS) for span in sent]
    assert len({span.start_ns // 1000 for span in spans}) == 1
    assert summarise([digest(span) for span in spans]).input_span == f"{2:016x}"


def test_a_name_of_128_kb_and_20_000_attributes_are_one_span_like_any():
    pairs = [{"key": f"k{n}", "value": {"intValue": n}} for n in range(20_000)]
    found = normalise(one(name="n" * 131_072, attributes=pairs), arrived_ns=ARRIVED_NS)
    assert (len(found.name), len(found.attributes)) == (131_072, 20_000)
