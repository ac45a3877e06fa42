"""A project that hides content: viewers get structure and numbers, others read on record."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from tests.security import access_table as table
from tests.security import world as worlds
from tests.trace_factory import chat, digest_now, tool_span, trace
from tracehub.core.trace import SpanFacts, ValidationError
from tracehub.projects import actions
from tracehub.projects.models import AuditEntry

SAID = "zanzibar"  # in every text of the trace, and in no name


@pytest.fixture
def ours(db):
    world = worlds.make("skylane", 1, trace=_trace)
    admin = world.client("admin")
    assert admin.post("/skylane/settings/hide-content", {"on": "1"}).status_code == 302
    world.project.refresh_from_db()
    assert world.project.hides_content
    return world


def _trace(project, number):
    facts = SpanFacts(session_id="s-1", metadata={"about": SAID}, trace_output=SAID)
    trace_id = f"{0xFACE + number:032x}"
    spans = [
        tool_span(trace_id, input={"q": SAID}, output=SAID, error=True, error_message=f"no {SAID}",
                  validation_errors=[ValidationError("/a", "type", f"got {SAID}")]),
    ]  # fmt: skip
    spans.append(
        tool_span(trace_id, kind="llm", model="gpt-4o", tool=None, input=chat(("user", SAID)),
                  output=chat(("assistant", SAID)), facts=facts, parameters={"stop": SAID},
                  attributes={"x": SAID}, events=[{"name": "e", "attributes": {"m": SAID}}],
                  context=[{"id": SAID, "content": SAID, "score": 0.5, "metadata": {"t": SAID}}]),
    )  # fmt: skip
    made = trace(project, *spans, trace_id=trace_id)
    digest_now(project, made)
    return made


def reveals(world):
    found = AuditEntry.objects.filter(project=world.project, action="content.revealed")
    return list(found.order_by("id").values_list("actor", "object"))


def test_no_page_or_call_tells_a_viewer_what_was_said(ours):
    client, seen = ours.client("viewer"), []
    for route, rule in table.PAGES.items():
        if "GET" not in rule:
            continue
        tabs = ("?tab=raw", "?tab=attributes&all=raw", "?raw=1") if "trace_id" in route else ()
        for query in ("", *tabs):
            answer = client.get(f"/skylane/{ours.path(route)}{query}")
            text = b"".join(answer.streaming_content) if answer.streaming else answer.content
            assert SAID not in text.decode(errors="replace"), (route, query)
            seen.append((route, answer.status_code))
    assert ("traces/<str:trace_id>", 200) in seen
    assert ("traces", 200) in seen
    assert ("evals/<slug:set_slug>/export", 403) in seen
    key = {"authorization": f"Bearer {ours.keys['viewer']}"}
    for route, rule in table.CALLS.items():
        if "GET" in rule:
            answer = Client().get(f"/api/v1/{ours.path(route)}", headers=key)
            assert SAID not in answer.text, route
    assert reveals(ours) == []


def test_structure_and_numbers_stay(ours):
    trace_id = ours.objects["trace_id"]
    key = {"authorization": f"Bearer {ours.keys['viewer']}"}
    told = Client().get(f"/api/v1/traces/{trace_id}", headers=key).json()
    assert [span["name"] for span in told["spans"]] == ["get_booking"] * 2
    assert {signal["kind"] for signal in told["signals"]} >= {"tool_error"}
    assert told["output"] == "[hidden]"
    assert told["duration_ms"] > 0
    page = ours.client("viewer").get(f"/skylane/traces/{trace_id}").text
    assert "get_booking" in page
    assert "Show content" not in page


@pytest.mark.parametrize("q", [SAID, f"output:{SAID}", f"-input:{SAID}", f"model:x OR ({SAID})"])
def test_a_viewer_cannot_search_for_what_is_hidden(ours, q):
    assert ours.client("viewer").get("/skylane/traces", {"q": q}).status_code == 403
    key = {"authorization": f"Bearer {ours.keys['viewer']}"}
    for call in ("traces", "facets"):
        answer = Client().get(f"/api/v1/{call}", {"q": q}, headers=key)
        assert answer.status_code == 403
    assert ours.client("viewer").get("/skylane/traces", {"q": "model:gpt-4o"}).status_code == 200


def test_a_reviewer_shows_a_trace_and_the_log_has_it_once(ours):
    trace_id = ours.objects["trace_id"]
    page = f"/skylane/traces/{trace_id}"
    client = ours.client("reviewer")
    before = client.get(page).text
    assert SAID not in before
    assert "Show content" in before
    assert SAID not in client.get("/skylane/traces").text
    assert reveals(ours) == []
    for _ in range(2):
        assert client.post(f"{page}/reveal", {"here": f"{page}?tab=raw"}).status_code == 302
    assert SAID in client.get(page).text
    assert reveals(ours) == [("reviewer@skylane.example", f"traces/{trace_id}")]
    assert ours.client("viewer").post(f"{page}/reveal").status_code == 403
    assert SAID not in ours.client("admin").get(page).text  # each for themselves


def test_other_pages_and_keys_of_reviewers_are_noted(ours):
    client = ours.client("reviewer")
    assert client.get("/skylane/failures").status_code == 200
    assert client.get("/skylane/metrics").status_code == 200
    key = {"authorization": f"Bearer {ours.keys['reviewer']}"}
    whole = Client().get(f"/api/v1/traces/{ours.objects['trace_id']}/raw", headers=key)
    assert SAID in json.dumps(whole.json())
    noted = [what for _, what in reveals(ours)]
    assert noted == ["failures", f"traces/{ours.objects['trace_id']}/raw"]


def test_only_admins_turn_it_and_the_log_has_who(ours):
    client = ours.client("reviewer")
    assert client.post("/skylane/settings/hide-content", {"on": "0"}).status_code == 403
    actions.hide_content(ours.project, False, by=ours.people["admin"])
    assert SAID in ours.client("viewer").get(f"/skylane/traces/{ours.objects['trace_id']}").text
    done = AuditEntry.objects.filter(action__startswith="content.").values_list("action", flat=True)
    assert list(done.order_by("id")) == ["content.hidden", "content.shown"]
