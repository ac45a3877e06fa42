"""Spans that Phoenix exported are the spans that were sent to Phoenix."""

from __future__ import annotations

import orjson
import pytest

from tests.core.wire.expectations import ARRIVED_NS
from tracehub.core.wire.normalise import normalise
from tracehub.core.wire.otlp_json import decode_json
from tracehub.core.wire.phoenix_export import is_span, otlp_of

ROW = {
    "name": "ChatCompletion",
    "span_kind": "LLM",
    "parent_id": None,
    "start_time": 1_795_514_400_000,
    "end_time": 1_795_514_401_500,
    "status_code": "ERROR",
    "status_message": "too slow",
    "events": [{"name": "exception", "timestamp": "2026-11-24T10:00:01+00:00",
                "attributes": {"exception.type": "Timeout"}}],
    "context.span_id": "0102030405060708",
    "context.trace_id": "ab" * 16,
    "attributes.llm.model_name": "gpt-4o",
    "attributes.llm.token_count.prompt": 12,
    "attributes.llm.invocation_parameters": {"temperature": 0.2},
    "attributes.llm.input_messages": [
        {"message.role": "user", "message.content": "Refund X7K2QD"}
    ],
    "attributes.metadata": {"tenant": 12},
    "attributes.tag.tags": ["eu"],
    "attributes.session.id": None,
}  # fmt: skip
API = {
    "name": "ChatCompletion",
    "span_kind": "LLM",
    "parent_id": None,
    "start_time": "2026-11-24T10:00:00Z",
    "end_time": "2026-11-24T10:00:01.500000Z",
    "status_code": "ERROR",
    "status_message": "too slow",
    "events": ROW["events"],
    "context": {"trace_id": "ab" * 16, "span_id": "0102030405060708"},
    "attributes": {
        "llm.model_name": "gpt-4o",
        "llm.token_count.prompt": 12,
        "llm.invocation_parameters": '{"temperature":0.2}',
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.content": "Refund X7K2QD",
        "metadata": '{"tenant":12}',
        "tag.tags": ["eu"],
    },
}


@pytest.mark.parametrize("item", [ROW, API], ids=["data frame", "API"])
def test_both_forms_give_the_same_span(item):
    assert is_span(item)
    sent = {"resourceSpans": [{"scopeSpans": [{"spans": [otlp_of(item)]}]}]}
    decoded = decode_json(orjson.dumps(sent))
    assert not decoded.rejected
    span = normalise(decoded.spans[0], arrived_ns=ARRIVED_NS)
    assert (span.kind, span.model, span.tokens.input) == ("llm", "gpt-4o", 12)
    assert (span.duration_ns, span.error) == (1_500_000_000, True)
    assert span.input["messages"][0]["content"][0]["text"] == "Refund X7K2QD"
    assert span.parameters == {"temperature": 0.2}
    assert (span.facts.tags, span.facts.metadata) == (["eu"], {"tenant": 12})
    assert span.events[0]["attributes"] == {"exception.type": "Timeout"}


@pytest.mark.parametrize("odd", [None, "yesterday", -1, [], {}])
def test_odd_values_are_left_to_ingestion(odd):
    item = {"context.trace_id": odd, "start_time": odd, "attributes.a": odd, "events": odd or []}
    assert otlp_of(item)["startTimeUnixNano"] == "0"
