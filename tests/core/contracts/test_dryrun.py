"""A dry run: four numbers, the paths, what stood there, and the change that lets it through."""

from __future__ import annotations

import json

import pytest

from tracehub.core.contracts import dryrun, mends, telling
from tracehub.core.contracts.checking import Contract
from tracehub.core.contracts.dryrun import Given
from tracehub.core.contracts.layout import pretty


def contract(schema, **rules) -> Contract:
    return Contract("c/1", "p", None, schema, **rules)


def fields(**each):
    return {"type": "object", "properties": each}


def run(old, new, *outputs):
    given = [Given(n, f"p@v{n % 3}", json.dumps(one)) for n, one in enumerate(outputs)]
    return dryrun.compare(contract(old), contract(new), given), given


def test_outputs_fall_into_four_parts_and_paths():
    outcome, _ = run(
        fields(a={"minimum": 1}), fields(a={"maximum": 5}), {"a": 2}, {"a": 0}, {"a": 9}, {"a": 9}
    )
    assert (outcome.pass_both, outcome.newly_pass, outcome.newly_fail) == (1, 1, 2)
    assert [(p.pointer, p.rule, p.newly_fail, p.newly_pass) for p in outcome.paths] == [
        ("/a", "maximum", 2, 0),
        ("/a", "minimum", 0, 1),
    ]


def test_what_sets_the_failing_outputs_apart_is_named():
    refused = [{"a": 0, "reason": "not_refundable", "lang": "sv"}] * 9 + [{"a": -35.0}]
    paid = [{"a": 3, "reason": "ok", "lang": "sv"}] * 20
    new = fields(a={"exclusiveMinimum": 0})
    outcome, given = run({}, new, *refused, *paid)
    (path,) = outcome.paths
    assert path.shared == ("/reason", "not_refundable", 9)
    assert telling.values_of(path.failing) == "0 in 9, -35.0 in 1"
    assert telling.rule_of(path, contract(new)) == "exclusiveMinimum 0"
    assert telling.versions_of(path.failing, given) == ""
    mend = mends.of(path, contract(new))
    assert (mend.title, mend.value["properties"]["a"]) == ("Use minimum 0", {"minimum": 0})
    after = dryrun.compare(None, mend.applied(contract(new)), given)
    assert after.newly_fail == 1
    assert telling.excerpt(path.failing[0], path.shared[0]) == [
        ('"a": ', False), ("0", True), (', "reason": "not_refundable"', False),
    ]  # fmt: skip


def test_versions_are_named_where_they_tell_something():
    outcome, given = run({}, {"required": ["x"]}, {}, {"x": 1}, {"x": 1}, {}, {"x": 1})
    (path,) = outcome.paths
    assert telling.versions_of(path.failing, given) == "all from v0"
    assert telling.values_of(path.failing) == "absent"
    assert telling.excerpt(path.failing[0]) == [('no "x"', True)]


@pytest.mark.parametrize(
    ("rule", "output", "title", "mended"),
    [
        ({"minimum": 5}, 3, "Use minimum 3", {"minimum": 3}),
        ({"exclusiveMaximum": 5}, 9, "Use maximum 9", {"maximum": 9}),
        ({"maxLength": 2}, "abcd", "Use maxLength 4", {"maxLength": 4}),
        ({"minItems": 1}, [], "Use minItems 0", {"minItems": 0}),
        ({"enum": ["EUR"]}, "GBP", 'Add "GBP"', {"enum": ["EUR", "GBP"]}),
        ({"type": "number"}, None, "Allow null", {"type": ["number", "null"]}),
        ({"type": ["number", "null"]}, "x", "Allow string", {"type": ["number", "null", "string"]}),
        ({"required": ["n/m"]}, {}, "Do not require n/m", {"required": []}),
        (
            {"properties": {"y": True}, "additionalProperties": False},
            {"x": 1},
            'Know "x"',
            {"additionalProperties": False, "properties": {"y": True, "x": True}},
        ),
    ],
)
def test_each_rule_has_its_smallest_change(rule, output, title, mended):
    new = fields(a={"$ref": "#/$defs/a"}) | {"$defs": {"a": rule}}
    outcome, given = run({}, new, {"a": output})
    mend = mends.of(outcome.paths[0], contract(new))
    assert (mend.title, mend.value["$defs"]["a"]) == (title, mended)
    assert dryrun.compare(None, mend.applied(contract(new)), given).newly_fail == 0


def test_labels_and_null_rules_have_theirs():
    given = [Given(0, "", '{"a": "new", "b": null}')]
    new = contract(True, labels={"/a": ["old"]}, nulls={"/b": "never"})
    label, null = dryrun.compare(None, new, given).paths
    assert mends.of(label, new).value == {"/a": ["old", "new"]}
    assert mends.of(null, new).value == {}


def test_a_rule_without_a_change_offers_none():
    for rule in ({"pattern": "^x"}, {"const": 1}, {"anyOf": [{"const": 1}]}):
        outcome, _ = run({}, fields(a=rule), {"a": "y"})
        assert mends.of(outcome.paths[0], contract(fields(a=rule))) is None


def test_json_stands_on_a_line_where_it_fits():
    schema = fields(a={"type": "number"}, b={"enum": ["x" * 30, "y" * 30, "z" * 30]})
    text = pretty(schema)
    assert '    "a": { "type": "number" },' in text.splitlines()
    assert json.loads(text) == schema and max(map(len, text.splitlines())) < 80
