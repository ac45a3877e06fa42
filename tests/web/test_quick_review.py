"""Working through a queue by keyboard alone: one key a pass, nothing lost, and how long."""

from __future__ import annotations

import os
from collections import Counter

import pytest
from playwright.sync_api import expect

from tests import server
from tests import trace_factory as factory
from tests.browser import Signed, chromium
from tests.web import stories
from tracehub.evals import actions as evals
from tracehub.evals.models import Case
from tracehub.review import actions, queueing
from tracehub.review.models import Measuring, Review, Timing

pytestmark = pytest.mark.browser
BENCH_REVIEWS = int(os.environ.get("BENCH_REVIEWS", "40"))  # `make bench` asks for 200
EMPTY = """() => localStorage.getItem(`tracehub:${document.body.dataset.person}:outbox`) === '[]'"""
# From the key that submits to the frame that shows the next trace.
WATCH = """() => {
  window.painted = [];
  let pressed = 0;
  document.addEventListener("keydown", () => { pressed = performance.now(); }, true);
  document.addEventListener("trace:shown", () => {
    const from = pressed;
    requestAnimationFrame(() => setTimeout(() => window.painted.push(performance.now() - from)));
  });
}"""


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture
def base(committed_db):
    with server.running() as url:
        yield url


@pytest.fixture
def project(committed_db):
    made = stories.project()
    for name in ("Wrong amount", "Wrong scope", "Format"):
        actions.create_mode(made, name)
    Measuring.objects.create(project=made)
    return made


@pytest.fixture
def reviewer(project):
    return stories.member(project, "reviewer")


@pytest.fixture
def start(browser, base, project, reviewer):
    opened = []

    def begin(number: int) -> Signed:
        for _ in range(number):
            factory.trace(project)
        queueing.create_queue(project, "Refunds", size=number, reviewers=[reviewer])
        signed = Signed(browser, base, reviewer, width=1440, dark=False)
        opened.append(signed)
        page = signed.open("/skylane/review/refunds")
        page.keyboard.press("Enter")
        page.wait_for_url("**/traces/**")
        return signed

    yield begin
    for signed in opened:
        signed.context.close()


def shown(page) -> str:
    return page.get_attribute("form[data-queue]", "data-trace")


def press(page, *keys: str) -> None:
    """Press keys of which the last submits, and wait for the next trace."""
    before = shown(page)
    for key in keys:
        page.keyboard.press(key)
    page.wait_for_function(
        "id => document.querySelector('form[data-queue]')?.dataset.trace !== id", arg=before
    )


def reviews() -> list[Review]:
    return list(Review.objects.filter(withdrawn_at=None).order_by("pk").prefetch_related("modes"))


def test_every_way_to_say_it_quickly(start, wait_for, project):
    evals.create_set(project, "Refund regressions")
    signed = start(9)
    page = signed.page
    press(page, "p")
    press(page, "u")
    press(page, "f", "2")
    page.keyboard.press("f")
    page.keyboard.type("Sum is text, 2 of 2.")
    press(page, "Enter")
    page.keyboard.press("f")
    page.keyboard.press("Shift+Digit1")
    press(page, "3")
    press(page, "Shift+Digit2", "Enter")
    press(page, "e", "Enter")
    wait_for(lambda: len(reviews()) == 7, why="seven reviews")
    found = [(r.verdict, [m.slug for m in r.modes.all()], r.note) for r in reviews()]
    assert found == [
        ("pass", [], ""),
        ("unsure", [], ""),
        ("fail", ["wrong-scope"], ""),
        ("fail", [], "Sum is text, 2 of 2."),
        ("fail", ["wrong-amount", "format"], ""),
        ("fail", ["wrong-scope"], ""),
        ("fail", [], ""),
    ]
    assert Case.objects.get().source_trace_id == reviews()[-1].trace_id
    assert all(review.took_ms is not None for review in reviews())
    timings = Timing.objects.order_by("pk")
    assert [t.first_key_ms is not None and t.open_ms is not None for t in timings] == [True] * 7
    assert [t.save_ms is not None for t in timings][:: len(timings) - 1] == [False, True]
    assert signed.accessibility() == []
    signed.shot("quick-review")
    taken_back = reviews()[-1].trace_id.hex
    page.keyboard.press("z")
    page.wait_for_url(f"**/traces/{taken_back}?queue=refunds")
    assert len(reviews()) == 6
    assert signed.errors == []


def test_without_the_switch_nothing_submits_before_the_command(start, reviewer, wait_for):
    page = start(3).page
    page.locator("[data-quick]").uncheck()
    wait_for(lambda: _quick(reviewer) is False, why="the switch to be kept")
    page.keyboard.press("p")
    page.keyboard.press("f")
    page.keyboard.press("1")
    expect(page.locator('[name="verdict"][value="fail"]')).to_be_checked()
    assert reviews() == []
    press(page, "x", "Control+Enter")
    wait_for(lambda: len(reviews()) == 1, why="the review")
    assert reviews()[0].failing_span != ""
    page.reload()
    expect(page.locator("[data-quick]")).not_to_be_checked()


def test_a_cut_network_and_a_closed_tab_lose_nothing(start, wait_for):
    signed = start(4)
    page = signed.page
    page.wait_for_load_state("networkidle")
    signed.context.set_offline(True)
    press(page, "p")
    page.keyboard.press("f")
    page.keyboard.type("Cut in the middle")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Your verdicts are kept in this browser")
    assert reviews() == []
    page.close()
    signed.context.set_offline(False)
    again = signed.context.new_page()
    again.goto(f"{signed.base}/skylane/review/refunds/next")
    wait_for(lambda: len(reviews()) == 2, why="what the browser had kept")
    assert [(r.verdict, r.note) for r in reviews()] == [("pass", ""), ("fail", "Cut in the middle")]


def test_an_expired_session_loses_nothing(start, wait_for):
    signed = start(3)
    page = signed.page
    page.wait_for_load_state("networkidle")
    cookies = signed.context.cookies()
    signed.context.clear_cookies()
    page.keyboard.press("p")
    page.wait_for_selector("text=Your verdicts are not taken at the moment")
    assert reviews() == []
    signed.context.add_cookies(cookies)
    page.goto(f"{signed.base}/skylane/review/refunds/next")
    wait_for(lambda: len(reviews()) == 1, why="the kept verdict")
    page.wait_for_function(EMPTY)  # answered


def test_a_verdict_that_waits_is_sent_by_its_own_person_alone(start, project, wait_for):
    signed = start(3)
    page, own = signed.page, signed.context.cookies()
    page.wait_for_load_state("networkidle")
    signed.context.clear_cookies()
    page.keyboard.press("p")
    page.wait_for_selector("text=Your verdicts are not taken at the moment")
    other = stories.member(project, "reviewer", "ada@skylane.example")
    queueing.create_queue(project, "Hers", size=2, reviewers=[other])
    signed.sign_in(other)
    signed.open("/skylane/review/hers/next")
    press(page, "u")  # what she says is sent behind what waited, if it were hers
    page.wait_for_function(EMPTY)
    assert [(one.author, one.verdict) for one in reviews()] == [(other, "unsure")]
    signed.context.add_cookies(own)
    signed.open("/skylane/review/refunds/next")
    wait_for(lambda: len(reviews()) == 2, why="the kept verdict")
    assert reviews()[1].verdict == "pass" and reviews()[1].author != other
    page.wait_for_function(EMPTY)


def test_skipping_asks_why_and_goes_on(start, wait_for):
    page = start(2).page
    first = shown(page)
    page.keyboard.press("s")
    page.keyboard.press("Enter")
    page.wait_for_function(
        "id => document.querySelector('form[data-queue]')?.dataset.trace !== id", arg=first
    )
    assert "Skipped" in page.inner_text("#toast")


def test_many_reviews_by_keyboard_alone(start, wait_for, capsys):
    signed = start(BENCH_REVIEWS + 1)
    page = signed.page
    page.evaluate(WATCH)
    for number in range(BENCH_REVIEWS):
        press(page, *(("p",), ("f", "1"), ("u",), ("f", "2"))[number % 4])
    wait_for(lambda: len(reviews()) == BENCH_REVIEWS, why="every review")
    painted = sorted(page.evaluate("window.painted"))
    saved = sorted(t.save_ms for t in Timing.objects.exclude(save_ms=None))
    with capsys.disabled():
        print(f"\n{len(painted)} reviews, {painted[len(painted) // 2]:.0f} ms each by median; p95:")
        print(f"next trace painted {_p95(painted):.0f} ms, verdict saved {_p95(saved):.0f} ms")
    quarter = BENCH_REVIEWS // 4
    given = {"fail": 2 * quarter, "pass": quarter, "unsure": quarter}
    assert Counter(r.verdict for r in reviews()) == given
    assert signed.errors == []


def _p95(ordered: list[float]) -> float:
    return ordered[round(0.95 * (len(ordered) - 1))]


def _quick(user) -> bool | None:
    user.refresh_from_db()
    return user.preferences.get("quick_review")
