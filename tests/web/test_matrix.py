"""Where it breaks: from the last good step to the first failing one."""

from __future__ import annotations

import re
import time
from collections import Counter, defaultdict
from types import SimpleNamespace
from uuid import UUID

import pytest
from playwright.sync_api import expect

from tests import server
from tests import trace_factory as factory
from tests.browser import Signed, chromium
from tests.web import stories
from tracehub.core import transitions
from tracehub.core.trace import Prompt
from tracehub.core.transitions import Step
from tracehub.review import actions, queueing
from tracehub.web import mode_pivot

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


def two_versions(project, reviewer) -> list[str]:
    """Eight traces each of v1, which works, and of v2, of which every one breaks while writing."""
    actions.create_mode(project, "Wrong amount")
    made = []
    for number in range(16):
        trace, new = f"{number + 1:032x}", number >= 8
        prompt = Prompt("refund", "v2" if new else "v1")
        look = factory.tool_span(trace, name="look-up", start_ns=time.time_ns() - 10**10)
        given = {"error": True, "error_message": f"Sum is text {number}"} if new else {}
        write = factory.span(trace, name="write", prompt=prompt, parent_id=look.span_id, **given)
        factory.trace(project, look, write, trace_id=trace, digested=False)
        verdict, modes = ("fail", ["wrong-amount"]) if new else ("pass", [])
        actions.submit_review(project, UUID(hex=trace), verdict, author=reviewer, modes=modes)
        made.append(trace)
    factory.digest_now(project, *made)
    return made


@pytest.mark.parametrize(("of", "end"), [(1, "any change."), (20, "a change under 31 points.")])
def test_a_version_with_few_reviews_says_what_it_cannot_tell(of, end):
    counts = mode_pivot.Counts(Counter({"a@v1": 40, "a@v2": of}), defaultdict(Counter))
    counts.having["late"]["a@v1"] = 8
    told = mode_pivot._few(
        counts, "prompt", [SimpleNamespace(slug="late")], ["a@v1", "a@v2"], ("a@v1", "a@v2")
    )
    assert told.endswith(f"Too few to tell {end}")


@pytest.mark.django_db
def test_versions_are_compared_step_by_step_and_mode_by_mode(client):
    project = stories.project()
    reviewer = stories.member(project, "reviewer")
    made = two_versions(project, reviewer)
    client.force_login(reviewer)
    page = client.get("/skylane/failures/matrix").text
    assert "8 traces passed look-up and failed at write, 50.0%, higher than in refund@v1" in page
    assert "refund@v1 0.0%, +100.0 pts (" in page
    assert "refund@v1 to refund@v2" in page
    assert "Queue 8 of 8" in page
    opened = re.search(r'href="([^"]+)" data-open-all', page)[1].replace("&amp;", "&")
    assert client.get(opened).text.count("data-trace=") == 8
    only = client.get("/skylane/failures/matrix", {"q": "prompt:refund@v2"}).text
    assert "failed at write, 100.0%, higher than in refund@v1" in only
    assert "v1 → v2<small>" in only
    change = client.get(
        "/skylane/failures/matrix", {"q": "prompt:refund@v2", "show": "change"}
    ).text
    assert "failed at write, +100.0 points" in change
    assert "refund@v1 → refund@v2" in change
    modes = page[page.index('id="modes"') :]
    assert "8 of 8, 95% interval 67.6% to 100.0%" in modes
    assert "+100.0<small" in modes
    assert "Worse" in modes
    assert "v2 has 8 reviewed traces. Too few to tell a change under" in modes
    cell = re.search(r'href="([^"]+)" title="8 of 8', modes)[1].replace("&amp;", "&")
    assert client.get(cell).text.count("data-trace=") == 8
    for axis, head in (("model", "gpt"), ("tool", "get_booking"), ("cohort", "No failure modes")):
        shown = client.get("/skylane/failures/matrix", {"by": axis}).text
        assert head in shown[shown.index('id="modes"') :]
    queueing.create_queue(project, "Look", reviewers=[reviewer])
    sent = {"trace": made[8:], "queue": "look"}
    assert client.post("/skylane/traces/bulk", sent).status_code == 302


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.mark.browser
@pytest.mark.parametrize(("width", "dark"), [(1440, False), (390, True)])
def test_the_page_is_accessible_and_moves_by_arrows(browser, committed_db, width, dark):
    project = stories.project()
    reviewer = stories.member(project, "reviewer")
    two_versions(project, reviewer)
    with server.running() as base:
        signed = Signed(browser, base, reviewer, width=width, dark=dark)
        page = signed.open("/skylane/failures/matrix?from=7d")
        signed.shot(f"matrix-{width}")
        page.keyboard.press("j")
        expect(page.locator(".heat a.tint[data-hot]").first).to_be_focused()
        page.keyboard.press("q")
        expect(page.get_by_text("No queues yet. Make the first")).to_be_visible()
        page.keyboard.press("Escape")
        page.keyboard.press("j")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert signed.accessibility() == []
        page.keyboard.press("Enter")
        page.wait_for_url("**/skylane/traces?q=trace*")
        expect(page.locator("#rows tr[data-trace]")).to_have_count(8)
        assert signed.errors == []
        signed.context.close()
