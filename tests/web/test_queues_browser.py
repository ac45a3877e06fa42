"""The pages of review queues in Chromium: wide, narrow, light and dark, by keyboard."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests import server
from tests.browser import Signed, chromium
from tests.trace_rows import trace_row
from tests.web import stories
from tracehub.review import actions, judge_runs, queueing
from tracehub.review.models import JudgeRun, Repeat, Review
from tracehub.traces.models import Feedback

pytestmark = pytest.mark.browser
ASKED = (
    "Can you check whether my fare lets me cancel for free?", "My father passed away",
    "Ticket 88197, wheelchair not booked on the return leg", "Two of four want to rebook",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture
def base(committed_db):
    with server.running() as url:
        yield url


@pytest.fixture
def people(committed_db, settings):
    project = stories.project()
    maja = stories.member(project, "admin", "maja@skylane.example")
    tor = stories.member(project, "reviewer", "tor@skylane.example")
    modes = [
        actions.create_mode(project, name, definition=rule)[0]
        for name, rule in (
            ("Wrong amount", "The sum differs from what the booking gives."),
            ("Invented policy", "The reply states a rule that no document holds."),
        )
    ]
    for number in range(40):
        trace_row(project, input_preview=f"{ASKED[number % 4]} {number}")
    queue = queueing.create_queue(
        project, "Refund canary, week 47", q="model:gpt-4o", blind=True, overlap=100,
        reviewers=[maja, tor], size=32, random_share=10, repeats=4,
        draws=[
            {"way": "stratified", "daily": 10, "most": 60, "by": "prompt"},
            {"way": "different", "most": 4},
        ],
    )[0]  # fmt: skip
    for number, item in enumerate(queue.items.all()[:24]):
        Feedback.objects.create(
            project=project, trace_id=item.trace_id, key=str(number), name="grounded",
            value=number % 4 > 0, source="judge",
        )  # fmt: skip
        verdict = ("fail", "pass", "pass")[number % 3]
        note = ("Amount written with the currency", "Says a voucher is cash")[number // 3 % 2]
        failed = verdict == "fail"
        for one in (maja, tor):
            changed = "pass" if failed and one is tor and number % 9 == 0 else verdict
            chosen = [modes[number // 3 % 2].slug] if number > 17 and changed == "fail" else []
            actions.submit_review(
                project, item.trace_id, changed, author=one, modes=chosen, took_ms=52_000,
                note=f"{note}, {number}" if changed == "fail" else "",
            )  # fmt: skip
    rule = "The sum differs from what the booking and the fare rules give."
    actions.edit_mode(modes[0], "Wrong amount", rule, by=maja)
    settings.JUDGE_URL, settings.JUDGE_MODEL = "https://judge.example/v1", "gpt-4o-mini"
    judge_runs.save_rubric(modes[0], "The refund differs from the fare.", by=maja)
    for scope in ("dev", "test"):
        run = judge_runs.start(modes[0], scope, by=maja, cap=Decimal(2), most=50)
        for task in run.tasks.all():
            task.fails, task.done_at = task.trace_id.int >> 64 & 3 == 0, run.created_at
            task.save()
        JudgeRun.objects.filter(pk=run.pk).update(state="done", cost="0.0123")
    for number, item in enumerate(queue.items.all()[:4]):
        first = Review.objects.get(trace_id=item.trace_id, author=maja)
        again = "pass" if number == 3 else first.verdict
        repeat = Review.objects.create(
            project=project, trace_id=item.trace_id, author=maja, verdict=again, is_repeat=True
        )
        Repeat.objects.create(
            project=project, queue=queue, trace_id=item.trace_id, first=first, reviewer=maja,
            review=repeat,
        )  # fmt: skip
    return project, maja, tor


PAGES = {
    "review": "", "queue": "/refund-canary-week-47", "rules": "/refund-canary-week-47/rules",
    "apart": "/refund-canary-week-47/disagreements",
    "coding": "/refund-canary-week-47/coding", "recheck": "/modes/wrong-amount/recheck",
    "judge": "/modes/wrong-amount/judge", "own": "s",
}  # fmt: skip


@pytest.mark.parametrize(("width", "dark"), [(1440, False), (1440, True), (390, False)])
def test_the_pages_are_accessible_and_quiet(browser, base, people, width, dark):
    signed = Signed(browser, base, people[1], width=width, dark=dark)
    for name, path in PAGES.items():
        page = signed.open(f"/skylane/review{path}")
        signed.shot(f"{name}-{width}-{'dark' if dark else 'light'}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert signed.accessibility() == [], name
    assert signed.errors == []
    signed.context.close()


def test_notes_are_grouped_by_keyboard(browser, base, people):
    signed = Signed(browser, base, people[1], width=1440, dark=False)
    page = signed.open("/skylane/review/refund-canary-week-47/coding")
    assert page.inner_text("h1") == "Coding board"
    before = len(page.query_selector_all(".note"))
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("1")
    page.wait_for_selector("text=1 moved to Wrong amount")
    assert len(page.query_selector_all(".note")) == before - 1
    page.keyboard.press("z")
    page.wait_for_selector("text=Undone")
    page.keyboard.press("x")
    page.keyboard.press("n")
    page.keyboard.type("Odd sum")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Odd sum made of 1")
    page.keyboard.press(".")
    page.wait_for_selector("text=moved to")
    said = page.inner_text(".mode:nth-child(2) h3")
    page.locator(".note").first.drag_to(page.locator(".mode:nth-child(2)"))
    page.wait_for_selector(f"text=1 moved to {said}")
    assert page.locator(".note input:not([tabindex='-1'])").count() == 1
    page.locator(".mode[data-mode]").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("m")
    page.wait_for_selector(".over:target select:focus")
    page.keyboard.press("Escape")
    page.keyboard.press("s")
    page.keyboard.type("Cash")
    assert signed.accessibility() == []
    page.locator(".over:target h2").click()
    page.keyboard.press("1")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(f"text=Cash split from {said}")
    assert signed.errors == []
    signed.context.close()
