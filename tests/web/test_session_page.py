"""A session as one thing: its verdict and language, what is alike, and a case with its talk."""

from __future__ import annotations

import re
from uuid import UUID

import pytest

from tests import trace_factory as factory
from tests.trace_rows import signal, trace_row
from tests.web import stories
from tests.web.test_sessions import talk
from tracehub.core import promotion
from tracehub.core.cases import complete
from tracehub.core.stored import span_hex
from tracehub.core.trace import SpanFacts
from tracehub.evals.models import Case
from tracehub.review.models import Review
from tracehub.traces.models import StoredSpan

PAGE = "/skylane/sessions/s-91"


@pytest.fixture
def project(db):
    return stories.project()


@pytest.fixture
def client(client, project):
    client.force_login(stories.member(project, "reviewer"))
    return client


def turn(project, number, said="Where is it?", answer="In Oslo."):
    return factory.trace(
        project,
        trace_id=f"{number:032x}",
        input=factory.chat(("system", "Be kind."), ("user", said)),
        output=factory.chat(("assistant", answer)),
        facts=SpanFacts(session_id="s-91"),
    )


def test_the_first_failing_turn_is_the_verdict_and_what_it_cost_is_told(client, project):
    talk(project)
    text = client.get(PAGE).text
    head = text[text.index("Verdict on the session") :]
    assert "since turn 2" in head and "pass-all" not in head
    assert "$0.0200 from the error on" in text
    assert "Keep <span data-turns>turns 1 to 2</span> as a case" in text
    assert "<dt>Language</dt><dd>English</dd>" in text


def test_all_turns_of_a_session_pass_at_once(client, project):
    ids = [turn(project, n) for n in (1, 2, 3)]
    client.post("/skylane/traces/verdict", {"act": f"pass:{ids[0]}", "next": PAGE})
    text = client.get(PAGE).text
    assert "1 of 3 turns reviewed" in text and "Pass the other 2<" in text
    assert 'data-number="1" data-mine="pass"' in text
    form = text[text.index('id="pass-all"') :]
    left = re.findall(r'name="trace" value="([0-9a-f]{32})"', form[: form.index("</form>")])
    assert left == ids[1:]
    client.post("/skylane/traces/bulk", {"trace": left, "verdict": "pass", "next": PAGE})
    assert Review.objects.filter(verdict="pass").count() == 3
    assert "all 3 turns" in client.get(PAGE).text


def test_sessions_with_the_same_break_are_counted(client, project):
    talk(project)
    text = client.get(PAGE).text
    assert "Alike" in text and "only this one" in text
    talk(project, "s-92", hours=3)
    trace_row(project, session_id="s-93", signals=[signal("tool_error")])
    text = client.get(PAGE).text
    assert "2 sessions" in text
    assert "/skylane/sessions?q=signal%3Aschema_error&amp;from=14d" in text


def test_a_case_takes_the_turns_before_it_along(client, project):
    turn(project, 1)
    turn(project, 2, "And mine?", "Here.")
    given = {"trace": f"{2:032x}", "new_set": "Talks", "talk": "1", "next": PAGE}
    client.post("/skylane/traces/bulk", given)
    messages = Case.objects.get().input["messages"]
    assert [(one["role"], one["content"]) for one in messages] == [
        ("system", "Be kind."),
        ("user", "Where is it?"),
        ("assistant", "In Oslo."),
        ("user", "And mine?"),
    ]


def test_a_talk_that_a_trace_holds_already_is_not_added_twice():
    said = [{"role": "user", "content": text} for text in ("Where is it?", "And mine?")]
    case = complete({"kind": "success", "input": {"messages": said}})
    assert promotion.with_talk(case, [("Where is it?", "In Oslo.")]) == case
    longer = promotion.with_talk(case, [("Hello?", "Yes."), ("Where is it?", "In Oslo.")])
    assert [one["content"] for one in longer["input"]["messages"]] == [
        "Hello?", "Yes.", "Where is it?", "And mine?",
    ]  # fmt: skip


def test_x_pins_the_turn_where_it_went_wrong(client, project):
    ids = [turn(project, n) for n in (1, 2, 3)]
    client.post("/skylane/traces/verdict", {"act": f"fail:{ids[0]}", "next": PAGE})
    answer = client.post("/skylane/traces/verdict", {"act": f"pin:{ids[1]}", "next": PAGE})
    assert (answer.status_code, answer["Location"]) == (302, PAGE)
    review = Review.objects.get(trace_id=UUID(hex=ids[1]))
    step = StoredSpan.objects.get(trace_id=review.trace_id)
    assert (review.verdict, review.failing_span) == ("fail", span_hex(step.span_id))
    text = client.get(PAGE).text
    assert "Failed at turn 2" in text and f"Pinned by {review.author}." in text
    assert re.search(r'value="pin:[0-9a-f]{32}" data-key="x" aria-pressed="true"', text)
    back = re.search(r'action="(/skylane/traces/undo/[^"]+)"', text)
    client.post(back[1], {"next": PAGE})
    assert "Failed at turn 1" in client.get(PAGE).text
