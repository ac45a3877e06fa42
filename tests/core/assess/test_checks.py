"""Every type of assertion: what passes, what fails and what cannot be told."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from tracehub.core.assertions import TYPES
from tracehub.core.assess.checks import Answer, CannotCheck, Skipped, check
from tracehub.core.assess.tries import judge_answer, overall
from tracehub.core.exports import python_helper

REFUND = {"refund": {"amount": 418.6, "currency": "EUR"}, "citations": ["policy-118"]}
CALLS = [{"name": "get_booking", "arguments": {"pnr": "X7K2QD", "deep": {"a": 1, "b": 2}}}]
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$defs": {"money": {"type": "number"}},
    "properties": {"refund": {"properties": {"amount": {"$ref": "#/$defs/money"}}}},
    "required": ["refund"],
}
# assertion, output, whether it passes
TABLE = [
    ({"type": "exact", "value": "23 kg"}, "23 kg", True),
    ({"type": "exact", "value": "23 kg"}, "23 KG", False),
    ({"type": "exact", "value": "23 kg", "ignore_case": True}, "23 KG", True),
    ({"type": "exact", "value": {"a": 1, "b": [2]}}, '{"b": [2.0], "a": 1.0}', True),
    ({"type": "exact", "value": {"a": 1}}, {"a": True}, False),
    ({"type": "exact", "value": None}, "null", True),
    ({"type": "exact", "value": {"a": 1}}, "no JSON", False),
    ({"type": "contains", "value": "418.6"}, REFUND, True),
    ({"type": "contains", "value": "Straße", "ignore_case": True}, "In der STRASSE.", True),
    ({"type": "contains", "value": "kg"}, "none", False),
    ({"type": "not_contains", "value": "kg"}, "none", True),
    ({"type": "not_contains", "value": "KG", "ignore_case": True}, "23 kg", False),
    ({"type": "regex", "pattern": r"[0-9]+ kg"}, "up to 23 kg each", True),
    ({"type": "regex", "pattern": "^KG$", "ignore_case": True}, "kg", True),
    ({"type": "regex", "pattern": "^kg"}, "23 kg", False),
    ({"type": "similarity", "value": "Up to 23 kg.", "threshold": 0.9}, "Up to 23kg.", True),
    ({"type": "similarity", "value": "STRASSE é😀", "threshold": 1, "ignore_case": True},
     "straße é😀", True),
    ({"type": "similarity", "value": "abcdefgh", "threshold": 0.63}, "axbcfedghh", True),  # 12/18
    ({"type": "similarity", "value": "abcdefgh", "threshold": 0.68}, "axbcfedghh", False),
    ({"type": "max_calls", "name": "get_booking", "count": 1}, "x", True),
    ({"type": "max_calls", "name": "get_booking", "count": 0}, "x", False),
    ({"type": "similarity", "value": "kg", "threshold": 0.1}, "", False),
    ({"type": "json_schema", "schema": SCHEMA}, json.dumps(REFUND), True),
    ({"type": "json_schema", "schema": SCHEMA}, {"refund": {"amount": "418.60 EUR"}}, False),
    ({"type": "json_schema", "schema": SCHEMA}, "not JSON", False),
    ({"type": "json_pointer_equals", "pointer": "/refund/amount", "value": 418.6}, REFUND, True),
    ({"type": "json_pointer_equals", "pointer": "/refund/amount", "value": 76}, REFUND, False),
    ({"type": "json_pointer_equals", "pointer": "/refund/0", "value": 76}, REFUND, False),
    ({"type": "json_pointer_equals", "pointer": "/a/0", "value": 1}, '{"a": [1]}', True),
    ({"type": "tool_called", "name": "get_booking"}, "", True),
    ({"type": "tool_called", "name": "get_booking", "arguments": {"deep": {"a": 1}}}, "", True),
    ({"type": "tool_called", "name": "get_booking", "arguments": {"pnr": "X7K2QD"},
      "match": "exact"}, "", False),
    ({"type": "tool_called", "name": "pay"}, "", False),
    ({"type": "cites_document", "document": "policy-118"}, REFUND, True),
    ({"type": "cites_document", "document": "policy-118"}, "See policy-118.", True),
    ({"type": "cites_document", "document": "policy-1"}, {"citations": [{"id": "policy-1"}]}, True),
    ({"type": "cites_document", "document": "policy-22"}, REFUND, False),
    ({"type": "max_cost", "usd": "0.02"}, "", True),
    ({"type": "max_cost", "usd": "0.0199"}, "", False),
    ({"type": "max_latency", "ms": 500}, "", True),
    ({"type": "max_latency", "ms": 499.5}, "", False),
    ({"type": "llm_rubric", "rubric": "kind", "threshold": 0.8}, "kind words", True),
    ({"type": "llm_rubric", "rubric": "kind", "threshold": 0.8}, "rude words", False),
]  # fmt: skip


def answer(output):
    return Answer(output, CALLS, Decimal("0.02"), 500.0)


def judge(rubric, model, text):
    return 0.9 if rubric in text else 0.2


def test_the_table_has_every_type_passing_and_failing():
    assert {(row[0]["type"], row[2]) for row in TABLE} == {(t, p) for t in TYPES for p in (0, 1)}


@pytest.mark.parametrize(("assertion", "output", "passes"), TABLE)
def test_an_assertion_passes_or_says_what_is_wrong(assertion, output, passes):
    wrong = check(assertion, answer(output), judge)
    assert (wrong is None) == passes
    assert wrong is None or wrong.message


@pytest.mark.parametrize(("assertion", "output", "passes"), TABLE)
def test_the_exported_helper_says_the_same(assertion, output, passes):
    if assertion["type"] in {"llm_rubric", "json_schema"}:
        pytest.skip("The helper has no judge, and jsonschema is not installed here.")
    module: dict = {}
    exec(python_helper.CHECKS, module)  # our own constant text
    said = module["check"](assertion, output, tool_calls=CALLS, cost=0.02, latency_ms=500.0)
    assert (said is None) == passes


@pytest.mark.parametrize(
    "assertion",
    [
        {"type": "max_cost", "usd": "1"},
        {"type": "max_latency", "ms": 1},
        {"type": "regex", "pattern": "(?=kg)"},
        {"type": "json_schema", "schema": {"type": 7}},
        {"type": "json_schema", "schema": {"$ref": "http://169.254.169.254/x"}},
        {"type": "json_schema", "schema": {"$ref": "file:///etc/passwd"}},
    ],
)
def test_what_cannot_be_told_is_an_error_and_not_a_pass(assertion):
    with pytest.raises(CannotCheck):
        check(assertion, Answer({}))
    case = {"assertions": [{"id": "a1", **assertion}]}
    status, said = judge_answer(case, Answer({}))
    assert (status, said[0]["status"]) == ("error", "error")


def test_a_rubric_without_a_judge_is_skipped():
    with pytest.raises(Skipped):
        check({"type": "llm_rubric", "rubric": "x", "threshold": 0.5}, Answer(""))
    rubric = {"id": "a1", "type": "llm_rubric", "rubric": "x", "threshold": 0.5}
    contains = {"id": "a2", "type": "contains", "value": "x"}
    assert judge_answer({"assertions": [rubric]}, Answer("x"))[0] == "skipped"
    assert judge_answer({"assertions": [rubric, contains]}, Answer("x"))[0] == "pass"
    assert judge_answer({"assertions": [rubric, contains]}, Answer("y"))[0] == "fail"


def test_a_case_without_assertions_compares_with_its_expected_output():
    assert judge_answer({"expected_output": {"a": 1}}, Answer('{"a": 1.0}'))[0] == "pass"
    assert judge_answer({"expected_output": "b"}, Answer("a"))[0] == "fail"
    assert judge_answer({"expected_output": None}, Answer("a"))[0] == "skipped"


@pytest.mark.parametrize(
    ("tries", "status", "flaky"),
    [
        ("pass", "pass", False),
        ("fail pass", "pass", True),
        ("pass fail fail", "fail", True),
        ("pass fail pass", "pass", True),
        ("fail error", "fail", False),
        ("skipped pass", "pass", False),
        ("skipped", "skipped", False),
    ],
)
def test_tries_become_one_status(tries, status, flaky):
    assert overall(tries.split()) == (status, flaky)


def test_a_hostile_pattern_takes_linear_time():
    evil = {"type": "regex", "pattern": "(a+)+$"}
    assert check(evil, Answer("a" * 50_000 + "!")) is not None
    schema = {"type": "json_schema", "schema": {"pattern": "(a+)+$"}}
    assert check(schema, Answer(json.dumps("a" * 50_000 + "!"))) is not None
