"""Results become tries, tries an outcome, and a gate the files of CI."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tracehub.core import gate_rules, runs
from tracehub.core.gate_files import About, CaseLine, junit, markdown
from tracehub.core.gating import decide
from tracehub.core.outcomes import Outcome
from tracehub.core.shape import ShapeError

CASES = {
    "c_0001": {"assertions": [{"id": "a1", "type": "contains", "value": "kg"}]},
    "c_0002": {"assertions": [], "expected_output": {"a": 1}},
}


def read(*results):
    return runs.read(results, CASES, pass_score=0.5)


def test_a_verdict_is_taken_and_an_output_alone_is_assessed():
    tries = read(
        {"case": "c_0001", "passed": False, "output": "23 kg", "cost": "0.0042"},
        {"case": "c_0001", "output": "23 kg", "latency_ms": 12},
        {"case": "c_0002", "output": '{"a": 1.0}'},
    )
    assert [one["status"] for one in tries["c_0001"]] == ["fail", "pass"]
    assert tries["c_0001"][0]["cost"] == "0.0042"
    assert tries["c_0001"][1]["assertions"][0]["status"] == "pass"
    assert tries["c_0002"][0]["status"] == "pass"
    found = runs.outcome("format", "high", tries["c_0001"])
    assert found == Outcome("format", "pass", True, "high", 0.0042, 12.0, 2, 1)


@pytest.mark.parametrize(
    ("result", "status"),
    [
        ({"score": 0.5}, "pass"),
        ({"score": 0.49}, "fail"),
        ({"error": "boom", "passed": True}, "error"),
        ({"skipped": True}, "skipped"),
    ],
)
def test_scores_errors_and_skips(result, status):
    assert read({"case": "c_0001", **result})["c_0001"][0]["status"] == status


@pytest.mark.parametrize(
    ("result", "field"),
    [
        ({"case": "c_0009", "passed": True}, "results[0].case"),
        ({"case": "c_0001"}, "results[0]"),
        ({"case": "c_0001", "score": 2}, "results[0].score"),
        ({"case": "c_0001", "passed": "yes"}, "results[0].passed"),
        ({"case": "c_0001", "passed": True, "cost": "free"}, "results[0].cost"),
        ({"case": "c_0001", "passed": True, "odd": 1}, "results[0].odd"),
    ],
)
def test_a_wrong_result_is_named(result, field):
    with pytest.raises(ShapeError) as error:
        read(result)
    assert error.value.field == field


def a_gate():
    names = {"p": "pass", "f": "fail", "e": "error", "s": "skipped"}
    run = {f"c_000{n}": Outcome("known_failure", names[s]) for n, s in enumerate("pffes", 1)}
    before = {f"c_000{n}": Outcome("known_failure", names[s]) for n, s in enumerate("fpfpp", 1)}
    gate = decide(run, before, expected=5, rules=gate_rules.read({}))
    lines = [
        CaseLine(
            id=case, title="Refund | <b>@all</b> \x1b[31m`x`", kind="known_failure",
            status=one.status, trace_url=f"https://hub.example/t/{case}", seconds=0.25,
            detail="" if one.status == "pass" else "a1: wrong\nexpected 1\nand ]]> <x>",
        )
        for case, one in run.items()
    ]  # fmt: skip
    return gate, About("refunds", 3, 31, 30), lines


def test_the_junit_file_has_a_suite_per_kind_and_one_for_the_rules():
    root = ElementTree.fromstring(junit(*a_gate()))
    assert root.tag == "testsuites"
    assert (root.get("name"), root.get("errors")) == ("tracehub", "1")
    suites = {suite.get("name"): suite for suite in root}
    assert list(suites) == ["refunds@3 known_failure", "gate"]
    cases = suites["refunds@3 known_failure"].findall("testcase")
    assert cases[0].get("classname") == "refunds.known_failure"
    assert cases[0].get("name").startswith("c_0001 Refund | <b>@all</b> [31m")
    values = {p.get("name"): p.get("value") for p in cases[0].iter("property")}
    assert values == {"tracehub_case": "c_0001", "trace_url": "https://hub.example/t/c_0001"}
    assert [c.find("failure").get("type") for c in cases[1:3]] == ["regression", "still_failing"]
    assert "expected 1" in cases[1].find("failure").text
    assert cases[1].find("failure").text.endswith("https://hub.example/t/c_0002")
    assert cases[3].find("error") is not None
    assert cases[4].find("skipped") is not None
    rules = [c.get("name").partition(":")[0] for c in suites["gate"]]
    assert rules == ["errors", "block", "floor", "drop"]
    counted = sum(len(c.findall("failure")) for suite in root for c in suite)
    assert int(root.get("failures")) == counted
    assert int(root.get("tests")) == sum(len(suite) for suite in root)


def test_the_summary_says_the_verdict_first_and_shows_traces_as_text():
    text = markdown(*a_gate())
    first, *rest = text.splitlines()
    assert first.startswith("**GATE UNDECIDED: 1 of 5 cases gave an error")
    assert "(refunds&#64;3, run 31 against run 30)" in first
    assert "| Known failures | 4 | 2 | 1 | 1 | 1 | 5% to 70% |" in rest
    assert "<b>" not in text
    assert "@all" not in text
    assert r"Refund \|" in text
    assert "[trace](<https://hub.example/t/c_0002>)" in text
