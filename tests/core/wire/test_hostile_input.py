"""Whatever comes over the wire: an answer or a WireError, never anything else."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.wire import strategies
from tests.core.wire.expectations import ARRIVED_NS, FOLDER
from tracehub.core.digest import digest
from tracehub.core.summary import summarise
from tracehub.core.trace import Span
from tracehub.core.wire.native import decode as decode_native
from tracehub.core.wire.normalise import normalise
from tracehub.core.wire.otlp import WireError, decode_json, decode_protobuf

BODIES = [path.read_bytes() for path in sorted(FOLDER.glob("*.pb")) if path.stat().st_size < 9_000]
JSON_BODIES = [
    path.read_bytes()
    for path in sorted(FOLDER.glob("edge-*.json"))
    if not path.name.endswith("meta.json")
]
MODEST = settings(max_examples=60, deadline=None)


def is_storable(value):
    """Postgres takes it: JSON within orjson's depth, no NUL."""
    text = orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    return b"\\u0000" not in text.replace(b"\\\\", b"")


def through(decode, body):
    """Decode and normalise; a WireError is a fine answer."""
    try:
        decoded = decode(body)
    except WireError as error:
        assert str(error)
        return None
    for raw in decoded.spans:
        span = normalise(raw, arrived_ns=ARRIVED_NS)
        assert is_storable([span.name, span.input, span.output, span.attributes, span.events])
        digest(span)
    return decoded


@MODEST
@given(st.binary(max_size=300))
def test_any_bytes_are_decoded_or_refused(body):
    through(decode_protobuf, body)
    through(decode_json, body)


@MODEST
@given(st.sampled_from(BODIES), st.integers(0, 10_000), st.binary(min_size=1, max_size=6))
def test_mutated_protobuf_is_decoded_or_refused(body, at, patch):
    at %= max(len(body), 1)
    through(decode_protobuf, body[:at] + patch + body[at + len(patch) :])


@MODEST
@given(st.sampled_from(BODIES), st.integers(0, 10_000))
def test_cut_protobuf_is_decoded_or_refused(body, at):
    through(decode_protobuf, body[: at % max(len(body), 1)])


@MODEST
@given(st.sampled_from(JSON_BODIES), st.integers(0, 10_000), st.text(min_size=1, max_size=6))
def test_mutated_json_is_decoded_or_refused(body, at, patch):
    at %= max(len(body), 1)
    through(decode_json, body[:at] + patch.encode("utf-8", "replace") + body[at + 3 :])


SPAN = {
    "traceId": "a" * 32,
    "spanId": "b" * 16,
    "name": "x",
    "startTimeUnixNano": "1795557034000000000",
    "endTimeUnixNano": "1795557034001000000",
    "status": {},
    "attributes": [{"key": "a", "value": {"stringValue": "b"}}],
    "events": [{"name": "exception", "attributes": []}],
}


@MODEST
@given(st.sampled_from(sorted(SPAN)), strategies.values)
def test_a_field_of_any_type_harms_its_span_only(field, value):
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [{**SPAN, field: value}, SPAN]}]}]}
    decoded = through(decode_json, orjson.dumps(body))
    assert decoded is not None
    assert decoded.total == 2
    assert decoded.spans[-1].span_id == "b" * 16


@MODEST
@given(strategies.values)
def test_any_json_is_decoded_or_refused(value):
    through(decode_json, orjson.dumps(value))
    through(decode_json, orjson.dumps({"resourceSpans": value}))


@settings(max_examples=250, deadline=None)
@given(strategies.raw_spans)
def test_normalising_never_raises_and_gives_storable_json(raw):
    span = normalise(raw, arrived_ns=ARRIVED_NS)
    assert span.duration_ns is None or 0 <= span.duration_ns < 2**63
    assert 0 < span.start_ns < 2**63
    parts = [span.input, span.output, span.context, span.parameters, span.facts.metadata]
    orjson.dumps(parts, option=orjson.OPT_NON_STR_KEYS)
    assert isinstance(span.name, str)
    for messages in (span.input, span.output):
        if isinstance(messages, dict) and "messages" in messages and span.kind == "llm":
            assert isinstance(messages["messages"], list)


@settings(max_examples=80, deadline=None)
@given(st.lists(strategies.raw_spans, min_size=1, max_size=6, unique_by=lambda raw: raw.span_id))
def test_digests_and_summaries_of_any_spans_never_raise(raws):
    digests = [digest(normalise(raw, arrived_ns=ARRIVED_NS)) for raw in raws]
    assert summarise(digests) == summarise(digests[::-1])


@MODEST
@given(
    strategies.values
    | st.dictionaries(
        st.sampled_from(
            [
                "name",
                "spans",
                "model",
                "input",
                "output",
                "tool_calls",
                "tokens",
                "prompt",
                "trace_id",
                "context",
                "error",
                "events",
            ]
        ),
        strategies.near_misses,
    )
)
def test_native_json_is_taken_or_rejected_with_a_field(value):
    options = {"arrived_ns": ARRIVED_NS, "fresh_id": lambda: "ab" * 16}
    for lines in (False, True):
        result = decode_native(orjson.dumps(value), lines=lines, **options)
        for entry in result.rejected:
            assert entry["message"]
        for span in result.spans:
            digest(span)


@pytest.mark.parametrize("depth", [65, 300, 1_000, 5_000])
def test_deep_nesting_is_refused_with_a_sentence(depth):
    value = b'{"arrayValue":{"values":[' * depth + b"{}" + b"]}}" * depth
    attribute = b'{"key":"k","value":' + value + b"}"
    body = (
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"'
        + b"a" * 32
        + b'","spanId":"'
        + b"b" * 16
        + b'","attributes":['
        + attribute
        + b"]}]}]}]}"
    )
    with pytest.raises(WireError, match=r"deep|depth"):
        decode_json(body)


@pytest.mark.parametrize("depth", [70, 200, 900, 3_000])
def test_deep_json_in_a_string_stays_a_string(depth):
    text = "[" * depth + "]" * depth
    body = orjson.dumps(
        {
            "resourceSpans": [
                {
                    "scopeSpans": [
                        {
                            "spans": [
                                {
                                    **SPAN,
                                    "attributes": [
                                        {"key": "input.value", "value": {"stringValue": text}}
                                    ],
                                }
                            ]
                        }
                    ]
                }
            ]
        }
    )
    decoded = through(decode_json, body)
    assert normalise(decoded.spans[0], arrived_ns=ARRIVED_NS).input == text


@MODEST
@given(st.fixed_dictionaries({"messages": strategies.near_misses}) | strategies.near_misses)
def test_digests_take_any_payload(value):
    for kind in ("llm", "chain"):
        item = Span("ab" * 16, "cd" * 8, None, "x", kind, 1, 1, input=value, output=value)
        digest(item)
        wrapped = {"messages": [value, value, value]}
        digest(Span("ab" * 16, "cd" * 8, None, "x", kind, 1, 1, input=wrapped, output=wrapped))
