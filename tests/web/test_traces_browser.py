"""The list of traces in Chromium: filter bar, facets, keyboard, narrow and dark."""

from __future__ import annotations

import json
import random
import re
from datetime import timedelta
from decimal import Decimal

import pytest
from playwright.sync_api import expect

from tests import server
from tests.browser import Signed, chromium
from tests.trace_rows import signal, trace_row
from tests.web import stories
from tracehub.digest.bulk import work
from tracehub.evals.models import Case
from tracehub.review import actions
from tracehub.review.models import Review
from tracehub.traces.models import Trace

pytestmark = pytest.mark.browser
ASKED = (
    "SK 482 to Lisbon was cancelled, I want the money back, not a voucher",
    "Can you check whether my fare lets me cancel for free?",
    "Ticket 88213 · 14 messages · lost stroller",
    "Jag blev ombokad till imorgon. Har jag rätt till ersättning?",
    "<script>window.attacked = 1</script>",
)


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
    actions.create_mode(made, "Wrong amount")
    actions.create_mode(made, "Invented policy")
    return made


@pytest.fixture
def open_page(browser, base, project):
    reviewer = stories.member(project, "reviewer")
    opened = []

    def start(*, width: int = 1440, dark: bool = False) -> Signed:
        opened.append(Signed(browser, base, reviewer, width=width, dark=dark))
        return opened[-1]

    yield start
    for signed in opened:
        signed.context.close()


def fill(project, number: int = 130) -> None:
    """A day of an airline's support agent, the same each time."""
    dice = random.Random(7)
    kinds = [
        ("schema_error", "high"),
        ("tool_error", "high"),
        ("slow", "medium"),
        ("retried", "low"),
    ]
    for index in range(number):
        failing = dice.random() < 0.2
        signals = [signal(*kind) for kind in dice.sample(kinds, dice.choice([1, 2]))]
        trace_row(
            project,
            ago=timedelta(minutes=2 + index * 1400 / number),
            name=dice.choice(["airline-support", "ticket-summary"]),
            cohort=dice.choice(["canary", "control"]),
            environment=dice.choice(["production"] * 9 + ["staging"]),
            model_names=[dice.choice(["gpt-4o", "gpt-4o", "gpt-4o-mini", "mistral-large"])],
            prompts=[dice.choice(["refund@v11", "refund@v12", "summary@v4"])],
            duration_ns=int(dice.uniform(0.4, 18) * 1e9),
            total_tokens=dice.randint(700, 14_000),
            cost=Decimal(dice.randint(4, 400)) / 10_000,
            tags=dice.sample(["vip", "lang:sv", "eu"], dice.choice([0, 1, 2])),
            signals=signals if failing or dice.random() < 0.15 else [],
            failing=failing,
            input_preview=ASKED[index % len(ASKED)],
            output_preview='{"refund": {"amount": "418.60 EUR", "method": "original"}}'
            if index % 2
            else "Your Flex Plus fare is fully refundable until 2 hours before departure.",
        )


@pytest.mark.parametrize(
    ("width", "dark"), [(1440, False), (1440, True), (1100, False), (390, False)]
)
def test_the_list_is_accessible_and_quiet(open_page, project, width, dark):
    fill(project)
    signed = open_page(width=width, dark=dark)
    page = signed.open("/skylane/traces?q=model:gpt-4o*+latency:>1s")
    expect(page.locator("#rows > tr")).to_have_count(30)
    signed.shot(f"traces-{width}-{'dark' if dark else 'light'}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("window.attacked") is None
    assert signed.accessibility() == []
    assert signed.errors == []


def test_filters_come_from_typing_suggestions_and_facets(open_page, project):
    fill(project, 40)
    signed = open_page()
    page = signed.open("/skylane/traces")
    page.keyboard.press("/")
    page.keyboard.type("latency:>5s")
    page.keyboard.press("Enter")
    expect(page.locator("#filter .chip")).to_have_text(["latency:>5s"])
    expect(page.locator("#filter-input")).to_be_focused()
    expect(page.locator("#filter-input")).to_have_value("")
    expect(page.locator("#suggestions")).to_be_hidden()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#suggestions")).to_be_visible()
    page.keyboard.type("sig")
    option = page.locator("#suggestions [role=option]").first
    expect(option).to_contain_text("signal:")
    signed.shot("traces-suggestions")
    assert signed.accessibility() == []
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#filter .chip")).to_have_count(2)
    page.locator("#facet-model .facet__row").first.click()
    expect(page.locator("#facet-model .facet__row[aria-current]")).to_have_count(1)
    assert "model" in page.url
    page.go_back()
    expect(page.locator("#filter .chip")).to_have_count(2)
    page.locator("#filter-input").click()
    page.keyboard.press("Backspace")
    expect(page.locator("#filter .chip")).to_have_count(1)
    expect(page.locator("#filter-input")).to_have_value("signal:" + option_text(signed))
    page.keyboard.press("Enter")
    expect(page.locator("#filter .chip")).to_have_count(2)
    page.locator("#filter .chip__edit").first.click()
    expect(page.locator("#filter-input")).to_have_value("latency:>5s")
    expect(page.locator("#filter-input")).to_be_focused()
    page.locator("#filter-input").fill("latency:>2s")
    page.keyboard.press("Enter")
    expect(page.locator("#filter .chip")).to_have_count(2)
    assert "latency:>2s" in page.locator("#filter .chip").all_inner_texts()
    assert signed.errors == []


def option_text(signed) -> str:
    return signed.page.locator("#filter-input").input_value().removeprefix("signal:")


def test_recent_filters_and_the_range_come_back_by_keyboard(open_page, project):
    fill(project, 5)
    signed = open_page()
    page = signed.open("/skylane/traces?q=model:gpt-4o+latency:>1s")
    page = signed.open("/skylane/traces")
    page.keyboard.press("/")
    offer = page.locator("#suggestions [data-recent]")
    expect(offer).to_have_text("model:gpt-4o latency:>1s")
    signed.shot("traces-recent")
    assert signed.accessibility() == []
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.locator("#filter .chip")).to_have_text(["model:gpt-4o", "latency:>1s"])
    page.keyboard.press("Escape")
    page.keyboard.press("t")
    expect(page.locator(".range-form")).to_be_visible()
    signed.shot("traces-range")
    assert signed.accessibility() == []
    page.keyboard.press("Escape")
    expect(page.locator(".range-form")).to_be_hidden()
    page.keyboard.press("t")
    page.locator("a.menu__item", has_text="Last 7 days").click()
    page.wait_for_url("**from=7d")
    expect(page.locator("summary[data-key=t]")).to_contain_text("Last 7 days")
    expect(page.locator(".range-form")).to_be_hidden()
    assert signed.errors == []


def test_a_bad_filter_turns_red_in_place_and_is_mended_with_one_click(open_page, project):
    fill(project, 5)
    signed = open_page()
    page = signed.open("/skylane/traces?q=model:gpt-4o")
    page.locator("#filter-input").fill("latency:>5sec")
    page.keyboard.press("Enter")
    expect(page.locator("#filter-error")).to_contain_text("such as 5s or 800ms")
    expect(page.locator(".chip[data-tone=fail]")).to_have_text("latency:>5sec")
    signed.shot("traces-error")
    assert signed.accessibility() == []
    page.locator("#filter-error a").click()
    expect(page.locator("#filter .chip")).to_have_text(["model:gpt-4o", "latency:>5s"])
    assert signed.errors == []


def test_the_keyboard_moves_previews_and_marks(open_page, project):
    ids = [stories.refund_trace(project, n, minutes_ago=n) for n in (1, 2, 3)]
    signed = open_page()
    page = signed.open("/skylane/traces")
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator("#rows > tr[aria-current=true]")).to_have_id(f"t-{ids[1]}")
    page.keyboard.press("Space")
    expect(page.locator(".preview")).to_contain_text("SK 482 to Lisbon")
    signed.shot("traces-preview")
    page.keyboard.press("Space")
    expect(page.locator(".preview")).to_have_count(0)
    page.keyboard.press("f")
    expect(page.locator(f"#t-{ids[1]} .verdict")).to_have_text("Fail")
    expect(page.locator(".toast")).to_contain_text("Marked fail")
    page.keyboard.press("z")
    expect(page.locator(".toast")).to_contain_text("Undone")
    assert Review.objects.get().withdrawn_at is not None
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/traces/{ids[0]}*")
    assert signed.errors == []


def test_selected_traces_are_labelled_and_promoted(open_page, project):
    ids = [stories.refund_trace(project, n, minutes_ago=n) for n in (1, 2, 3)]
    signed = open_page()
    page = signed.open("/skylane/traces")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("Shift+X")
    expect(page.locator("#bulk-count")).to_have_text("2 selected")
    page.keyboard.press("l")
    signed.shot("traces-bulk")
    assert signed.accessibility() == []
    page.locator("#bulk-label button", has_text="Wrong amount").click()
    expect(page.locator(".toast")).to_contain_text("2 traces marked fail")
    expect(page.locator(f"#t-{ids[0]} .label")).to_have_text("Wrong amount")
    page.locator(f"#t-{ids[2]} input").check()
    page.locator(".bulk button", has_text="Export").click()
    with page.expect_download() as download:
        page.locator("#bulk-export button", has_text="JSONL").click()
    assert download.value.suggested_filename == "traces-skylane.jsonl"
    (line,) = download.value.path().read_bytes().splitlines()
    assert json.loads(line)["trace_id"] == ids[2]
    page.keyboard.press("e")
    page.get_by_role("textbox", name="Name of a new set").fill("Refund regressions")
    page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_contain_text(
        "1 case added to the draft of Refund regressions"
    )
    assert Case.objects.filter(removed_in=None).count() == 1
    assert signed.errors == []


@pytest.mark.parametrize(("width", "dark"), [(1440, False), (390, True)])
def test_all_that_match_are_marked_by_keyboard_and_undone(open_page, project, width, dark):
    fill(project, 60)
    signed = open_page(width=width, dark=dark)
    page = signed.open("/skylane/traces?q=cohort:canary")
    found = Trace.objects.filter(cohort="canary").count()
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("a")
    expect(page.locator("#bulk-count")).to_have_text(f"All {found} selected")
    signed.shot(f"bulk-all-{width}")
    page.keyboard.press("l")
    page.locator("#bulk-label button", has_text="Unsure").click()
    expect(page.locator("#jobs .job")).to_contain_text(f"Marking {found} traces unsure")
    signed.shot(f"bulk-job-{width}")
    assert signed.accessibility() == []
    work.work(seconds=20)
    expect(page.locator("#jobs .job")).to_contain_text(f"{found} traces marked unsure")
    page.locator("#jobs button", has_text="Undo").click()
    work.work(seconds=20)
    expect(page.locator("#jobs .job")).to_contain_text("was undone")
    page.goto(f"{signed.base}/skylane/traces/jobs")
    expect(page.locator(".job")).to_contain_text("was undone")
    signed.shot(f"jobs-{width}")
    assert signed.accessibility() == []
    assert signed.errors == []


def test_a_time_is_brushed_a_list_is_saved_and_opened_by_keyboard(open_page, project):
    fill(project)
    signed = open_page()
    page = signed.open("/skylane/traces?q=cohort:canary")
    box = page.locator("#hist").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 20)
    signed.shot("traces-brush")
    page.mouse.up()
    page.wait_for_url("**from=*")
    expect(page.locator("summary[data-key=t]")).to_contain_text(" to ")
    wide = page.locator("#hist g").count()
    page.locator("#hist").focus()
    for key in ["ArrowRight"] * 2 + ["Shift+ArrowRight"] * 20:  # some hours, which hold traces
        page.keyboard.press(key)
    expect(page.locator("#hist")).to_have_attribute("aria-valuenow", "22")
    assert " to " in page.locator("#hist").get_attribute("aria-valuetext")
    brushed = page.url
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: url != brushed)  # the list is another from here on
    assert wide > 0
    page.keyboard.press("b")
    page.locator("input[placeholder='Save this list as']").fill("Canary only")
    signed.shot("traces-views")
    assert signed.accessibility() == []
    page.keyboard.press("Enter")
    expect(page.locator(".nav__views .nav__item")).to_contain_text("Canary only")
    signed.shot("traces-view")
    page.goto(f"{signed.base}/skylane/failures")
    page.keyboard.press("g")
    page.keyboard.press("1")
    page.wait_for_url("**view=*")
    expect(page.locator("#filter .chip")).to_have_text(["cohort:canary"])
    page.locator("#facet-env .facet__row").first.click()
    expect(page.locator(".bar .badge")).to_have_text("edited")
    assert signed.accessibility() == []
    assert signed.errors == []


def test_more_rows_come_when_scrolled_to_the_end(open_page, project):
    fill(project, 50)
    signed = open_page()
    page = signed.open("/skylane/traces")
    expect(page.locator("#rows > tr")).to_have_count(30)
    page.locator("#results-scroll").evaluate("box => box.scrollTo(0, box.scrollHeight)")
    expect(page.locator("#rows > tr")).to_have_count(50)
    expect(page.locator("#shown")).to_have_text("50")
    assert signed.errors == []


def test_live_offers_new_traces_and_folded_facets_stay_folded(open_page, project):
    fill(project, 10)
    signed = open_page()
    page = signed.open("/skylane/traces")
    page.locator("#facet-model summary").click()
    page.locator("#live").click()
    trace_row(project, ago=timedelta(seconds=1), name="brand-new")
    offer = page.locator("#newer a")
    expect(offer).to_have_text("Show 1 new")
    offer.click()
    expect(page.locator("#rows > tr").first).to_contain_text("brand-new")
    expect(page.locator("#newer a")).to_have_count(0)
    expect(page.locator("#live")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#facet-model .facet__row").first).to_be_hidden()
    assert signed.errors == []
    signed.context.set_offline(True)
    expect(page.locator("#problem")).to_contain_text("Live updates paused")
    expect(page.locator("#problem")).to_contain_text("Reconnecting in 8 s.")
    expect(page.locator("#problem")).to_contain_text("Reconnecting in 7 s.")
    signed.context.set_offline(False)
    page.get_by_role("button", name="Try now").click()
    expect(page.locator("#problem > *")).to_have_count(0)
    expect(page.locator("#live")).to_have_attribute("aria-pressed", "true")


def test_counts_of_a_large_range_come_after_the_list(open_page, project, monkeypatch):
    monkeypatch.setattr("tracehub.web.traces.COUNTED_AT_ONCE", -1)
    fill(project, 60)
    signed = open_page()
    page = signed.open("/skylane/traces")
    expect(page.locator("#total")).to_have_text("of 60")
    page.locator("#facet-env .facet__row", has_text="staging").click()
    expect(page.locator("#filter .chip")).to_have_text(["env:staging"])
    expect(page.locator("#facet-env .facet__row[aria-current]")).to_have_count(1)
    expect(page.locator("#histogram svg")).to_be_visible()
    assert signed.errors == []


def test_rows_show_that_they_wait_when_an_answer_takes_long(open_page, project):
    fill(project, 60)
    signed = open_page()
    page = signed.open("/skylane/traces")
    held = []
    page.route("**/traces?*q=env*", lambda route: held.append(route))
    page.locator("#facet-env .facet__row", has_text="staging").click()
    expect(page.locator("#main[data-waits]")).to_have_count(1)
    held[0].continue_()
    expect(page.locator("#filter .chip")).to_have_text(["env:staging"])
    expect(page.locator("#main[data-waits]")).to_have_count(0)
    assert signed.errors == []


def test_facets_are_a_sheet_on_a_phone(open_page, project):
    fill(project, 30)
    for n in range(20):
        trace_row(project, tags=[f"area-{n:02}", "area-vip"] if n == 10 else [f"area-{n:02}"])
    signed = open_page(width=390)
    page = signed.open("/skylane/traces")
    page.locator("button", has_text="Filters").click()
    sheet = page.locator("#facets")
    expect(sheet).to_be_visible()
    signed.shot("traces-sheet")
    sheet.locator("#facet-tag > summary").click()
    sheet.locator("#facet-tag .facet__more summary").click()
    sheet.locator("#facet-tag .facet__search").fill("AREA-17")
    expect(sheet.locator("#facet-tag .facet__more a:visible")).to_have_text(re.compile("area-17"))
    signed.shot("traces-facet-search")
    sheet.locator("#facet-model .facet__row").first.click()
    expect(page.locator("#filter .chip")).to_have_count(1)
    sheet.locator("button", has_text="Show").click()
    expect(sheet).to_be_hidden()
    assert signed.accessibility() == []
    assert signed.errors == []


def test_help_theme_and_going_to_pages(open_page, project):
    signed = open_page()
    page = signed.open("/skylane/traces")
    page.keyboard.press("?")
    expect(page.locator("#shortcuts")).to_be_visible()
    signed.shot("shortcuts")
    assert signed.accessibility() == []
    page.keyboard.press("Escape")
    expect(page.locator("#shortcuts")).to_be_hidden()
    page.locator(".nav__project").click()
    signed.shot("switcher")
    page.locator("#switcher button", has_text="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.keyboard.press("g")
    page.keyboard.press("m")
    page.wait_for_url("**/skylane/metrics")
    assert signed.errors == []
