"""Runs and gates over the API: from results to a verdict."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

KINDS = ("known_failure", "success", "format", "risky_edge")
CANDIDATE = {"name": "refund v13", "prompt_version": "v13", "commit": "9a02c1e"}


def case(kind, title):
    return {
        "kind": kind, "title": title, "input": {"variables": {"pnr": "X7K2QD"}},
        "assertions": [{"type": "json_pointer_equals", "pointer": "/amount", "value": 38}],
    }  # fmt: skip


@pytest.fixture
def refunds(reviewer):
    reviewer.post("/eval-sets", {"name": "Refunds"})
    cases = [case(kind, f"{kind} {n}") for kind in KINDS for n in (1, 2)]
    assert reviewer.post("/eval-sets/refunds/cases", cases).status_code == 201
    assert reviewer.post("/eval-sets/refunds/fix").status_code == 201
    return "/eval-sets/refunds"


def results(failing=(), *, errors=(), cost="0.01"):
    return [
        {"case": f"c_{n:04d}", "error": "boom"} if n in errors else
        {"case": f"c_{n:04d}", "output": {"amount": 76 if n in failing else 38}, "cost": cost,
         "latency_ms": 400}
        for n in range(1, 9)
    ]  # fmt: skip


def run(api, refunds, found, **candidate):
    body = {"version": 1, "candidate": CANDIDATE | candidate, "results": found}
    return api.post(f"{refunds}/runs", body)


def test_a_regression_fails_the_gate_and_its_mend_passes(reviewer, viewer, refunds):
    base = run(reviewer, refunds, results(), branch="main").json()
    assert (base["id"], base["verdict"], base["passed"]) == (1, "undecided", 8)
    bad = run(reviewer, refunds, results(failing=[1]))
    assert (bad.status_code, bad.json()["id"], bad.json()["verdict"]) == (201, 2, "failed")
    gate = viewer.get("/runs/2/gate").json()
    assert (gate["schema"], gate["verdict"], gate["baseline"]) == ("tracehub.gate/1", "failed", 1)
    assert gate["counts"]["regressed"] == 1
    assert gate["reasons"][0]["message"] == "1 known failure regressed: c_0001."
    assert run(reviewer, refunds, results()).json()["verdict"] == "passed"
    whole = viewer.get("/runs/2").json()
    assert [one["status"] for one in whole["results"]] == ["fail"] + ["pass"] * 7
    assert whole["results"][0]["tries"][0]["assertions"][0]["got"] == "76"
    assert (whole["cost"], whole["candidate"]["commit"]) == ("0.0800", "9a02c1e")
    listed = viewer.get(f"{refunds}/runs?limit=2").json()
    assert [one["id"] for one in listed["items"]] == [3, 2]
    rest = viewer.get(f"{refunds}/runs?limit=2&cursor={listed['next']}").json()
    assert ([one["id"] for one in rest["items"]], rest["next"]) == ([1], None)


def test_the_baseline_is_the_newest_fit_run_of_the_branch_or_the_one_named(reviewer, refunds):
    run(reviewer, refunds, results(), branch="main")
    run(reviewer, refunds, results(cost="0.02"), branch="feature")
    run(reviewer, refunds, results(failing=[2]), branch="main")
    run(reviewer, refunds, results(cost="0.03"), baseline=True)
    run(reviewer, refunds, results(cost="0.04"))
    assert reviewer.get("/runs/4/gate").json()["baseline"] == 1
    assert reviewer.get("/runs/5/gate").json()["baseline"] == 4
    named = reviewer.get("/runs/5/gate?baseline=3").json()
    assert (named["baseline"], named["counts"]["fixed"]) == (3, 1)


def test_the_same_results_again_are_the_same_run(reviewer, refunds):
    first = run(reviewer, refunds, results())
    again = run(reviewer, refunds, results())
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()


def test_a_gate_is_a_junit_file_and_a_summary_too(reviewer, viewer, refunds):
    run(reviewer, refunds, results(), branch="main")
    run(reviewer, refunds, results(failing=[1], errors=[8]))
    file = viewer.get("/runs/2/gate?format=junit")
    assert file.headers["Content-Type"] == "application/xml"
    root = ElementTree.fromstring(file.content)
    assert root.find("testsuite").get("name") == "refunds@1 known_failure"
    first = root.find("testsuite/testcase")
    assert first.find("failure").get("type") == "regression"
    assert "/amount must be 38. Got: 76" in first.find("failure").text
    summary = viewer.get("/runs/2/gate?format=markdown")
    assert summary.text.startswith("**GATE UNDECIDED: 1 of 8 cases gave an error")
    assert viewer.get("/runs/2/gate?format=pdf").status_code == 400


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"version": 2}, "version"),
        ({"version": "1"}, "version"),
        ({"candidate": {}}, "candidate.name"),
        ({"results": []}, "results"),
        ({"results": [{"case": "c_0999", "passed": True}]}, "results[0].case"),
        ({"results": [5]}, "results[0]"),
        ({"results": [{"case": "c_0001"}]}, "results[0]"),
        ({"started_at": "yesterday"}, "started_at"),
        ({"odd": 1}, "odd"),
    ],
)
def test_a_wrong_run_is_refused_with_its_place(reviewer, refunds, change, field):
    body = {"version": 1, "candidate": CANDIDATE, "results": results()}
    answer = reviewer.post(f"{refunds}/runs", body | change)
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, field)


def test_runs_of_another_project_are_not_there(reviewer, refunds, key, other):
    run(reviewer, refunds, results())
    stranger = key("admin", other)
    for path in ("/runs/1", "/runs/1/gate", "/runs/7", "/runs/x"):
        answer = stranger.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    stranger.post("/eval-sets", {"name": "Others"})
    stranger.post("/eval-sets/others/cases", case("success", "x"))
    stranger.post("/eval-sets/others/fix")
    made = run(stranger, "/eval-sets/others", [{"case": "c_0001", "passed": True}])
    assert made.json()["id"] == 1  # numbers count in each project
    assert reviewer.get("/runs/1/gate?baseline=9").status_code == 404


def test_a_baseline_of_another_set_is_refused(reviewer, refunds):
    run(reviewer, refunds, results())
    reviewer.post("/eval-sets", {"name": "Others"})
    reviewer.post("/eval-sets/others/cases", case("success", "x"))
    reviewer.post("/eval-sets/others/fix")
    run(reviewer, "/eval-sets/others", [{"case": "c_0001", "passed": True}])
    answer = reviewer.get("/runs/2/gate?baseline=1")
    assert answer.json()["error"]["field"] == "baseline"


def test_the_rules_of_the_gate_are_changed_and_newest_runs_decided_again(reviewer, refunds):
    run(reviewer, refunds, results(), branch="main")
    run(reviewer, refunds, results(failing=[1]))
    wrong = reviewer("PATCH", refunds, {"gate": {"floors": {"format": 101}}})
    assert (wrong.status_code, wrong.json()["error"]["field"]) == (400, "gate.floors.format")
    loose = {"block": False, "floors": {"known_failure": None}}
    changed = reviewer("PATCH", refunds, {"gate": loose})
    assert changed.status_code == 200
    assert changed.json()["gate"]["block"] is False
    assert changed.json()["gate"]["floors"]["format"] == 100.0
    assert reviewer.get("/runs/2").json()["verdict"] == "passed"
