from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracehub.core.cases import read
from tracehub.core.promotion import Judgement, content, recorded_output
from tracehub.core.trace import Prompt, Signal, Span, ToolUse, TraceSummary, ValidationError

TRACE = "9f" * 16


def chat(*messages: tuple[str, str]) -> dict:
    return {
        "messages": [
            {"role": role, "content": [{"type": "text", "text": text}], "tool_calls": []}
            for role, text in messages
        ]
    }


def span(n: int, kind: str = "llm", **fields) -> Span:
    given = {
        "name": f"step-{n}",
        "input": chat(("user", "Hi")),
        "output": chat(("assistant", "Yo")),
    }
    return Span(
        TRACE, f"{n:016x}", None, kind=kind, start_ns=n, duration_ns=1, **{**given, **fields}
    )


def summary(output: int | None = None) -> TraceSummary:
    return TraceSummary(
        TRACE, "t", False, 1, 1, "ok", True, tags=["eu"],
        output_span=f"{output:016x}" if output else None,
    )  # fmt: skip


def test_the_worst_call_is_the_case_unless_the_output_was_corrected():
    spans = [span(1), span(2), span(3)]
    signals = [
        Signal("retried", "again", "low", spans[0].span_id),
        Signal("schema_error", "must be number", "high", spans[1].span_id),
    ]
    made = content(summary(3), spans, signals, Judgement())
    assert made["source"]["span_id"] == spans[1].span_id
    assert (made["title"], made["severity"], made["kind"]) == (
        "must be number",
        "high",
        "known_failure",
    )
    corrected = Judgement("fail", has_correction=True, corrected="No")
    made = content(summary(3), spans, signals, corrected)
    assert made["source"]["span_id"] == spans[2].span_id
    assert made["expected_output"] == "No"


def test_a_chain_gives_way_to_the_call_that_made_its_output():
    spans = [span(1, "chain", input="Hi", output="Yo"), span(2)]
    made = content(summary(1), spans, [], Judgement())
    assert made["source"]["span_id"] == spans[1].span_id


def test_a_passed_trace_expects_what_it_answered():
    made = content(summary(1), [span(1)], [], Judgement("pass"))
    assert (made["kind"], made["expected_output"]) == ("success", "Yo")
    assert content(summary(1), [span(1)], [], Judgement())["expected_output"] is None


def test_a_span_can_be_named_and_must_be_there():
    spans = [span(1, prompt=Prompt("refund", "v12", None, {"pnr": "X"})), span(2)]
    made = content(summary(2), spans, [], Judgement(), span_id=spans[0].span_id)
    assert made["prompt"] == {"name": "refund", "version": "v12"}
    assert made["input"]["variables"] == {"pnr": "X"}
    with pytest.raises(LookupError):
        content(summary(2), spans, [], Judgement(), span_id="f" * 16)


def test_errors_propose_the_type_and_value_of_the_correction():
    errors = [ValidationError("/lines/0/a~1b", "type", "must be number"),
              ValidationError("/gone", "required", "is missing"),
              ValidationError("no pointer", "x", "y")]  # fmt: skip
    judgement = Judgement("fail", has_correction=True, corrected={"lines": [{"a/b": True}]})
    made = content(summary(1), [span(1, validation_errors=errors)], [], judgement)
    schema, value = made["assertions"]
    assert schema["schema"] == {
        "type": "object",
        "properties": {
            "lines": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"a/b": {"type": "boolean"}},
                    "required": ["a/b"],
                },
            }
        },
        "required": ["lines"],
    }
    assert (value["pointer"], value["value"]) == ("/lines/0/a~1b", True)


def test_text_that_should_be_json_proposes_that_it_parses():
    signals = [Signal("not_json", "not JSON", "high", f"{1:016x}")]
    made = content(summary(1), [span(1)], signals, Judgement())
    assert made["assertions"] == [{"id": "a1", "type": "json_schema", "schema": {}}]


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (chat(("assistant", '{"a": 1}')), {"a": 1}),
        (chat(("assistant", "{not json")), "{not json"),
        (chat(("assistant", "first"), ("assistant", "")), "first"),
        ({"messages": []}, None),
        ("[1]", [1]),
        ("12", "12"),
        (None, None),
    ],
)
def test_a_recorded_output_is_text_or_the_json_it_is(output, expected):
    assert recorded_output(span(1, output=output)) == expected


words = st.text(max_size=5)
kinds = st.sampled_from(["text", "image", "reasoning"])
parts = st.lists(st.fixed_dictionaries({"type": kinds}, optional={"text": words}), max_size=3)
calls = st.fixed_dictionaries(
    {"name": st.none() | words},
    optional={"id": st.none() | words, "arguments": st.none() | st.integers()},
)
messages = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["user", "assistant", "tool", "critic"]),
        "content": parts | words | st.none(),
    },
    optional={"tool_calls": st.lists(calls, max_size=2)},
)
inputs = st.one_of(
    st.none(),
    words,
    st.dictionaries(words, st.integers(), max_size=2),
    st.lists(st.integers(), max_size=2),
    st.fixed_dictionaries({"messages": st.lists(messages, max_size=3)}),
)


@given(inputs, inputs)
def test_whatever_a_span_holds_becomes_a_case_that_can_be_read_again(given_input, output):
    made = content(summary(1), [span(1, input=given_input, output=output)], [], Judgement())
    if made["input"]["messages"] or made["input"]["variables"]:
        again = read(made)
        assert again == made


def test_a_loop_and_an_answer_without_support_propose_what_would_have_caught_them():
    def call(n, arguments):
        tool = ToolUse("get_fares", f"c{n}", arguments, {})
        return span(n, "tool", tool=tool)

    documents = [{"id": "policy-1", "content": "a", "score": 0.2},
                 {"id": "policy-2", "content": "b", "score": 0.9},
                 {"id": None, "content": "c", "score": 1.0}]  # fmt: skip
    spans = [span(1, context=documents), *(call(n, {"n": min(n, 3)}) for n in range(2, 7))]
    signals = [
        Signal("tool_loop", "again", "high", spans[2].span_id, evidence={"tool": "get_fares"}),
        Signal("low_grounding", "no support", "medium"),
    ]
    found = content(summary(), spans, signals, Judgement(), span_id=spans[0].span_id)
    assert found["assertions"] == [
        {"id": "a1", "type": "max_calls", "name": "get_fares", "count": 2},
        {"id": "a2", "type": "cites_document", "document": "policy-2"},
    ]
