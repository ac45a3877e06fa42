"""Verdicts, modes and promotion of rows and of what is selected, each with undo."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import trace_factory
from tests.trace_rows import trace_row
from tests.web import stories
from tracehub.evals.models import Case
from tracehub.projects.models import Membership, Project, User
from tracehub.review import actions
from tracehub.review.models import Review

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return stories.project()


@pytest.fixture
def reviewer(client, project: Project) -> User:
    user = stories.member(project, "reviewer")
    client.force_login(user)
    return user


@pytest.fixture
def viewer(client, project: Project) -> User:
    user = stories.member(project, "viewer")
    client.force_login(user)
    return user


def shown(page) -> list[str]:
    return re.findall(r'<tr id="t-([0-9a-f]{32})"', page.text)


def test_a_viewer_sees_no_verdict_buttons_and_cannot_post(client, project, viewer):
    trace = trace_row(project)
    assert "Mark fail" not in client.get("/skylane/traces").text
    answer = client.post("/skylane/traces/verdict", {"act": f"fail:{trace.hex}"})
    assert answer.status_code == 403


def test_a_verdict_from_a_row_shows_at_once_and_can_be_undone(client, project, reviewer):
    trace_id = trace_factory.trace(project)
    answer = client.post(
        "/skylane/traces/verdict",
        {"act": f"fail:{trace_id}"},
        headers={"hx-request": "true", "hx-current-url": "http://testserver/skylane/traces"},
    )
    assert shown(answer) == [trace_id]
    assert "Fail</span>" in answer.text
    undo = re.search(r'action="(/skylane/traces/undo/[^"]+)"', answer.text)[1]
    back = client.post(undo, {"next": "/skylane/traces"})
    assert back["Location"] == "/skylane/traces"
    assert Review.objects.get().withdrawn_at is not None
    page = client.get("/skylane/traces").text
    assert "Not reviewed</span>" in page
    assert "Undone" in page
    assert "Undone" not in client.get("/skylane/traces").text


def test_a_trace_is_read_from_its_own_partition(client, project, reviewer):
    trace = trace_factory.trace(project)
    row = {"hx-request": "true"}
    with CaptureQueriesContext(connection) as asked:
        client.post("/skylane/traces/verdict", {"act": f"fail:{trace}"}, headers=row)
        client.get(f"/skylane/traces/{trace}/place")
        client.get(f"/skylane/traces/{trace}/alike")
    conditions = [
        one["sql"].partition(" WHERE ")[2].partition(" ORDER BY ")[0]
        for one in asked.captured_queries
        if 'FROM "traces"' in one["sql"]
    ]
    by_id = [where for where in conditions if '"traces"."trace_id" ' in where]
    assert len(by_id) >= 3
    assert all('"traces"."day" ' in where for where in by_id)


def test_selected_traces_are_marked_with_a_failure_mode(client, project, reviewer):
    actions.create_mode(project, "Wrong amount")
    ids = [trace_factory.trace(project) for _ in range(3)]
    data = {"trace": ids[:2], "mode": "wrong-amount", "next": "/skylane/traces"}
    assert client.post("/skylane/traces/bulk", data)["Location"] == "/skylane/traces"
    page = client.get("/skylane/traces").text
    assert "2 traces marked fail" in page
    assert page.count('<span class="label">Wrong amount</span>') == 2


def test_selected_traces_become_cases_of_a_new_set_and_undo_takes_them_out(
    client, project, reviewer
):
    ids = [trace_factory.trace(project) for _ in range(2)]
    client.post(
        "/skylane/traces/bulk", {"trace": ids, "new_set": "Refund regressions", "near": "keep"}
    )
    page = client.get("/skylane/traces").text
    assert "2 cases added to the draft of Refund regressions" in page
    assert Case.objects.filter(removed_in=None).count() == 2
    undo = re.search(r'action="(/skylane/traces/undo/[^"]+)"', page)[1]
    client.post(undo)
    assert Case.objects.filter(removed_in=None).count() == 0


def test_near_duplicates_among_selected_traces_are_shown_first_and_kept_or_left_out(
    client, project, reviewer
):
    def asking(words):
        return trace_factory.trace(project, input=trace_factory.chat(("user", words)))

    there = asking("Refund the booking X7K2QD to my card, please")
    client.post("/skylane/traces/bulk", {"trace": [there], "new_set": "Refunds"})
    like = asking("Please refund the booking M3A9TT to my card")
    fresh = asking("How many bags may I take on board?")
    twice = asking("How many bags may I take on board, please?")
    chosen = {"trace": [there, like, fresh, twice], "set": "refunds", "next": "/skylane/traces"}
    page = client.post("/skylane/traces/bulk", chosen).text
    assert re.findall(r'name="shown" value="(\w+)"', page) == [like, twice]
    assert "100% the words of" in page
    assert "c_0001</a>" in page
    assert f'href="/skylane/traces/{fresh}">' in page  # what the last one is like
    assert Case.objects.count() == 1
    answer = chosen | {"shown": [like, twice], "keep": [twice]}
    assert client.post("/skylane/traces/bulk", answer)["Location"] == "/skylane/traces"
    said = client.get("/skylane/traces").text
    assert "2 cases added to the draft of Refunds, 1 was there already, 1 left out" in said
    sources = {case.source_trace_id.hex for case in Case.objects.all()}
    assert sources == {there, fresh, twice}


def test_nothing_is_done_to_traces_of_another_project(client, project, reviewer):
    other = Project.objects.create(slug="other", name="Other")
    foreign = trace_factory.trace(other)
    client.post("/skylane/traces/bulk", {"trace": [foreign, "x"], "verdict": "fail"})
    assert not Review.objects.exists()
    assert client.post("/skylane/traces/verdict", {"act": f"fail:{foreign}"}).status_code == 404


def test_another_person_cannot_undo(client, project, reviewer):
    trace_id = trace_factory.trace(project)
    client.post("/skylane/traces/bulk", {"trace": [trace_id], "verdict": "pass"})
    undo = re.search(r'action="(/skylane/traces/undo/[^"]+)"', client.get("/skylane/traces").text)
    other = User.objects.create_user("ben@skylane.example")
    Membership.objects.create(project=project, user=other, role="reviewer")
    client.force_login(other)
    assert client.post(undo[1]).status_code == 404
    assert client.post(f"{undo[1]}x").status_code == 404
