"""Review queues over the API."""

from __future__ import annotations

import pytest

from tests.trace_rows import trace_row
from tests.web import stories
from tracehub.review import actions

pytestmark = pytest.mark.django_db


def test_a_queue_is_made_filled_and_read(project, reviewer, viewer):
    person = stories.member(project, "reviewer")
    for _ in range(3):
        trace_row(project, failing=True)
    trace_row(project)
    body = {
        "name": "Refund canary", "q": "is:failing", "overlap": 0.2, "blind": True,
        "reviewers": [person.email],
    }  # fmt: skip
    made = reviewer.post("/queues", body)
    assert made.status_code == 201
    assert (made.json()["slug"], made.json()["overlap"]) == ("refund-canary", 0.2)
    assert reviewer.post("/queues", body).status_code == 200
    assert reviewer.post("/queues", {**body, "q": ""}).status_code == 409
    listed = viewer.get("/queues").json()["items"]
    assert [queue["id"] for queue in listed] == [made.json()["id"]]
    stats = viewer.get(f"/queues/{made.json()['id']}/stats").json()
    assert (stats["items"], stats["left"], stats["agreement"]["alpha"]) == (3, 3, None)
    assert viewer.get("/queues/refund-canary/next").json() == {"item": None, "left": 0}


def test_next_gives_what_is_nobodys_until_this_key_has_said(project, reviewer):
    trace_row(project)
    reviewer.post("/queues", {"name": "All", "q": ""})
    item = reviewer.get("/queues/all/next").json()["item"]
    assert item["reason"] == "All traces"
    from uuid import UUID

    from tracehub.projects.models import ApiKey

    key = ApiKey.objects.get(scope="reviewer")
    actions.submit_review(project, UUID(hex=item["trace_id"]), "pass", author=key)
    assert reviewer.get("/queues/all/next").json()["item"] is None
    stats = reviewer.get("/queues/all/stats").json()
    assert (stats["reviewed"], stats["verdicts"]["pass"]) == (1, 1)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"q": ""}, "name"),
        ({"name": "x", "q": "latencie:>5s"}, "q"),
        ({"name": "x", "q": "", "overlap": 20}, "overlap"),
        ({"name": "x", "q": "", "reviewers": ["nobody@skylane.example"]}, "reviewers"),
    ],
)
def test_what_is_wrong_is_named(reviewer, body, field):
    answer = reviewer.post("/queues", body)
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, field)
