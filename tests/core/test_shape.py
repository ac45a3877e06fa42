from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracehub.core.cases import CASE_SCHEMA, read
from tracehub.core.shape import ShapeError, check, clean, shown

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
json_values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("value", "schema", "message"),
    [
        (True, {"type": "integer"}, "x must be a whole number. Got true."),
        (1.0, {"type": "integer"}, "x must be a whole number. Got 1.0."),
        ("b", {"enum": ["a", None]}, "x must be one of a. Got 'b'."),
        ("", {"type": "string", "minLength": 1}, "x may not be empty."),
        ("abc", {"maxLength": 2}, "x may have 2 characters at most. Got 3."),
        (3, {"maximum": 2}, "x must be at most 2. Got 3."),
        ([1, 2], {"maxItems": 1}, "x may have 1 items at most. Got 2."),
        ({"b": 1}, {"properties": {"a": {}}, "additionalProperties": False},
         "x.b is not a known field. Known fields: a."),
        ({}, {"required": ["a"]}, "x.a is required."),
        ({"a": ["", 1]}, {"properties": {"a": {"items": {"type": "string"}}}},
         "x.a[1] must be text. Got 1."),
        (5, {"anyOf": [{"type": "string"}, {"type": "number", "maximum": 4}]},
         "x must be at most 4. Got 5."),
        (None, {"type": ["string", "object"]}, "x must be text or an object. Got null."),
    ],
)  # fmt: skip
def test_a_fault_is_said_with_place_rule_and_what_came(value, schema, message):
    with pytest.raises(ShapeError) as error:
        check(value, schema, "x")
    assert str(error.value) == message


def test_nesting_is_bounded():
    deep: list = []
    for _ in range(64):
        deep = [deep]
    with pytest.raises(ShapeError, match="64 levels"):
        clean(deep)
    assert clean(deep[0]) == deep[0]


@given(json_values)
def test_cleaning_leaves_nothing_that_cannot_be_stored(value):
    try:
        cleaned = clean(value)
    except ShapeError as error:
        assert "finite" in str(error)
    else:
        assert "\x00" not in repr(cleaned).replace("\\x00", "\x00")


@given(json_values)
def test_reading_a_case_raises_nothing_but_shape_errors(value):
    for body in (value, {"input": value}, {"input": {"messages": value}}, {"assertions": value}):
        try:
            read(body)
        except ShapeError:
            continue


@given(st.text(), st.integers())
def test_what_came_is_one_short_line(text, number):
    assert len(shown(text)) < 200
    assert "\n" not in shown(text)
    assert shown(number)


def test_the_schema_of_a_case_describes_what_reading_takes():
    case = {"input": {"variables": {"a": 1}}, "assertions": [{"type": "exact", "value": 1}]}
    check(case, CASE_SCHEMA)
    assert read(case)["assertions"] == [{"id": "a1", "type": "exact", "value": 1}]
