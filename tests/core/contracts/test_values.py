"""Known labels, null rules and escalations: what is refused, what they find, and in which words."""

from __future__ import annotations

import pytest

from tracehub.core.contracts.bounds import ContractError
from tracehub.core.contracts.checking import Contract, check, escalates
from tracehub.core.contracts.values import check_nulls, check_texts


def contract(**rules) -> Contract:
    return Contract("c/1", "p", None, rules.pop("schema", True), **rules)


@pytest.mark.parametrize("given", [[], {"intent": ["a"]}, {"/a": []}, {"/a": [1]}, {"/~2": ["a"]}])
@pytest.mark.parametrize("field", ["labels", "escalations"])
def test_texts_go_by_pointer(given, field):
    with pytest.raises(ContractError) as caught:
        check_texts(given, field)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "given", [[], {"": "never"}, {"a": "never"}, {"/a": "always"}, {"/a": {}}, {"/a": {"/b": "c"}},
              {"/a": {"/b": ["c"], "/d": ["e"]}}, {"/a": {"b": ["c"]}}]
)  # fmt: skip
def test_null_rules_are_refused_with_an_example(given):
    with pytest.raises(ContractError) as caught:
        check_nulls(given)
    assert caught.value.field == "nulls" and "such as" in str(caught.value)


EXCUSED = {"/refund/amount": {"/reason": ["not_refundable", 7, None]}}


@pytest.mark.parametrize(
    ("nulls", "output", "said"),
    [
        ({"/a": "never"}, {"a": None}, "`/a` may not be null. Got null."),
        ({"/a": "never"}, {}, "`/a` may not be null. Got nothing."),
        ({"/a": "never"}, {"a": 0}, None),
        ({"/a/b": "never"}, {}, None),
        ({"/a/*/b": "never"}, {"a": [{"b": 1}, {}]}, "`/a/1/b` may not be null. Got nothing."),
        ({"/a/*": "never"}, {"a": [1, None]}, "`/a/1` may not be null. Got null."),
        (EXCUSED, {"refund": {"amount": None}, "reason": "not_refundable"}, None),
        (EXCUSED, {"refund": {"amount": None}, "reason": 7}, None),
        (
            EXCUSED,
            {"refund": {"amount": None}, "reason": True},
            '`/refund/amount` may not be null unless `/reason` is "not_refundable", 7, null. '
            "Got null, and `/reason` is true.",
        ),
    ],
)
def test_a_null_needs_its_excuse(nulls, output, said):
    found = check(contract(nulls=nulls), output)
    assert [(p.kind, p.rule, p.message) for p in found] == (
        [("required_null", "null", said)] if said else []
    )


def test_what_the_schema_says_of_a_place_is_not_said_twice():
    schema = {"properties": {"a": {"type": "number"}}, "required": ["a"]}
    found = check(contract(schema=schema, nulls={"/a": "never"}), {"a": None})
    assert [p.rule for p in found] == ["type"]


def test_an_escalation_is_found_by_its_value_and_is_a_known_label():
    handed = contract(labels={"/route": ["bot"]}, escalations={"/route": ["human"]})
    assert escalates(handed, '{"route": "human"}')
    assert not escalates(handed, '{"route": "bot"}') and not escalates(handed, "human")
    assert not escalates(contract(), '{"route": "human"}')
    assert check(handed, '{"route": "human"}') == []
    assert [p.kind for p in check(handed, '{"route": "cat"}')] == ["unknown_label"]
