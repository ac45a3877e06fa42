"""Results of other tools: what promptfoo 0.121 and pytest 9 write, and what is refused."""

from __future__ import annotations

import json

import pytest

from tracehub.core.results import ResultsError, read

CASES = ("c_0001", "c_0002", "c_0003")
PROMPTFOO = {
    "evalId": "eval-x",
    "results": {
        "version": 3,
        "results": [
            {
                "success": True, "cost": 0.002, "latencyMs": 812,
                "testCase": {"metadata": {"tracehub_case": "c_0001", "kind": "success"}},
                "response": {"output": "23 kg"},
                "gradingResult": {"pass": True, "componentResults": [
                    {"pass": True, "reason": "Assertion passed",
                     "assertion": {"type": "icontains", "metric": "a1:contains"}}]},
            },
            {
                "success": False, "error": "Expected output to contain \"kg\"", "latencyMs": 3,
                "testCase": {"metadata": {"tracehub_case": "c_0002"}},
                "response": {"output": "no"},
                "gradingResult": {"pass": False, "componentResults": [
                    {"pass": False, "reason": "Expected output to contain \"kg\"",
                     "assertion": {"type": "contains", "metric": "a2:contains"}}]},
            },
            {
                "success": False, "error": "API call error: timeout",
                "testCase": {"metadata": {"tracehub_case": "c_0003"}},
            },
        ],
    },
}  # fmt: skip
JUNIT = """<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests">
<testsuite name="pytest" errors="0" failures="1" skipped="1" tests="4" time="0.12">
<testcase classname="test_tracehub_cases" name="test_case[c_0001]" time="0.004">
 <properties><property name="tracehub_case" value="c_0001"/></properties></testcase>
<testcase classname="test_tracehub_cases" name="test_case[c_0002-refund]" time="1.5">
 <failure message="a1 contains: 'kg' is not in the output">a1 contains</failure></testcase>
<testcase classname="test_tracehub_cases" name="c_0003 Baggage" time="0">
 <error message="boom">Traceback</error></testcase>
<testcase classname="tests.other" name="test_nothing_of_ours" time="0.1"/>
</testsuite></testsuites>"""


def test_promptfoo_s_results_are_read_by_case():
    one, two, three = read(json.dumps(PROMPTFOO).encode(), CASES)
    assert (one["case"], one["passed"], one["cost"], one["latency_ms"]) == (
        "c_0001", True, 0.002, 812,
    )  # fmt: skip
    assert one["output"] == "23 kg"
    assert two["passed"] is False
    assert two["assertions"][0]["id"] == "a2"
    assert two["assertions"][0]["message"] == 'Expected output to contain "kg"'
    assert three["error"] == "API call error: timeout"


def test_junit_is_read_by_property_else_by_a_case_id_in_the_name():
    found = read(JUNIT.encode(), CASES)
    assert [one["case"] for one in found] == ["c_0001", "c_0002", "c_0003"]
    assert [one.get("passed") for one in found] == [True, False, None]
    assert found[1]["latency_ms"] == 1500.0
    assert found[1]["assertions"][0]["message"].startswith("a1 contains: 'kg'")
    assert found[2]["error"].startswith("boom")


def test_the_native_form_is_lines_or_an_array():
    rows = [{"case": "c_0001", "passed": True}, {"case": "c_0001", "output": {"a": 1}}]
    assert read("\n".join(map(json.dumps, rows)).encode() + b"\n\n", CASES) == rows
    assert read(json.dumps(rows).encode(), CASES) == rows


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"case": "c_0001", "passed": true}\n{"case"', "line 2 is not JSON"),
        (b'{"passed": true}', 'line 1 must be an object with "case"'),
        (b'{"case": "c_0009", "passed": true}', "'c_0009', which is no case of this version"),
        (b"", "has no results"),
        (b"<testsuite", "not XML"),
        (b"<testsuite/>", "has no results"),
        (b'<!DOCTYPE x [<!ENTITY a "aaaa">]><testsuite>&a;</testsuite>', "declares entities"),
        (b'{"results": {"results": [{"success": true}]}}', "no testCase.metadata.tracehub_case"),
        (b"\xff\xfe{", "not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_says_where_and_why(body, message):
    with pytest.raises(ResultsError, match=message):
        read(body, CASES)
