"""Traces like one: the same failure first, then the nearest input."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from tests.trace_rows import trace_row
from tests.web import stories
from tracehub.projects import actions
from tracehub.traces.models import Trace

ASKED = "SK 482 to Lisbon was cancelled and I want the money back"


@pytest.fixture
def project(db):
    return stories.project()


@pytest.fixture
def reviewer(client, project):
    client.force_login(stories.member(project, "reviewer"))
    return client


def test_the_same_failure_comes_first_then_the_nearest_words(
    project, reviewer, django_assert_max_num_queries
):
    first, second = stories.refund_trace(project, 1), stories.refund_trace(project, 2)
    near = trace_row(project, input_preview=ASKED)
    trace_row(project, input_preview="Where is the lounge at gate 14?")
    trace_row(project, input_preview=ASKED, prompts=["summary@v4"])
    trace_row(project, input_preview=ASKED, ago=timedelta(days=8))
    assert Trace.objects.get(trace_id=UUID(hex=first)).failures
    with django_assert_max_num_queries(40):
        text = reviewer.get(f"/skylane/traces/{first}/alike", headers={"HX-Request": "true"}).text
    assert text.index(f"/traces/{second}") < text.index(f"/traces/{near.hex}")
    assert "same failure, words 100% alike" in text
    assert text.count("<li") == 2
    page = reviewer.get(f"/skylane/traces/{first}/alike").text
    assert "<h1>Traces like this one</h1>" in page
    assert f"/skylane/traces/{first}/alike" in reviewer.get(f"/skylane/traces/{first}").text
    for wrong in ("f" * 32, "none"):
        assert reviewer.get(f"/skylane/traces/{wrong}/alike").status_code == 404
    actions.hide_content(project, True, by=stories.member(project, "admin"))
    assert "voucher" not in reviewer.get(f"/skylane/traces/{first}/alike").text


def test_a_trace_like_no_other_says_so(project, reviewer):
    only = stories.refund_trace(project, 1)
    assert "None within 7 days" in reviewer.get(f"/skylane/traces/{only}/alike").text
