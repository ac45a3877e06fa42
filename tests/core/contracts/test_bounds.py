"""Schemas that could stop the worker are refused when saved, and the message says why."""

from __future__ import annotations

import pytest

from tracehub.core.contracts.bounds import ContractError, check_draft, check_schema
from tracehub.core.contracts.checking import Contract, check


def refusal(schema) -> str:
    with pytest.raises(ContractError) as caught:
        check_schema(schema)
    return str(caught.value)


def test_a_pattern_that_is_not_linear_is_explained():
    said = refusal({"properties": {"code": {"pattern": "(?=a)b"}}})
    assert "/properties/code/pattern cannot be used" in said
    assert "linear time" in said and "look-ahead" in said
    assert "/patternProperties cannot be used" in refusal({"patternProperties": {"(a)\\1": {}}})


@pytest.mark.parametrize("ref", ["http://127.0.0.1:9/x.json", "other.json", "#name", 3])
def test_nothing_is_loaded_from_elsewhere(ref):
    assert "must point into this schema" in refusal({"items": {"$ref": ref}})


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"allOf": [{"$ref": "#"}]},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
    ],
)
def test_a_loop_of_refs_is_refused_and_a_tree_is_not(schema):
    assert "leads back to itself" in refusal(schema)
    check_schema({"properties": {"children": {"items": {"$ref": "#"}}}})


def test_branches_that_multiply_are_refused():
    twice = [{"properties": {"a": {"$ref": "#/$defs/t"}}}] * 4
    assert "branches into itself" in refusal(
        {"$ref": "#/$defs/t", "$defs": {"t": {"anyOf": twice}}}
    )
    chain = {f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(40)}
    assert "branches" in refusal({"$ref": "#/$defs/d0", "$defs": {**chain, "d40": True}})


def test_a_long_chain_of_refs_is_refused():
    chain = {f"d{i}": {"$ref": f"#/$defs/d{i + 1}"} for i in range(3000)}
    refusal({"$ref": "#/$defs/d0", "$defs": {**chain, "d3000": True}})


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ([], "must be an object"),
        ({"type": "nope"}, "not valid at /type"),
        ({"$ref": "#/$defs/none"}, "does not have"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "2020-12"),
        ({"properties": {"x": {"$id": "http://x"}}}, "$defs"),
        ({"description": "x" * 300_000}, "256 KB"),
    ],
)
def test_other_refusals_name_the_rule(schema, said):
    assert said in refusal(schema)


def test_deep_schemas_are_refused():
    schema: dict = {}
    for _ in range(60):
        schema = {"items": schema}
    assert "40 levels" in refusal(schema)


@pytest.mark.parametrize(
    ("schema", "output", "said"),
    [
        ({"type": ["number", "null"]}, "x", 'must be number or null. Got the string `"x"`.'),
        ({"enum": ["EUR", "SEK"]}, "USD", 'The output must be one of "EUR", "SEK".'),
        ({"minimum": 0}, -1, "The output must be at least 0. Got `-1`."),
        ({"maxLength": 2}, "abc", "may have 2 characters at most"),
        ({"items": {"type": "string"}}, ["a", 1], "`/1` must be string. Got `1`."),
        ({"required": ["a/b"]}, {}, "`/a~1b` is required."),
        (
            {"properties": {"a": {}}, "additionalProperties": False},
            {"x": 1},
            "fields that the contract does not know: x",
        ),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, 3, "one of the allowed forms"),
        ({"const": 1}, 2, "must be 1"),
        (False, 1, "may not be there"),
    ],
)
def test_problems_say_the_rule_and_what_came(schema, output, said):
    value = [output] if isinstance(output, str) else output
    place = {"items": schema} if isinstance(output, str) else schema
    found = check(Contract("c/1", "p", None, place), value)
    assert (
        said.replace("The output", "`/0`" if value != output else "The output") in found[0].message
    )


def test_a_required_null_is_found_through_a_ref():
    schema = {
        "properties": {"refund": {"$ref": "#/$defs/refund"}},
        "$defs": {
            "refund": {"properties": {"amount": {"$ref": "#/$defs/n"}}, "required": ["amount"]},
            "n": {"type": "number"},
        },
    }
    (found,) = check(Contract("c/1", "p", None, schema), {"refund": {"amount": None}})
    assert (found.kind, found.pointer) == ("required_null", "/refund/amount")


def test_at_most_twenty_problems_of_an_output_and_none_of_a_huge_one():
    contract = Contract("c/1", "p", None, {"items": {"type": "string"}})
    assert len(check(contract, list(range(100)))) == 20
    assert check(contract, "[" + "1," * 600_000 + "1]") == []


def test_a_deep_output_under_a_branching_schema_is_left_out():
    branch = [{"properties": {"a": {"$ref": "#"}}, "required": [name]} for name in ("b", "c")]
    contract = Contract("c/1", "p", None, {"anyOf": branch})
    deep: dict = {}
    for _ in range(40):
        deep = {"a": deep}
    assert check(contract, deep) == []
    assert check(contract, {"a": {}})


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"requried": ["a"]}, "/requried is no keyword of JSON Schema and would check nothing. "
         "Use 'required'."),
        ({"properties": {"n": {"Minimum": 0}}}, "/properties/n/Minimum is no keyword of JSON "
         "Schema and would check nothing. Use 'minimum'."),
        ({"items": {"type": ["null", "strng"]}}, "/items/type must be one of array, boolean, "
         "integer, null, number, object, string. Got 'strng'. Use 'string'."),
        ({"type": "money"}, "/type must be one of array, boolean, integer, null, number, object, "
         "string. Got 'money'."),
    ],
)  # fmt: skip
def test_a_word_nearly_right_is_refused_with_the_right_one(schema, said):
    with pytest.raises(ContractError) as error:
        check_draft(schema)
    assert str(error.value) == said


def test_words_of_other_tools_and_names_of_fields_are_left_alone():
    check_draft({"x-unit": "EUR", "example": 1, "properties": {"requried": {"type": "null"}}})
    check_draft(True)
