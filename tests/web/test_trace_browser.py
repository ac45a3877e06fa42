"""The trace page in Chromium: the whole review by keyboard, narrow, dark, and under attack."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests import server
from tests import trace_factory as factory
from tests.browser import Signed, chromium
from tests.web import stories
from tracehub.evals import actions as evals
from tracehub.evals.models import Case
from tracehub.review import actions
from tracehub.review.models import Review

pytestmark = pytest.mark.browser


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
    evals.create_set(made, "Refund regressions")
    return made


@pytest.fixture
def reviewer(project):
    return stories.member(project, "reviewer")


@pytest.fixture
def open_page(browser, base, reviewer):
    opened = []

    def start(*, width: int = 1440, dark: bool = False) -> Signed:
        opened.append(Signed(browser, base, reviewer, width=width, dark=dark))
        return opened[-1]

    yield start
    for signed in opened:
        signed.context.close()


@pytest.mark.parametrize(("width", "dark"), [(1440, False), (1440, True), (390, False)])
def test_the_page_is_accessible_and_quiet(open_page, project, width, dark):
    trace = stories.refund_trace(project)
    signed = open_page(width=width, dark=dark)
    page = signed.open(f"/skylane/traces/{trace}")
    page.wait_for_selector("[data-pane]")
    signed.shot(f"trace-{width}-{'dark' if dark else 'light'}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert signed.accessibility() == []
    assert signed.errors == []


def test_a_review_by_keyboard_fails_promotes_and_goes_on(open_page, project, reviewer):
    trace = stories.refund_trace(project)
    older = stories.refund_trace(project, 2, minutes_ago=5)
    signed = open_page()
    page = signed.open(f"/skylane/traces/{trace}?from=7d")
    page.keyboard.press("f")
    page.keyboard.press("m")
    page.wait_for_selector("#new-mode:focus")
    page.keyboard.type("amount w")
    assert page.inner_text("[data-mode-said]").startswith("Enter: Wrong amount")
    page.keyboard.press("Enter")
    expect(page.locator('[name="modes"][value="wrong-amount"]')).to_be_checked()
    assert page.input_value("#new-mode") == ""
    page.keyboard.press("]")
    page.keyboard.press("]")
    page.keyboard.press("x")
    assert page.inner_text("[data-pin-name]") == "Fails first at compose-refund"
    page.keyboard.press("e")
    page.keyboard.press("n")
    page.keyboard.type("Amount carries the currency.")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(f"**/skylane/traces/{older}?from=7d")
    assert page.evaluate("document.scrollingElement.scrollHeight == innerHeight")
    assert "Marked as fail, kept as c_0001 of Refund regressions" in page.inner_text("#toast")
    review = Review.objects.get()
    assert (review.verdict, review.severity, review.author) == ("fail", "medium", reviewer)
    assert [mode.slug for mode in review.modes.all()] == ["wrong-amount"]
    case = Case.objects.get(removed_in=None)
    assert (case.kind, case.failure_modes) == ("known_failure", ["wrong-amount"])
    signed.shot("trace-toast")
    page.keyboard.press("z")
    page.wait_for_url(f"**/skylane/traces/{trace}")
    assert "Taken back" in page.inner_text("#toast")
    assert Review.objects.get().withdrawn_at is not None
    assert not Case.objects.filter(removed_in=None).exists()
    assert signed.errors == []


def test_arrows_move_through_the_spans_and_j_k_through_the_traces(open_page, project):
    trace = stories.refund_trace(project)
    older = stories.refund_trace(project, 2, minutes_ago=5)
    signed = open_page()
    page = signed.open(f"/skylane/traces/{trace}?from=7d")
    page.wait_for_selector('[data-pane="0000000100000009"]')
    page.keyboard.press("ArrowUp")
    page.wait_for_selector('[data-pane="0000000100000008"]')
    assert page.url.endswith("?from=7d&span=0000000100000008")
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector('[data-pane="0000000100000004"]')
    page.keyboard.press("ArrowLeft")
    assert page.locator("[data-span]:visible").count() == 5
    page.keyboard.press("ArrowRight")
    assert page.locator("[data-span]:visible").count() == 11
    page.keyboard.press("v")
    page.wait_for_url("**span=0000000100000004&tab=raw")
    page.keyboard.press("o")
    page.wait_for_selector('[data-pane="0000000100000009"]')
    page.keyboard.press("o")
    assert page.evaluate("document.activeElement.id") == "error"
    page.go_back()
    page.wait_for_selector('[data-pane="0000000100000004"]')
    page.keyboard.press("j")
    page.wait_for_url(f"**/{older}?from=7d")
    expect(page.locator(".bar")).to_contain_text("2 of 2")
    page.keyboard.press("k")
    page.wait_for_url(f"**/{trace}?from=7d")
    assert signed.errors == []


def test_who_signs_out_leaves_nothing_of_theirs_in_the_browser(open_page, project):
    trace = stories.refund_trace(project)
    signed = open_page()
    page = signed.page
    signed.open("/skylane/traces?q=output:refund")
    signed.open(f"/skylane/traces/{trace}")
    page.fill("#note", "Not a number.")
    names = "() => Object.keys(localStorage).filter((name) => name.startsWith('tracehub'))"
    kept = {name.split(":", 2)[2].split(":")[0] for name in page.evaluate(names)}
    assert kept == {"verdict", "filters"}
    page.evaluate("localStorage.setItem('of-another-program', '1')")
    page.locator(".nav__project").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/accounts/login/**")
    assert page.evaluate("() => Object.keys(localStorage)") == ["of-another-program"]


def test_the_verdict_and_the_note_survive_a_lost_connection(open_page, project):
    trace = stories.refund_trace(project)
    signed = open_page()
    page, late = signed.page, []
    page.route("**/alike", lambda route: late.append(route))
    page.route("**/review", lambda route: route.abort())
    signed.open(f"/skylane/traces/{trace}")
    page.keyboard.press("f")
    page.fill("#note", "Not a number.")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#problem .banner")
    late[0].continue_()  # what comes by itself does not take the words about the verdict away
    page.wait_for_selector("#alike:not([hx-trigger])")
    said = page.inner_text("#problem")
    assert "The server did not answer" in said
    assert "Your verdict and note are kept in this browser." in said
    signed.shot("trace-lost")
    page.unroute("**/review")
    page.reload()
    assert page.input_value("#note") == "Not a number."
    assert page.is_checked('[name="verdict"][value="fail"]')
    assert page.is_visible("[data-kept]")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#toast")).to_contain_text("Marked as fail")
    page.reload()
    assert not page.is_visible("[data-kept]")
    assert Review.objects.get().note == "Not a number."


def test_what_is_wrong_in_the_form_is_said_in_the_panel(open_page, project):
    trace = stories.refund_trace(project)
    stories.refund_contract(project)
    signed = open_page()
    page = signed.open(f"/skylane/traces/{trace}")
    page.keyboard.press("p")
    page.keyboard.press("e")
    page.select_option('[name="eval_set"]', "+")
    page.fill("#note", "Kept while the form comes back.")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".field__error")
    assert "Choose an eval set, or name a new one." in page.inner_text("#review")
    assert page.input_value("#note") == "Kept while the form comes back."
    page.locator("summary", has_text="Corrected output").press("Enter")
    page.get_by_role("button", name="Start from the output").press("Enter")
    says = page.locator("#corrected-says")
    expect(says).to_contain_text("`/refund/amount` must be number. Got the string")
    page.keyboard.press("Control+a")
    page.keyboard.type('{"refund": {"amount": 418.6,')
    expect(says).to_contain_text("No JSON at line 1, column 29")
    page.keyboard.type('"method": "voucher"}}')
    expect(says).to_contain_text("Follows refund-reply/1")
    expect(says).to_contain_text("lines changed against the output")
    signed.shot("trace-corrected")
    assert signed.accessibility() == []
    page.fill('[name="new_set"]', "Refund successes")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#toast")).to_contain_text("c_0001")
    assert Case.objects.get().kind == "success"


def test_attacks_stay_text_and_nothing_is_sent(open_page, project):
    trace = stories.attack_trace(project)
    signed = open_page()
    for query in ("", f"?span={'c' * 16}", "?tab=raw", f"?span={'b' * 16}&tab=attributes"):
        page = signed.open(f"/skylane/traces/{trace}{query}")
        page.wait_for_selector("[data-pane]")
        assert page.evaluate("window.attacked") is None
    page.locator(f'[data-span="{"c" * 16}"]').click()
    page.wait_for_selector(f'[data-pane="{"c" * 16}"]')
    signed.shot("trace-attack")
    assert page.evaluate("window.attacked") is None
    assert signed.errors == []
    assert not [url for url in signed.requests if "evil" in url or "attacked" in url]


def test_a_passage_is_found_and_gets_a_note_by_keyboard(open_page, project):
    trace = stories.refund_trace(project)
    long = factory.trace(
        project, output=factory.chat(("assistant", "Fare rule. " * 4000 + "Needle"))
    )
    signed = open_page()
    page = signed.open(f"/skylane/traces/{long}")
    page.wait_for_selector("[data-pane]")
    page.keyboard.press("/")
    page.keyboard.type("needle")
    expect(page.locator("[data-find-count]")).to_have_text("1 of 1")  # in what was folded
    expect(page.locator("[data-find] input")).to_have_value("needle")
    assert page.locator("#pane, #panel").count() == 2
    page = signed.open(f"/skylane/traces/{trace}")
    page.wait_for_selector("[data-pane]")
    page.keyboard.press("/")
    page.keyboard.type("418.")
    expect(page.locator("[data-find-count]")).to_have_text("1 of 3")
    page.keyboard.press("Enter")
    expect(page.locator("[data-find-count]")).to_have_text("2 of 3")
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    page.keyboard.type("A string, not a number")
    assert signed.accessibility() == []
    page.route("**/say", lambda route: route.abort())
    page.keyboard.press("Control+Enter")
    expect(page.locator("#problem")).to_contain_text("Your comment is kept in this browser.")
    page.fill("#say", "And a comment")
    page.reload()
    assert page.input_value("#say") == "And a comment"
    page.unroute("**/say")
    page.get_by_role("button", name="Open the note").press("Enter")
    expect(page.locator("[data-passage-quote]")).to_have_text("418.")
    page.focus("#passage-text")
    page.keyboard.press("Control+Enter")
    mark = page.locator("mark.noted")
    expect(mark).to_have_text("418.")
    expect(mark).to_have_attribute("title", "Reviewer: A string, not a number")
    expect(page.locator(".talk")).to_contain_text("A string, not a number")
    assert page.input_value("#say") == "And a comment"
    page.focus("#say")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".talk")).to_contain_text("And a comment")
    expect(page.locator("[data-kept-comment]")).to_be_hidden()
    assert page.input_value("#say") == ""
    assert not Review.objects.exists()
    assert [text for text in signed.errors if "ERR_FAILED" not in text] == []


def test_a_thousand_steps_unfold_on_demand(open_page, project):
    from tests import trace_factory as factory

    trace_id = "e" * 32
    spans = [
        factory.span(
            trace_id,
            span_id=f"{n:016x}",
            parent_id=f"{max(n - 1, 0):016x}" if n else None,
            name=f"step-{n}",
            start_ns=1_795_000_000_000_000_000 + n,
        )
        for n in range(1000)
    ]
    factory.trace(project, *spans, trace_id=trace_id)
    signed = open_page()
    page = signed.open(f"/skylane/traces/{trace_id}?span={0:016x}")
    assert page.locator("[data-span]").count() == 120
    page.locator("[data-span]").nth(119).locator("[data-fold]").click()
    expect(page.locator("[data-span]")).to_have_count(320)
    assert signed.errors == []
