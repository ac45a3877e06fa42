"""Contracts and failures through the HTTP API."""

from __future__ import annotations

import pytest

from tests import trace_factory as factory
from tests.api.conftest import admin, key, keys, other, project, reviewer, viewer  # noqa: F401
from tests.failures.test_worker import RIGHT, SCHEMA, WRONG, reply
from tests.web import stories

BODY = {"name": "refund-reply", "applies_to": {"prompt": "refund"}, "schema": SCHEMA}


@pytest.fixture
def failing(project, admin):  # noqa: F811
    admin.post("/contracts", BODY)
    return reply(project, WRONG, number=1)


def test_a_contract_has_versions_and_the_same_again_makes_none(admin, viewer):  # noqa: F811
    first = admin.post("/contracts", BODY)
    assert (first.status_code, first.json()["label"]) == (201, "refund-reply/1")
    assert admin.post("/contracts", BODY).status_code == 200
    second = admin.post("/contracts", {**BODY, "labels": {"/refund/method": ["card"]}})
    assert (second.status_code, second.json()["version"]) == (201, 2)
    (only,) = viewer.get("/contracts").json()["items"]
    assert only["label"] == "refund-reply/2"


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"applies_to": {}}, "applies_to", "must name a prompt, a span, or both"),
        ({"schema": {"pattern": "(?!a)"}}, "schema", "linear time"),
        ({"schema": {"$ref": "http://10.0.0.1/x"}}, "schema", "Nothing is loaded from elsewhere"),
        ({"labels": {"intent": ["a"]}}, "labels", "JSON pointer"),
        ({"name": "a b"}, "name", "letters, digits"),
        ({"surprise": 1}, "surprise", "not a known field"),
    ],
)
def test_a_contract_that_cannot_be_used_is_refused_with_the_reason(admin, change, field, said):  # noqa: F811
    answer = admin.post("/contracts", BODY | change)
    error = answer.json()["error"]
    assert (answer.status_code, error["field"]) == (400, field)
    assert said in error["message"]


def test_a_trace_names_the_failure_of_each_signal_at_once(failing, viewer):  # noqa: F811
    (signal,) = viewer.get(f"/traces/{failing}").json()["signals"]
    assert (signal["kind"], signal["failure"]) == ("schema_error", "TH-1")
    assert signal["contract"] == "refund-reply/1"
    (listed,) = viewer.get("/traces?q=failure:TH-1").json()["items"]
    assert listed["signals"][0]["failure"] == "TH-1"


def test_a_failure_has_its_reason_days_and_history(failing, viewer):  # noqa: F811
    (listed,) = viewer.get("/failures").json()["items"]
    assert (listed["key"], listed["recent"], listed["status"]) == ("TH-1", 1, "new")
    found = viewer.get("/failures/TH-1").json()
    assert found["title"].startswith("refund.amount: must be number, got")
    assert found["since"] == "refund@v12"
    assert {"part": "place", "value": "/refund/amount"} in found["reason"]
    assert sum(day["events"] for day in found["days"]) == 1
    assert found["activity"] == []
    assert viewer.get("/failures/TH-2").status_code == 404


def test_resolved_in_the_next_version_it_comes_back_only_after_that(failing, project, reviewer):  # noqa: F811
    answer = reviewer("PATCH", "/failures/TH-1", {"status": "resolved", "resolved_in": "next"})
    assert (answer.json()["status"], answer.json()["resolved_in"]) == ("resolved", ">refund@v12")
    reply(project, RIGHT, number=2, version="v13")
    reply(project, WRONG, number=3, version="v11")
    assert reviewer.get("/failures/TH-1").json()["status"] == "resolved"
    reply(project, WRONG, number=4, version="v13")
    found = reviewer.get("/failures/TH-1").json()
    assert (found["status"], found["activity"][0]["verb"]) == ("regressed", "regressed")


def test_status_assignee_and_merging_are_changed_together_or_not_at_all(
    failing,
    project,  # noqa: F811
    reviewer,  # noqa: F811
):
    reply(project, "No.", number=2)
    member = stories.member(project, "reviewer")
    wrong = {"status": "ignored", "assignee": "nobody@skylane.example"}
    answer = reviewer("PATCH", "/failures/TH-1", wrong)
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, "assignee")
    assert reviewer.get("/failures/TH-1").json()["status"] == "new"
    right = {"status": "ignored", "ignored_until": "7d", "assignee": member.email}
    found = reviewer("PATCH", "/failures/TH-1", right).json()
    assert (found["status"], found["assignee"]) == ("ignored", member.email)
    merged = reviewer("PATCH", "/failures/TH-2", {"merge_into": "TH-1"}).json()
    assert merged["merged_into"] == "TH-1"
    assert [one["key"] for one in reviewer.get("/failures").json()["items"]] == ["TH-1"]
    assert reviewer.get("/failures/TH-1").json()["merged"] == ["TH-2"]
    assert reviewer("PATCH", "/failures/TH-2", {"merge_into": None}).json()["merged_into"] is None


def test_another_projects_failure_is_not_there(failing, key, other):  # noqa: F811
    stranger = key("admin", other)
    assert stranger.get("/failures/TH-1").status_code == 404
    assert stranger.get("/failures").json()["items"] == []


def test_a_list_goes_on_by_cursor_and_filters_by_words_and_status(project, viewer):  # noqa: F811
    for n, name in enumerate(("plan", "compose", "summarise"), 1):
        factory.trace(project, trace_id=f"{n:032x}", name=name, finish_reasons=["length"])
    first = viewer.get("/failures?limit=2").json()
    rest = viewer.get(f"/failures?limit=2&cursor={first['next']}").json()
    keys_seen = [one["key"] for one in first["items"] + rest["items"]]
    assert sorted(keys_seen) == ["TH-1", "TH-2", "TH-3"]
    assert rest["next"] is None
    (found,) = viewer.get("/failures?q=summ").json()["items"]
    assert found["span"] == "summarise"
    assert viewer.get("/failures?status=resolved").json()["items"] == []
    assert viewer.get("/failures?status=odd").status_code == 400


def test_a_case_made_of_a_failing_trace_names_its_failure(failing, admin):  # noqa: F811
    admin.post("/eval-sets", {"name": "Refunds"})
    answer = admin.post("/eval-sets/refunds/cases", {"from_trace": failing})
    assert answer.json()["source"]["failure"] == "TH-1"
