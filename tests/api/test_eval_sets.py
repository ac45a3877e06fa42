from __future__ import annotations

import hashlib
import json

import pytest

from tests import trace_factory as factory
from tracehub.core.trace import ValidationError
from tracehub.projects.models import AuditEntry

CASE = {"input": {"messages": [{"role": "user", "content": "Baggage limit?"}]}}


@pytest.fixture
def refunds(reviewer):
    assert reviewer.post("/eval-sets", {"name": "Refund regressions"}).status_code == 201
    return "/eval-sets/refund-regressions"


def test_a_set_is_made_found_renamed_and_made_only_once(reviewer):
    made = reviewer.post("/eval-sets", {"name": "Refund regressions"})
    assert (made.status_code, made.json()["slug"]) == (201, "refund-regressions")
    assert made.json()["draft"] == {"version": 1, "cases": 0}
    again = reviewer.post("/eval-sets", {"name": "Refund regressions"})
    assert (again.status_code, again.json()) == (200, made.json())
    taken = reviewer.post("/eval-sets", {"name": "Other", "slug": "refund-regressions"})
    assert (taken.status_code, taken.json()["error"]["code"]) == (409, "conflict")
    assert taken.json()["error"]["field"] == "slug"
    changed = reviewer("PATCH", "/eval-sets/refund-regressions", {"description": "Amounts"})
    assert changed.json() == {**made.json(), "description": "Amounts"}
    assert reviewer.get("/eval-sets").json() == {"items": [changed.json()], "next": None}


def test_the_loop_from_case_to_file(reviewer, viewer, refunds):
    case = reviewer.post(
        f"{refunds}/cases", {**CASE, "kind": "success", "expected_output": "23 kg"}
    )
    assert (case.status_code, case.json()["id"]) == (201, "c_0001")
    assert reviewer.post(f"{refunds}/cases", case.json()).status_code == 200
    fixed = reviewer.post(f"{refunds}/fix", {"note": "first"})
    assert (fixed.status_code, fixed.json()["version"]) == (201, 1)
    file = viewer.get(f"{refunds}/versions/1/export?format=jsonl")
    assert file.headers["Content-Type"] == "application/x-ndjson"
    assert file.headers["Content-Disposition"] == (
        'attachment; filename="refund-regressions-v1.jsonl"'
    )
    assert file.headers["Content-Security-Policy"].startswith("default-src 'none'; sandbox")
    lines = file.content.decode().splitlines()
    assert [json.loads(line) for line in lines] == [case.json()]
    assert hashlib.sha256(file.content).hexdigest() == fixed.json()["content_hash"]
    assert viewer.get(f"{refunds}/versions/1/export").content == file.content
    entry = AuditEntry.objects.filter(action="evalset.exported").first()
    assert (entry.object, entry.detail) == ("refund-regressions@1", {"format": "native"})
    assert viewer.get(f"{refunds}/cases?version=1").json()["items"] == [case.json()]


def test_many_cases_come_back_in_their_order_and_are_all_or_none(reviewer, refunds):
    three = [{**CASE, "title": str(n)} for n in range(3)]
    added = reviewer.post(f"{refunds}/cases", three)
    assert added.status_code == 201
    assert [case["id"] for case in added.json()["items"]] == ["c_0001", "c_0002", "c_0003"]
    bad = reviewer.post(f"{refunds}/cases", [{**CASE, "title": "4"}, {**CASE, "kind": "odd"}])
    assert (bad.status_code, bad.json()["error"]["field"]) == (400, "[1].kind")
    assert len(reviewer.get(f"{refunds}/cases").json()["items"]) == 3


def test_cases_come_in_pages(reviewer, refunds):
    reviewer.post(f"{refunds}/cases", [{**CASE, "title": str(n)} for n in range(5)])
    seen, cursor = [], ""
    for _ in range(3):
        page = reviewer.get(f"{refunds}/cases?limit=2{cursor}").json()
        seen += [case["title"] for case in page["items"]]
        cursor = f"&cursor={page['next']}"
    assert (seen, page["next"]) == (["0", "1", "2", "3", "4"], None)
    foreign = reviewer.get(f"/eval-sets?limit=1{cursor[:-4]}x")
    assert foreign.json()["error"]["field"] == "cursor"


def test_a_reviewed_trace_is_promoted_once(project, admin, reviewer, refunds):
    admin.post("/failure-modes", {"name": "Wrong type"})
    trace_id = factory.trace(
        project,
        output=factory.chat(("assistant", '{"refund": {"amount": "418.60 EUR"}}')),
        validation_errors=[ValidationError("/refund/amount", "type", "must be number")],
    )
    reviewer.post(
        f"/traces/{trace_id}/reviews",
        {"verdict": "fail", "failure_modes": ["wrong-type"], "severity": "high",
         "corrected_output": {"refund": {"amount": 418.6}}},
    )  # fmt: skip
    case = reviewer.post(f"{refunds}/cases", {"from_trace": trace_id.upper()})
    assert case.status_code == 201
    made = case.json()
    assert (made["kind"], made["failure_modes"]) == ("known_failure", ["wrong-type"])
    assert made["source"]["trace_id"] == trace_id
    assert [a["type"] for a in made["assertions"]] == ["json_schema", "json_pointer_equals"]
    again = reviewer.post(f"{refunds}/cases", {"from_trace": trace_id})
    assert (again.status_code, again.json()) == (200, made)
    other_kind = reviewer.post(f"{refunds}/cases", {"from_trace": trace_id, "kind": "format"})
    assert other_kind.status_code == 409
    factory.digest_now(project, trace_id)
    promoted = reviewer.get("/traces?q=is:promoted").json()["items"]
    assert [trace["trace_id"] for trace in promoted] == [trace_id]
    assert reviewer.get(f"/traces/{trace_id}").json()["promoted"] is True


def test_a_draft_is_exported_only_when_asked_for(reviewer, viewer, refunds):
    empty = viewer.get(f"{refunds}/versions/1/export?draft=true")
    assert (empty.status_code, empty.json()["error"]["message"]) == (
        400,
        "refund-regressions@1 has no cases to export.",
    )
    reviewer.post(f"{refunds}/cases", CASE)
    assert "is a draft" in viewer.get(f"{refunds}/versions/1/export").json()["error"]["message"]
    assert viewer.get(f"{refunds}/versions/1/export?draft=true").status_code == 200
    assert viewer.get(f"{refunds}/versions/2/export").status_code == 404
    assert viewer.get(f"{refunds}/versions/1/export?draft=true&format=odd").status_code == 400


def test_fixing_nothing_new_is_a_conflict_and_an_empty_draft_wrong(reviewer, refunds):
    assert reviewer.post(f"{refunds}/fix").status_code == 400
    reviewer.post(f"{refunds}/cases", CASE)
    assert reviewer.post(f"{refunds}/fix").status_code == 201
    assert reviewer.post(f"{refunds}/fix").status_code == 409


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "input"),
        ({"input": {}}, "input"),
        ({"input": "Baggage?"}, "input"),
        ({"input": {"messages": [{"role": "pilot", "content": "x"}]}}, "input.messages[0].role"),
        ({**CASE, "project": 1}, "project"),
        ({**CASE, "created_by": "x"}, "created_by"),
        ({**CASE, "severity": "huge"}, "severity"),
        ({**CASE, "failure_modes": ["nowhere"]}, "failure_modes"),
        ({**CASE, "source": {"trace_id": "../../x"}}, "source.trace_id"),
        ({**CASE, "assertions": [{"type": "odd"}]}, "assertions[0].type"),
        ({**CASE, "assertions": [{"type": "exact"}]}, "assertions[0].value"),
        ({**CASE, "assertions": [{"type": "regex", "pattern": "(?i)x"}]}, "assertions[0].pattern"),
        ({**CASE, "assertions": [{"type": "json_pointer_equals", "pointer": "a", "value": 1}]},
         "assertions[0].pointer"),
        ({**CASE, "assertions": [{"type": "max_cost", "usd": 0.1}]}, "assertions[0].usd"),
        ({**CASE, "assertions": [{"id": "a1", "type": "exact", "value": 1}] * 2},
         "assertions[0].id"),
        ({"from_trace": "../../x"}, "from_trace"),
        ({"from_trace": "0" * 32, "version": 3}, "version"),
        ([], "body"),
        ("text", "body"),
    ],
)  # fmt: skip
def test_a_wrong_case_is_refused_with_the_place_and_the_rule(reviewer, refunds, body, field):
    answer = reviewer.post(f"{refunds}/cases", body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid"
    assert answer.json()["error"]["field"] == field


def test_a_trace_of_another_project_cannot_be_promoted(other, reviewer, refunds):
    foreign = factory.trace(other)
    answers = [
        reviewer.post(f"{refunds}/cases", {"from_trace": trace_id})
        for trace_id in (foreign, "0" * 32)
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content
