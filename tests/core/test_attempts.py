"""Retries, fallbacks and calls told twice, whichever conventions the spans of a trace speak."""

from __future__ import annotations

import json

import pytest

from tests.core.test_summary import asked, says, span, summary
from tests.core.wire.made import raw
from tests.core.wire.made import span as normalised
from tracehub.core.summary import digest, summarise
from tracehub.core.trace import Tokens, ToolUse, ValidationError

INVALID = [ValidationError("/amount", "float_type", "Input should be a valid number")]
GENAI = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "{model}"}
OPENINFERENCE = {"openinference.span.kind": "LLM", "llm.request.model_name": "{model}"}
VERCEL = {"ai.operationId": "ai.generateText.doGenerate", "ai.model.id": "{model}"}
LANGFUSE = {
    "langfuse.observation.type": "generation",
    "langfuse.observation.model.name": "{model}",
}
INPUTS = {
    "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]',
    "llm.input_messages.0.message.content": "Hi",
    "ai.prompt.messages": '[{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]',
    "langfuse.observation.input": '[{"role": "user", "content": "Hi"}]',
}
PAIRS = list(zip((GENAI, OPENINFERENCE, VERCEL, LANGFUSE), INPUTS, strict=True))


def call(convention, model, number, start, **fields):
    (attributes, key), values = convention, {}
    for name, value in attributes.items():
        values[name] = value.format(model=model)
    return normalised(
        {**values, key: INPUTS[key]}, number=number, parent=1, start=start * 10**6, **fields
    )


def counts(*spans):
    found = summarise([digest(item) for item in spans])
    return found.retries, found.fallbacks


@pytest.mark.parametrize("first", range(4))
@pytest.mark.parametrize("second", range(4))
def test_attempts_are_seen_across_conventions(first, second):
    root = normalised({}, number=1, start=10**6, ms=100)
    failed = call(PAIRS[first], "a", 2, 10, status_code=2)
    assert counts(root, failed, call(PAIRS[second], "a", 3, 30)) == (1, 0)
    assert counts(root, failed, call(PAIRS[second], "b", 3, 30)) == (0, 1)


@pytest.mark.parametrize(
    ("answered", "expected"),
    [
        ("gpt-4o-2024-08-06", (1, 0)),
        ("gpt-4o-20240806", (1, 0)),
        ("gpt-4o-0806", (1, 0)),
        ("gpt-4o-mini", (0, 1)),
        ("gpt-4o-mini-2024-07-18", (0, 1)),
    ],
)
def test_the_date_of_the_version_that_answered_is_no_other_model(answered, expected):
    """Langfuse writes the name that answered over the name that was asked for."""
    root = normalised({}, number=1, start=10**6, ms=100)
    failed = call(PAIRS[3], "gpt-4o", 2, 10, status_code=2)
    assert counts(root, failed, call(PAIRS[3], answered, 3, 30)) == expected


def test_a_chain_with_another_model_is_a_fallback_and_with_the_same_a_retry():
    def trace(model, **fields):
        return summary(
            span(1, kind="chain", ms=100),
            span(2, 1, kind="chain", name="answer", input="Hi", error=True),
            span(3, 2, model_requested="a", input=asked("Hi"), error=True),
            span(4, 1, start=20, kind="chain", input="Hi", **fields),
            span(5, 4, start=20, model_requested=model, input=asked("Hi")),
        )

    assert (trace("a", name="answer").retries, trace("a", name="answer").fallbacks) == (1, 0)
    assert (trace("b", name="answer").retries, trace("b", name="answer").fallbacks) == (0, 1)
    assert (trace("a", name="answer-simply").fallbacks) == 1


def test_ways_of_runnable_with_fallbacks_are_fallbacks_even_with_one_model():
    found = summary(
        span(1, kind="chain", name="RunnableWithFallbacks", ms=100),
        span(2, 1, name="ChatOpenAI", model="m", input=asked("Hi"), error=True),
        span(3, 1, name="ChatOpenAI", model="m", start=20, input=asked("Hi")),
    )
    assert (found.retries, found.fallbacks) == (0, 1)


@pytest.mark.parametrize(
    ("name", "expected"), [("try", (1, 0)), ("try-as-json", (0, 1))], ids=["same", "other"]
)
def test_a_step_whose_answer_was_invalid_and_the_next_step(name, expected):
    found = summary(
        span(1, kind="chain", ms=100),
        span(2, 1, kind="chain", name="try", input={"n": 1}, error=True, validation_errors=INVALID),
        span(3, 2, model="m", input=asked("Hi")),
        span(4, 1, kind="chain", name=name, start=20, input={"n": 2}),
        span(5, 4, start=20, model="m", input=asked("Hi", says("user", "again"))),
    )
    assert (found.retries, found.fallbacks) == expected


def test_steps_without_a_call_of_a_model_are_no_attempts_of_one():
    found = summary(
        span(1, kind="chain", ms=100),
        span(2, 1, kind="chain", name="load", input=1, error=True, validation_errors=INVALID),
        span(3, 1, kind="chain", name="save", start=20, input=2),
    )
    assert (found.retries, found.fallbacks) == (0, 0)


@pytest.mark.parametrize(
    ("told", "error"),
    [
        (
            "Validation Error found:\n1 validation error for Refund\namount\n  Input should be a "
            "valid number [type=float_type, input_value='418.60 EUR', input_type=str]\nRecall.",
            ("/amount", "float_type"),
        ),
        (
            'Invalid input for tool get_booking: Type validation failed: Value: {"wrong":[1]}.\n'
            'Error message: [\n {"code": "invalid_type", "path": ["items", 0, "pnr"], '
            '"message": "Required"}\n]',
            ("/items/0/pnr", "invalid_type"),
        ),
        (
            "Your previous response failed the application's validation (this is automated "
            "feedback, not a message from the user):\n<pyai:retry_feedback>\nSay it in words.\n"
            "</pyai:retry_feedback>",
            ("", ""),
        ),
    ],
    ids=["instructor", "vercel", "pydantic-ai"],
)
def test_errors_in_the_words_of_known_libraries_make_the_next_call_a_retry(told, error):
    first = asked("Decide")
    found = [
        digest(item)
        for item in (
            span(1, kind="chain", ms=100),
            span(2, 1, input=first),
            span(3, 1, start=20, input=asked("Decide", says("assistant", "?"), says("tool", told))),
        )
    ]
    assert summarise(found).retries == 1
    [reported] = found[2].reported_errors
    assert (reported.pointer, reported.rule) == error


def test_a_call_that_its_sdk_tells_again_beside_it_counts_once():
    beside = {"model": "m", "tokens": Tokens(10, 2, 12)}
    found = summary(
        span(1, kind="chain", ms=100),
        span(2, 1, start=1, ms=20, input=asked("Hi"), error=True, model="m"),
        span(3, 1, start=2, ms=18, error=True, model="m"),
        span(4, 1, start=30, ms=20, input=asked("Ho"), **beside),
        span(5, 1, start=31, ms=18, ttft_ns=5 * 10**6, **beside),
        span(6, 1, start=60, ms=20, **beside),
    )
    assert (found.tokens.total, found.retries) == (24, 0)


def test_the_first_token_may_be_known_to_the_span_inside_only():
    found = summary(
        span(1, ms=50, input=asked("Hi"), model="m"),
        span(2, 1, start=3, ms=40, model="m", ttft_ns=5 * 10**6),
    )
    assert found.ttft_ns == 8 * 10**6


def test_a_sum_without_a_model_does_not_stand_for_the_calls_below():
    found = summary(
        span(1, ms=100, tokens=Tokens(20, 4, 24)),
        span(2, 1, model="m", ms=40),
        span(3, 2, model="m", ms=40, tokens=Tokens(10, 2, 12)),
        span(4, 1, start=50, model="m", ms=40, tokens=Tokens(10, 2, 12)),
    )
    assert (found.tokens.total, found.by_model["m"]["calls"]) == (24, 2)
    alone = summary(span(1, ms=100, tokens=Tokens(20, 4, 24)), span(2, 1, model="m", ms=40))
    assert alone.tokens.total == 24


def test_calls_kept_without_content_have_no_input_to_compare():
    def quiet(number, start, **fields):
        return raw(
            {**GENAI, "gen_ai.input.messages": json.dumps([{"role": "user", "parts": []}])},
            number=number,
            start=start,
            **fields,
        )

    found = normalised(quiet(1, 10**6).attributes)
    assert found.input is None


def test_a_call_of_a_tool_that_two_instrumentations_nest_counts_once():
    tool = ToolUse("get_booking", None, {"pnr": "X7K2QD"}, "418.60")
    found = summary(
        span(1, kind="agent", ms=100),
        span(2, 1, kind="tool", ms=20, tool=tool),
        span(3, 2, kind="tool", ms=10, tool=tool),
    )
    assert found.by_tool["get_booking"]["calls"] == 1
