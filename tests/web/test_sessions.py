"""Sessions and users: conversations across traces, and what each adds up to."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.trace_rows import signal, trace_row
from tests.web import stories
from tracehub.core.query import Filter
from tracehub.evals.models import Case
from tracehub.projects import actions
from tracehub.traces.extent import Range
from tracehub.traces.threads import store as threads

ASKED = (
    "Hi, is SK 482 on time tomorrow?",
    "It was cancelled. What now?",
    "I want the money back, not a voucher.",
)


@pytest.fixture
def project(db):
    return stories.project()


@pytest.fixture
def reviewer(client, project):
    client.force_login(stories.member(project, "reviewer"))
    return client


def talk(project, session: str = "s-91", *, hours: float = 0, broken: bool = True, **columns):
    """Three turns two minutes apart; the second breaks its contract."""
    return [
        trace_row(
            project,
            ago=timedelta(hours=hours, minutes=10 - 2 * n),
            input_preview=said,
            session_id=session,
            user_id="u_48f1",
            cost=Decimal("0.01"),
            failing=broken and n > 0,
            signals=[signal("schema_error")] if broken and n > 0 else [],
            **columns,
        )
        for n, said in enumerate(ASKED)
    ]


def test_the_list_adds_up_each_session_newest_first(project, reviewer):
    talk(project, "s-1", hours=2, broken=False)
    talk(project, "s-2")
    trace_row(project)  # without a session
    page = reviewer.get("/skylane/sessions")
    text = page.text
    assert text.index("s-2") < text.index("s-1")
    assert text.count("<tr>") == 3  # the head and both
    assert ASKED[0] in text and ASKED[1] not in text
    assert "66.7%" in text
    assert "$0.0300" in text
    narrowed = reviewer.get("/skylane/sessions", {"q": "is:failing"}).text
    assert "s-2" in narrowed and "sessions/s-1" not in narrowed
    assert reviewer.get("/skylane/sessions", {"q": "sesion:x"}).status_code == 400
    empty = reviewer.get("/skylane/sessions", {"q": "env:nowhere"}).text
    assert "No session has a trace that matches" in empty


def test_pages_of_a_list_hold_each_session_once(project):
    for n in range(7):
        talk(project, f"s-{n}", hours=n * 0.02)  # their turns lie between each other's
    now = datetime.now(UTC)
    within = Range(project, now - timedelta(days=1), now)
    seen, cursor = [], ""
    while True:
        page = threads.read(within, Filter(), "session", cursor=cursor, limit=3, seconds=5)
        seen += [one.id for one in page.found]
        if not page.following:
            break
        cursor = page.following
    assert sorted(seen) == [f"s-{n}" for n in range(7)]
    assert seen[0] == "s-0"


def test_a_session_is_read_turn_by_turn(project, reviewer, django_assert_max_num_queries):
    rows = talk(project)
    with django_assert_max_num_queries(32):
        text = reviewer.get("/skylane/sessions/s-91").text
    assert all(said in text for said in ASKED)
    assert text.index(ASKED[0]) < text.index(ASKED[1]) < text.index(ASKED[2])
    assert "Failed at turn 2" in text
    assert text.count("It went wrong here") == 1
    assert "It is a schema_error." in text
    assert "$0.0300" in text
    assert "u_48f1" in text
    assert f"/skylane/traces/{rows[1].hex}?" in text
    assert f'value="fail:{rows[1].hex}"' in text  # the failing turn is looked at first
    third = reviewer.get("/skylane/sessions/s-91", {"turn": "3"}).text
    assert f'value="pass:{rows[2].hex}"' in third
    assert reviewer.get("/skylane/sessions/s-92").status_code == 404
    time = reviewer.get("/skylane/sessions/s-91", {"view": "timeline", "turn": "3"}).text
    assert time.count('class="turn-bar__it"') == 3
    assert time.count("later</li>") == 2
    assert 'href="/skylane/sessions/s-91?turn=3"' in time  # back to the conversation
    said = " ".join(re.sub("<[^>]+>", "", html.unescape(time)).split())
    assert "Schema error in turn 2, and again in 3." in said


def test_a_verdict_given_from_a_session_comes_back_to_it(project, reviewer):
    first, second = (
        stories.refund_trace(project, 1),
        stories.refund_trace(project, 2, minutes_ago=1),
    )
    here = "/skylane/sessions/s-91?turn=2"
    answer = reviewer.post("/skylane/traces/verdict", {"act": f"pass:{second}", "next": here})
    assert answer["Location"] == here
    text = reviewer.get(here).text
    assert "Marked pass" in text
    assert text.count('data-tone="pass"') > 1
    trace = reviewer.get(f"/skylane/traces/{first}").text
    assert "/skylane/sessions/s-91?turn=1" in trace
    assert "/skylane/users/u_48f1" in trace
    kept = {"trace": first, "new_set": "From sessions", "next": here}
    assert reviewer.post("/skylane/traces/bulk", kept)["Location"] == here
    assert Case.objects.get().source_trace_id.hex == first


def test_a_long_session_has_pages(project, reviewer, monkeypatch):
    monkeypatch.setattr("tracehub.web.sessions.TURNS", 2)
    talk(project)
    text = reviewer.get("/skylane/sessions/s-91").text
    assert ASKED[2] not in text
    following = text.split('href="?cursor=')[1].split('"')[0].replace("&amp;", "&")
    text = reviewer.get(f"/skylane/sessions/s-91?cursor={following}").text
    assert ASKED[2] in text and ASKED[0] not in text
    assert 'id="t3"' in text
    assert reviewer.get("/skylane/sessions/s-91?cursor=none").status_code == 404


def test_an_id_may_hold_anything(project, reviewer):
    name = "a/b\n?#%2F ü"
    trace_row(project, session_id=name, input_preview="Hello there")
    text = reviewer.get("/skylane/sessions").text
    address = text.split('href="/skylane/sessions/')[1].split('"')[0]
    assert "Hello there" in reviewer.get(f"/skylane/sessions/{address}").text


def test_a_user_has_sessions_traces_and_a_failing_share(project, reviewer):
    talk(project, "s-1", hours=1)
    talk(project, "s-2", broken=False)
    trace_row(project, user_id="u/2", session_id=None)
    listed = reviewer.get("/skylane/users").text
    assert 'href="/skylane/sessions" aria-current="page"' in listed
    assert "u_48f1" in listed and "/skylane/users/u/2" in listed
    text = reviewer.get("/skylane/users/u_48f1").text
    assert "33.3%" in text
    assert "sessions/s-1" in text and "sessions/s-2" in text
    assert reviewer.get("/skylane/users/u/2").status_code == 200
    assert reviewer.get("/skylane/users/nobody").status_code == 404


def test_a_project_that_hides_content_hides_what_was_said(project, reviewer, client):
    first, second = (
        stories.refund_trace(project, 1),
        stories.refund_trace(project, 2, minutes_ago=1),
    )
    actions.hide_content(project, True, by=stories.member(project, "admin"))
    for page in ("sessions", "sessions/s-91", "users", "users/u_48f1"):
        text = reviewer.get(f"/skylane/{page}").text
        assert "not a voucher" not in text, page
        assert "418.60" not in text, page
    assert reviewer.post(f"/skylane/traces/{second}/reveal").status_code == 302
    text = reviewer.get("/skylane/sessions/s-91").text
    assert text.count("not a voucher") == 2  # in its turn and beside; the other stays hidden
    assert f"traces/{first}" in text
    client.force_login(stories.member(project, "viewer"))
    text = client.get("/skylane/sessions/s-91").text
    assert "not a voucher" not in text
    assert "data-verdict-form" not in text
