"""Where it breaks: from the last good step to the first failing one."""

from __future__ import annotations

import pytest

from tests import server
from tests import trace_factory as factory
from tests.browser import Signed, chromium
from tests.web import stories
from tracehub.core import transitions
from tracehub.core.transitions import Step
from tracehub.review import actions

STEPS = [
    Step("plan", "llm", "1", False), Step("look-up", "tool", "2", True),
    Step("look-up", "tool", "3", False), Step("write", "llm", "4", True),
]  # fmt: skip


def test_the_first_bad_step_counts_unless_a_reviewer_pinned_another():
    found = transitions.path("a", STEPS, failing=True)
    assert (found.passed, found.failing.span_id) == (("start", "plan"), "2")
    pinned = transitions.path("a", STEPS, failing=True, pinned="4")
    assert (pinned.passed, pinned.failing.name) == (("start", "plan", "look-up"), "write")
    fine = transitions.path("a", STEPS, failing=False)
    assert (fine.passed[-1], fine.failing) == ("write", None)
    assert transitions.path("a", STEPS[:1], failing=True).failing is None


def test_spans_that_hold_others_are_no_steps():
    trace_id = "a" * 32
    spans = [
        factory.span(trace_id, name="root", kind="agent", start_ns=1),
        factory.span(trace_id, name="plan", start_ns=2),
        factory.span(trace_id, name="look", kind="tool", start_ns=3, span_id="b" * 16),
    ]
    from tracehub.core.digest import digest

    done = transitions.steps([digest(span) for span in spans], {"b" * 16})
    assert [(step.name, step.failed) for step in done] == [("plan", False), ("look", True)]


@pytest.mark.django_db
def test_each_cell_opens_its_traces(client):
    project = stories.project()
    reviewer = stories.member(project, "reviewer")
    failing = stories.refund_trace(project)
    client.force_login(reviewer)
    page = client.get("/skylane/failures/matrix?from=7d").text
    assert "1 traces passed get_booking and failed at get_fare_rules" in page
    assert f"/skylane/traces/{failing}?span=0000000100000007" in page
    from uuid import UUID

    actions.submit_review(
        project, UUID(hex=failing), "fail", author=reviewer, failing_span="0000000100000009"
    )
    factory.digest_now(project, failing)
    page = client.get("/skylane/failures/matrix?from=7d").text
    assert "passed get_fare_rules and failed at compose-refund" in page
    assert client.get("/skylane/failures/matrix?q=nonsense:1").status_code == 400
    assert "Nothing fails here" in client.get("/skylane/failures/matrix?q=prompt:none").text
    client.force_login(stories.member(stories.project("other"), "admin"))
    assert client.get("/skylane/failures/matrix").status_code == 404


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.mark.browser
@pytest.mark.parametrize(("width", "dark"), [(1440, False), (390, True)])
def test_the_page_is_accessible_and_moves_by_arrows(browser, committed_db, width, dark):
    project = stories.project()
    reviewer = stories.member(project, "reviewer")
    for number in range(1, 6):
        stories.refund_trace(project, number)
    with server.running() as base:
        signed = Signed(browser, base, reviewer, width=width, dark=dark)
        page = signed.open("/skylane/failures/matrix?from=7d")
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.wait_for_url("**at=get_fare_rules*")
        signed.shot(f"matrix-{width}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert signed.accessibility() == []
        assert signed.errors == []
        signed.context.close()
