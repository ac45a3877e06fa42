"""TraceHub's own JSON: the short form, whole traces, lines, and errors that can be mended."""

from __future__ import annotations

from decimal import Decimal

import orjson
import pytest

from tests.core.wire.expectations import ARRIVED_NS, FOLDER, decode, load_meta
from tracehub.core.summary import digest, summarise
from tracehub.core.trace import ValidationError
from tracehub.core.trace_json import span_json
from tracehub.core.wire.decoded import WireError
from tracehub.core.wire.native import decode as decode_native
from tracehub.core.wire.normalise import normalise

FRESH = "ab" * 16


def read(value, *, lines=False, key=None):
    body = value if isinstance(value, bytes) else orjson.dumps(value)
    return decode_native(
        body, lines=lines, arrived_ns=ARRIVED_NS, fresh_id=lambda: FRESH, idempotency_key=key
    )


def problem(value):
    """Field and message of the one rejection."""
    found = read(value)
    assert not found.spans
    return found.rejected[0]["field"], found.rejected[0]["message"]


def test_the_short_form_is_one_call_of_a_model():
    found = read(
        {
            "name": "refund",
            "model": "gpt-4o",
            "prompt": "refund@v12",
            "input": "Can I get my money back?",
            "output": "Yes.",
            "tokens": {"input": 3, "output": 1},
            "latency_ms": 12.5,
            "cost": "0.01",
            "context": ["policy text"],
            "validation_errors": [{"pointer": "/a", "rule": "type", "message": "m"}],
            "session_id": "s",
            "cohort": "canary",
        }
    )
    (span,) = found.spans
    assert (span.kind, span.model, span.prompt.label) == ("llm", "gpt-4o", "refund@v12")
    assert span.duration_ns == 12_500_000
    assert (span.tokens.total, span.cost) == (4, Decimal("0.01"))
    assert span.context[0]["content"] == "policy text"
    assert span.validation_errors == [ValidationError("/a", "type", "m")]
    assert span.input["messages"][0]["content"] == [
        {"type": "text", "text": "Can I get my money back?"}
    ]
    summary = summarise([digest(span)])
    assert (summary.name, summary.session_id, summary.cohort) == ("refund", "s", "canary")
    assert (summary.finished, summary.start_ns) == (True, ARRIVED_NS)


def test_tool_calls_of_the_short_form_are_in_its_answer():
    call = {"id": "c1", "name": "get_booking", "arguments": '{"pnr": "X"}'}
    (span,) = read({"name": "a", "output": "Let me see.", "tool_calls": [call]}).spans
    (message,) = span.output["messages"]
    assert message["tool_calls"] == [{"id": "c1", "name": "get_booking", "arguments": {"pnr": "X"}}]
    assert message["content"] == [{"type": "text", "text": "Let me see."}]


def test_a_structured_output_stays_json():
    (span,) = read({"name": "a", "output": {"refund": 1}}).spans
    assert span.output == {"refund": 1}


def test_a_trace_with_spans_keeps_its_tree():
    found = read(
        {
            "trace_id": "CD" * 16,
            "name": "desk",
            "user_id": "u",
            "spans": [
                {
                    "span_id": "0" * 15 + "1",
                    "name": "desk",
                    "kind": "agent",
                    "duration_ms": 9,
                    "started_at": "2026-11-24T09:40:12.204113Z",
                },
                {
                    "name": "get",
                    "kind": "tool",
                    "parent_id": "0" * 15 + "1",
                    "input": {"a": 1},
                    "output": 2,
                    "duration_ms": None,
                },
            ],
        }
    )
    root, tool = found.spans
    assert found.trace_ids == ["cd" * 16]
    assert root.start_ns == 1795513212204113000
    assert (tool.tool.arguments, tool.tool.result, tool.finished) == ({"a": 1}, 2, False)
    assert (root.facts.user_id, tool.facts.user_id) == ("u", None)
    assert len(tool.span_id) == 16


def test_a_retry_with_the_same_key_is_the_same_trace_and_span():
    first, again = (read([{"name": "a"}, {"name": "b"}], key="k") for _ in range(2))
    assert first.trace_ids == again.trace_ids
    assert first.trace_ids[0] != first.trace_ids[1]
    assert [s.span_id for s in first.spans] == [s.span_id for s in again.spans]
    assert read({"name": "a"}).trace_ids == [FRESH]


def test_bad_lines_are_told_by_number_and_the_good_ones_are_taken():
    body = b'{"name":"a"}\n\nnot json\n{"nme":"b"}\n{"name":"c"}\n'
    found = read(body, lines=True)
    assert [entry["line"] for entry in found.rejected] == [3, 4]
    assert found.accepted == 2


@pytest.mark.parametrize(
    ("value", "field", "words"),
    [
        ({}, "name", "or `spans`"),
        ({"name": "a", "modle": "m"}, "modle", "Did you mean model"),
        ({"name": 5}, "name", "text"),
        ({"name": "a", "trace_id": "xyz"}, "trace_id", "32 hexadecimal"),
        ({"name": "a", "trace_id": "0" * 32}, "trace_id", "not all 0"),
        ({"name": "a", "started_at": "yesterday"}, "started_at", "2026-11-24T"),
        ({"name": "a", "started_at": "1950-01-01"}, "started_at", "after 1970"),
        ({"name": "a", "started_at": "0001-01-01T00:00:00+14:00"}, "started_at", "after 1970"),
        ({"name": "a", "latency_ms": -1}, "latency_ms", "milliseconds"),
        ({"name": "a", "latency_ms": True}, "latency_ms", "milliseconds"),
        ({"name": "a", "cost": "much"}, "cost", "US dollars"),
        ({"name": "a", "tokens": {"input": -1}}, "tokens.input", "whole number"),
        ({"name": "a", "tokens": {"inputs": 1}}, "tokens.inputs", "Did you mean input"),
        ({"name": "a", "outcome": "fine"}, "outcome", "answered"),
        ({"name": "a", "context": [5]}, "context[0]", "object"),
        ({"name": "a", "tool_calls": [{"nam": 1}]}, "tool_calls[0].nam", "name"),
        ({"spans": []}, "spans", "at least one"),
        ({"spans": [{"kind": "llm"}]}, "spans[0].name", "must be sent"),
        ({"spans": [{"name": "a", "kind": "LLM"}]}, "spans[0].kind", "llm"),
        ({"spans": [{"name": "a", "events": [{"time": 1}]}]}, "spans[0].events[0].time", "time"),
        (
            {"spans": [{"name": "a", "span_id": "1" * 16}, {"name": "b", "span_id": "1" * 16}]},
            "spans[1].span_id",
            "unique",
        ),
        ("text", "", "object"),
    ],
)
def test_a_wrong_field_is_named_with_the_rule_and_what_came(value, field, words):
    found, message = problem(value)
    assert found == field
    assert words in message


def test_the_scores_of_an_exported_trace_are_taken_back():
    score = {"name": "thumbs", "value": 0, "span_id": "ab" * 8, "response_id": None}
    (span,) = read({"name": "a", "feedback": [score]}).spans
    assert span.feedback == [{"label": None, "comment": None, **score}]


def test_nothing_that_is_no_json_is_read():
    with pytest.raises(WireError, match="not JSON"):
        read(b"{")
    with pytest.raises(WireError, match="64 deep"):
        read(b'{"name":"a","input":' + b"[" * 70 + b"]" * 70 + b"}")


def test_nul_becomes_a_visible_stand_in():
    (span,) = read(rb'{"name":"a\u0000b","metadata":{"k\u0000":"\ud800"}}').spans
    assert span.name == "a\ufffdb"
    assert span.facts.metadata == {"k\ufffd": "\ufffd"}


def test_a_start_in_the_future_becomes_the_arrival():
    (span,) = read({"name": "a", "started_at": "2100-01-01T00:00:00Z"}).spans
    assert (span.start_ns, span.flags) == (ARRIVED_NS, ["start_in_future"])


@pytest.mark.parametrize("name", ["openinference-openai-support", "pydantic-ai-schema-retry"])
def test_what_the_api_gives_can_be_sent_back(name):
    for request in load_meta(FOLDER / f"{name}.meta.json")["requests"]:
        spans = [normalise(raw, arrived_ns=ARRIVED_NS) for raw in decode(request).spans]
        traces = {}
        for span in spans:
            traces.setdefault(span.trace_id, []).append(span)
        sent = [
            {"trace_id": trace_id, "spans": [span_json(span) for span in group]}
            for trace_id, group in traces.items()
        ]
        again = read(sent)
        assert not again.rejected
        sent_spans = [span for group in traces.values() for span in group]
        for before, after in zip(sent_spans, again.spans, strict=True):
            assert span_json(after) == span_json(before) | {
                "started_at": span_json(after)["started_at"]
            }
