"""A trace's summary: what counts once, attempts, and any order of arrival."""

from __future__ import annotations

import time
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracehub.core import summary_rules
from tracehub.core.summary import digest, summarise
from tracehub.core.trace import Prompt, Span, SpanFacts, Tokens, ValidationError

MS = 1_000_000
TRACE = "ab" * 16


def span(number, parent=None, *, start=0, ms=10, kind="llm", **fields):
    """A finished span; numbers are ids, times are milliseconds."""
    fields.setdefault("name", f"{kind}-{number}")
    fields.setdefault("tokens_counted", kind in ("llm", "embedding", "reranker"))
    return Span(
        trace_id=TRACE,
        span_id=f"{number:016x}",
        parent_id=None if parent is None else f"{parent:016x}",
        kind=kind,
        start_ns=start * MS + 1,
        duration_ns=None if ms is None else ms * MS,
        **fields,
    )


def summary(*spans):
    return summarise([digest(item) for item in spans])


def asked(text, *more):
    messages = [{"role": "user", "content": [{"type": "text", "text": text}], "tool_calls": []}]
    return {"messages": messages + list(more)}


def says(role, text):
    return {"role": role, "content": [{"type": "text", "text": text}], "tool_calls": []}


def test_agents_do_not_add_to_the_tokens_of_their_calls():
    found = summary(
        span(1, kind="agent", ms=100, tokens=Tokens(30, 6, 36)),
        span(2, 1, tokens=Tokens(10, 2, 12), cost=Decimal("0.1")),
        span(3, 1, start=20, tokens=Tokens(20, 4, 24), cost=Decimal("0.2")),
    )
    assert (found.tokens.input, found.tokens.total, found.cost) == (30, 36, Decimal("0.3"))


def test_a_call_inside_a_call_counts_once():
    outer = span(1, tokens=Tokens(10, 2, 12), model="m")
    inner = span(2, 1, tokens=Tokens(10, 2, 12), model="m")
    assert summary(outer, inner).tokens.total == 12
    assert summary(outer, inner).by_model["m"]["calls"] == 1
    outer.tokens = None
    assert summary(outer, inner).tokens.total == 12
    assert summary(outer, inner).by_model["m"]["calls"] == 1


def test_two_spans_of_one_response_count_once_and_the_one_with_messages_is_kept():
    bare = span(1, tokens=Tokens(10, 2, 12), response_id="r")
    full = span(2, start=1, tokens=Tokens(10, 3, 13), response_id="r", output=asked("x"))
    assert summary(span(9, kind="chain"), bare, full).tokens.output == 3


def test_absent_counts_stay_absent():
    assert summary(span(1)).tokens is None
    assert summary(span(1, tokens=Tokens(1, None, 1))).tokens.cached is None


def test_the_same_call_after_an_error_is_a_retry():
    first = span(2, 1, error=True, model="a", input=asked("hi"))
    again = span(3, 1, start=20, model="a", input=asked("hi"))
    found = summary(span(1, kind="agent", ms=50), first, again)
    assert (found.retries, found.fallbacks, found.status) == (1, 0, "ok")


def test_an_attempt_that_ends_as_the_next_begins_is_one_also_when_times_were_rounded():
    first = span(2, 1, ms=20, error=True, model="a", input=asked("hi"))
    first = replace(first, duration_ns=first.duration_ns + 1_000)  # as an export may tell it
    again = span(3, 1, start=20, model="a", input=asked("hi"))
    assert summary(span(1, kind="agent", ms=50), first, again).retries == 1


def test_another_model_after_an_error_is_a_fallback():
    first = span(2, 1, error=True, model_requested="a", input=asked("hi"))
    other = span(3, 1, start=20, model_requested="b", input=asked("hi"))
    found = summary(span(1, kind="agent", ms=50), first, other)
    assert (found.retries, found.fallbacks) == (0, 1)


@pytest.mark.parametrize(
    "second",
    [
        {"start": 20, "input": asked("something else")},
        {"start": 5, "input": asked("hi")},  # began before the first one ended: parallel
        {"start": 20, "input": asked("hi"), "kind": "embedding"},
    ],
)
def test_other_input_parallel_calls_and_other_kinds_are_no_retries(second):
    first = span(2, 1, error=True, model="a", input=asked("hi"))
    assert (
        summary(span(1, kind="agent", ms=50), first, span(3, 1, model="a", **second)).retries == 0
    )


def test_a_call_that_repeats_without_an_error_is_no_retry():
    calls = [span(n, 1, start=n * 20, model="a", input=asked("hi")) for n in (2, 3, 4)]
    assert summary(span(1, kind="agent", ms=100), *calls).retries == 0


def test_an_answer_that_failed_validation_and_the_next_call_are_a_retry():
    first = span(2, 1, model="a", input=asked("hi"))
    check = span(
        3,
        1,
        start=11,
        ms=1,
        kind="guardrail",
        error=True,
        validation_errors=[ValidationError("/a", "type", "must be a number")],
    )
    told = asked("hi", says("assistant", "{}"), says("user", "Your answer failed: /a"))
    again = span(4, 1, start=20, model="a", input=told)
    assert summary(span(1, kind="chain", ms=50), first, check, again).retries == 1
    assert summary(span(1, kind="chain", ms=50), first, again).retries == 0


def test_a_tool_loop_is_no_retry():
    first = span(2, 1, model="a", input=asked("hi"))
    tool = span(3, 1, start=11, ms=1, kind="tool")
    told = asked("hi", says("assistant", "calling"), says("tool", "no error in sight"))
    again = span(4, 1, start=20, model="a", input=told)
    assert summary(span(1, kind="agent", ms=50), first, tool, again).retries == 0


def test_errors_that_the_next_input_tells_belong_to_the_call_that_answered():
    told = asked(
        "hi",
        says("assistant", "{}"),
        says("tool", '[{"type": "float_parsing", "loc": ["a", 0], "msg": "no number"}]'),
    )
    spans = [span(2, 1, model="a", input=asked("hi")), span(3, 1, start=20, model="a", input=told)]
    found = summary_rules.reported_errors([digest(item) for item in spans])
    assert found == {"0000000000000002": [ValidationError("/a/0", "float_parsing", "no number")]}


def test_a_timeout_counts_where_it_happened_and_not_in_its_parents():
    found = summary(
        span(1, kind="agent", ms=50, error=True, error_type="openai.APITimeoutError"),
        span(2, 1, error=True, error_type="openai.APITimeoutError"),
        span(3, 1, kind="tool", error=True, error_message="upstream: request timed out"),
    )
    assert found.timeouts == 2


def test_without_a_root_the_earliest_top_span_names_the_trace_for_now():
    found = summary(span(3, 99, start=5, name="later"), span(2, 99, name="earlier", error=True))
    assert (found.name, found.provisional, found.root_present) == ("earlier", True, False)
    assert (found.status, found.finished) == ("error", False)


def test_a_session_id_anywhere_beats_a_conversation_id_at_the_root():
    root = span(1, kind="agent", facts=SpanFacts(session_id="c", session_rank=1))
    child = span(2, 1, facts=SpanFacts(session_id="s", session_rank=0))
    assert summary(root, child).session_id == "s"


def test_the_roots_fields_win_and_tags_are_united():
    root = span(
        1, start=5, kind="agent", facts=SpanFacts(user_id="r", tags=["a"], metadata={"k": 1})
    )
    child = span(2, 1, facts=SpanFacts(user_id="c", tags=["b", "a"], metadata={"k": 2, "l": 3}))
    found = summary(root, child)
    assert (found.user_id, found.tags, found.metadata) == ("r", ["a", "b"], {"k": 1, "l": 3})


def test_input_and_output_come_from_the_calls_when_no_top_span_has_them():
    root = span(1, kind="other", ms=50)
    first = span(2, 1, input=asked("question"), output=asked("x"))
    last = span(3, 1, start=20, input=asked("more"), output=asked("y"))
    found = summary(root, first, last)
    assert (found.input_span, found.input_part) == (first.span_id, "last_user")
    assert (found.output_span, found.output_part) == (last.span_id, "output")


def test_placeholders_count_only_while_nothing_else_is_there():
    pending = span(5, 1, ms=None, facts=SpanFacts(pending=True))
    assert summary(pending).span_count == 1
    assert summary(pending, span(1, kind="agent")).span_count == 1


def test_parent_cycles_self_parents_and_unfinished_spans_are_summarised():
    found = summary(span(1, 2), span(2, 1, ms=None), span(3, 3, start=4))
    assert (found.span_count, found.root_present) == (3, False)


def test_no_spans_are_refused():
    with pytest.raises(ValueError, match="at least one span"):
        summarise([])


def big_trace(count, parent_of):
    return [
        digest(
            span(
                n,
                parent_of(n),
                start=n,
                tokens=Tokens(1, 1, 2),
                model="m",
                kind="llm" if n % 2 else "tool",
                input={"n": n % 7},
            )
        )
        for n in range(1, count + 1)
    ]


@pytest.mark.parametrize(
    "parent_of",
    [
        lambda n: n - 1 or None,
        lambda n: 1 if n > 1 else None,
        lambda n: n // 2 or None,
        lambda n: n % 9 + 1,
    ],
)
def test_ten_thousand_spans_take_time_by_their_number(parent_of):
    digests = big_trace(10_000, parent_of)
    began = time.process_time()
    assert summarise(digests).span_count == 10_000
    assert time.process_time() - began < 15  # 0.2; by its square, minutes


spans = st.lists(
    st.builds(
        lambda number, parent, start, ms, kind, error, model, text, tokens, response, prompt: span(
            number,
            parent,
            start=start,
            ms=ms,
            kind=kind,
            error=error,
            model=model,
            input=asked(text),
            tokens=tokens,
            response_id=response,
            prompt=prompt,
            facts=SpanFacts(user_id=model, tags=[text], metadata={text: number}),
        ),
        st.integers(1, 12),
        st.none() | st.integers(1, 14),
        st.integers(0, 30),
        st.none() | st.integers(0, 20),
        st.sampled_from(["llm", "agent", "tool", "guardrail", "embedding"]),
        st.booleans(),
        st.sampled_from([None, "a", "b"]),
        st.sampled_from(["x", "y"]),
        st.none() | st.builds(Tokens, st.integers(0, 9), st.integers(0, 9)),
        st.sampled_from([None, "r1", "r2"]),
        st.none() | st.builds(Prompt, st.sampled_from(["p", "q"]), st.sampled_from(["1", None])),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda item: item.span_id,
)


@settings(max_examples=200, deadline=None)
@given(spans, st.randoms())
def test_any_order_of_arrival_gives_the_same_summary(items, chance):
    digests = [digest(item) for item in items]
    shuffled = list(digests)
    chance.shuffle(shuffled)
    assert summarise(shuffled) == summarise(digests)
    assert summary_rules.reported_errors(shuffled) == summary_rules.reported_errors(digests)


def test_equal_input_has_an_equal_hash_whatever_the_order_of_keys():
    one = digest(span(1, input={"a": 1, "b": [1, 2]}))
    two = digest(span(2, input={"b": [1, 2], "a": 1}))
    assert one.input_hash == two.input_hash
    assert -(2**63) <= one.input_hash < 2**63


def test_sums_and_durations_fit_the_columns_whatever_was_sent():
    late = span(2, 1, tokens=Tokens(10**10, 10**10, 2 * 10**10))
    late.start_ns, late.duration_ns = 2**62, 2**63 - 1
    found = summary(span(1, kind="agent"), late)
    assert found.duration_ns == 2**63 - 1
