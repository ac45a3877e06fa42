"""Filter text to tree and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracehub.core.query import Filter, FilterError, keys, parse
from tracehub.core.query.parser import MAX_DEPTH, MAX_LENGTH, MAX_TERMS
from tracehub.core.query.tree import (
    Absent,
    And,
    Between,
    Compared,
    Not,
    Or,
    Pattern,
    Term,
    Text,
)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("", ""),
        ("   ", ""),
        ("model:gpt-4o*  is:failing", "model:gpt-4o* is:failing"),
        ("MODEL:gpt-4o", "model:gpt-4o"),
        ("signal:schema", "signal:schema_error"),
        ("signal:tool*", "signal:tool*"),
        ("signal:custom:late", "signal:custom:late"),
        ("verdict:none,FAIL", "verdict:none,fail"),
        ("a OR b c", "a OR b c"),
        ("(a OR b) c", "(a OR b) c"),
        ("-(a b)", "-(a b)"),
        ('name:"a b",c', 'name:"a b",c'),
        ('name:"none"', 'name:"none"'),
        ('name:"a*b"*', 'name:"a*b"*'),
        ("cost:>$0.03", "cost:>$0.03"),
        ("latency:1s..", "latency:>=1s"),
        ("latency:..2s", "latency:<=2s"),
        ("trace:0AF7651916CD43DD8448EB211C80319C", "trace:0af7651916cd43dd8448eb211c80319c"),
        ("tag:lang:sv", "tag:lang:sv"),
        ("500 km/h, fast", "500 km/h, fast"),
    ],
)
def test_a_filter_prints_in_its_plain_form(text, printed):
    assert str(parse(text)) == printed
    assert parse(printed) == parse(text)


def test_amounts_are_kept_in_the_base_unit_of_their_key():
    latency, cost, tokens = parse("latency:>1.5s cost:0.01..0.03 tokens:<=10k").parts
    assert isinstance(latency.values[0], Compared)
    assert latency.values[0].amount.value == 1_500_000_000
    assert isinstance(cost.values[0], Between)
    assert str(cost.values[0].low.value) == "0.01"
    assert tokens.values[0].amount.value == 10_000


@pytest.mark.parametrize(
    ("text", "marked", "said", "mended"),
    [
        ("latency:>5sec", "5sec", "latency needs a duration", "latency:>5s"),
        ("latency:5", "5", "such as 5s or 800ms", "latency:5s"),
        ("is:failng x", "failng", "is must be one of failing", "is:failing x"),
        ("latncy:>5s", "latncy", "Did you mean latency?", "latency:>5s"),
        ("signal:tool", "tool", "could be tool_error or", "signal:tool*"),
        ("signal:grounding", "grounding", "Got 'grounding'", "signal:low_grounding"),
        ("trace:abcd", "abcd", "32 hex digits", "trace:abcd*"),
        ("name:>5", ">5", "takes no comparison", 'name:">5"'),
        ("tokens:10..5", "10..5", "from less to more", "tokens:5..10"),
        ("score.grounded:yes", "yes", "a number such as 0.5", None),
        ("score:1", "score", "score.thumbs:0", None),
        ("tokens:>-5", "-5", "tokens needs a number", None),
        ("failure:TH", "TH", "a key like TH-418", None),
        ("failure:T418", "T418", "a key like TH-418", "failure:TH-418"),
        ("model:", ":", "needs a value", None),
        ("model:a, b", ",", "needs a value", None),
        ('x "abc', '"abc', "not closed", 'x "abc"'),
        ("(a b", "(a b", "not closed", "(a b)"),
        ("a)", ")", "closes nothing", "a"),
        ("a OR", "OR", "both sides", "a"),
        ("a AND b", "AND", "joined by a space", "a  b"),
        ('""', '""', "Nothing stands", ""),
        ("a \x00", "\x00", "cannot be stored", "a"),
        ("name:*a*b*c*", "*a*b*c*", "at most 3 wildcards", None),
    ],
)
def test_an_error_marks_the_place_and_offers_the_mend(text, marked, said, mended):
    with pytest.raises(FilterError) as caught:
        parse(text)
    error = caught.value
    assert text[error.start : error.end] == marked
    assert said in error.message
    assert error.mended(text) == mended
    if mended is not None:
        parse(mended)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("a " * (MAX_TERMS + 1), str(MAX_TERMS)),
        ("tag:" + ",".join("x" * (MAX_TERMS + 1)), str(MAX_TERMS)),
        ("a " * 10_000, f"{MAX_LENGTH:,}"),
        ("(" * 200 + "a" + ")" * 200, str(MAX_DEPTH)),
    ],
)
def test_limits_are_named(text, limit):
    with pytest.raises(FilterError, match=limit):
        parse(text)


def test_facets_toggle_values_without_touching_the_rest():
    start = parse("latency:>5s model:a -model:c")
    both = start.toggled("model", Pattern(("b",)))
    assert str(both) == "latency:>5s model:a,b -model:c"
    assert str(both.toggled("model", Pattern(("a",)))) == "latency:>5s model:b -model:c"
    assert str(start.toggled("model", Pattern(("a",)))) == "latency:>5s -model:c"
    assert str(Filter().toggled("verdict", Absent())) == "verdict:none"
    assert str(both.ignoring("model")) == "latency:>5s"


def test_adding_to_an_or_keeps_its_meaning():
    assert str(parse("a OR b").plus(parse("c"))) == "(a OR b) c"


_WORDS = st.text(min_size=1, max_size=12).filter(
    lambda t: bool(t.strip()) and not any(c == "\x00" or "\ud800" <= c <= "\udfff" for c in t)
)
_TEXT_KEYS = st.sampled_from([key.name for key in keys.KEYS.values() if key.type == "text"])
_PATTERNS = st.lists(_WORDS | st.just(""), min_size=2, max_size=4).map(
    lambda parts: Pattern(tuple(parts))
) | _WORDS.map(lambda t: Pattern((t,)))
_TERMS = st.builds(
    lambda key, values: Term(key, tuple(values)),
    _TEXT_KEYS,
    st.lists(_PATTERNS | st.just(Absent()), min_size=1, max_size=3),
)
_TREES = st.recursive(
    _TERMS | st.builds(Text, _WORDS),
    lambda inner: (
        st.builds(Not, inner)
        | st.lists(inner, min_size=2, max_size=3).map(lambda n: And(tuple(n)))
        | st.lists(inner, min_size=2, max_size=3).map(lambda n: Or(tuple(n)))
    ),
    max_leaves=8,
)


@given(_TREES)
def test_every_tree_prints_as_text_that_parses_to_it(tree):
    assert parse(str(tree)).root == tree


@given(st.text(max_size=60) | st.text(alphabet='model:is"()-*,.><5s OR \\', max_size=40))
def test_any_text_parses_or_raises_a_filter_error_with_a_place(text):
    try:
        found = parse(text)
    except FilterError as error:
        assert 0 <= error.start <= error.end <= len(text)
        return
    assert parse(str(found)) == found
