"""The charts in Chromium: plotly.js draws what the plotly package built, in both themes."""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests import server
from tests.browser import Signed, chromium
from tests.web import stories
from tests.web.test_metrics import fill

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
    return stories.project()


@pytest.fixture
def open_page(browser, base, project):
    viewer = stories.member(project, "viewer")
    opened = []

    def start(*, width: int = 1440, dark: bool = False) -> Signed:
        opened.append(Signed(browser, base, viewer, width=width, dark=dark))
        return opened[-1]

    yield start
    for signed in opened:
        signed.context.close()


def colour(page, selector, name):
    return page.locator(selector).first.evaluate(
        "(node, name) => getComputedStyle(node)[name]", name
    )


@pytest.mark.parametrize(
    ("width", "dark", "red"),
    [
        (1440, False, "rgb(210, 63, 43)"),
        (1440, True, "rgb(232, 97, 78)"),
        (390, False, "rgb(210, 63, 43)"),
    ],
)
def test_charts_are_drawn_in_our_colours_without_a_complaint(open_page, project, width, dark, red):
    fill(project)
    signed = open_page(width=width, dark=dark)
    page = signed.open("/skylane/metrics?from=14d")
    expect(page.locator(".plot .svg-container")).to_have_count(12)
    assert colour(page, "#plot-requests .scatterlayer path.js-line", "stroke") == red
    assert page.locator("#plot-requests .barlayer .point").count() > 50
    assert page.locator(".plot text", has_text="v12").count() == 12
    expect(page.locator("section#breakdown .share").first).to_be_attached()
    expect(page.locator("section#comparison .interval").first).to_be_attached()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    signed.shot(f"metrics-{width}-{'dark' if dark else 'light'}")
    assert signed.accessibility() == []
    assert signed.errors == []
    assert {url.split("/")[2] for url in signed.requests} == {signed.base.split("/")[2]}


def test_names_from_traces_stay_text_in_labels_and_hover(open_page, project):
    fill(project, evil=True)
    signed = open_page()
    page = signed.open("/skylane/metrics?from=14d&group=model")
    expect(page.locator(".plot .main-svg").first).to_be_attached()
    page.locator("#plot-latency .nsewdrag").hover()
    hover = page.locator("#plot-latency .hoverlayer")
    expect(hover).to_contain_text('<a href="https://evil.example">x</a><b>&lt;')
    assert page.locator(".plot a").count() == 0
    assert signed.errors == []


def test_grouping_and_ranges_redraw_in_place(open_page, project):
    fill(project)
    signed = open_page()
    page = signed.open("/skylane/metrics?from=14d")
    expect(page.locator("#plot-latency .js-line")).to_have_count(3)
    page.get_by_role("link", name="Cohort").click()
    expect(page.locator("#plot-latency .js-line")).to_have_count(2)
    expect(page.locator("#plot-latency")).to_contain_text("canary")
    assert "group=cohort" in page.url
    page.locator("summary", has_text="Last 14 days").click()
    page.get_by_role("link", name="Last 7 days").click()
    expect(page.locator("summary", has_text="Last 7 days")).to_be_visible()
    expect(page.locator("#plot-latency .js-line")).to_have_count(2)
    page.go_back()
    expect(page.locator("summary", has_text="Last 14 days")).to_be_visible()
    expect(page.locator("#plot-latency .js-line")).to_have_count(2)
    assert signed.errors == []


def test_a_chart_turns_into_its_table(open_page, project):
    fill(project)
    signed = open_page()
    page = signed.open("/skylane/metrics?from=14d")
    button = page.get_by_role("button", name="Latency as a table")
    expect(page.locator("#table-latency")).to_be_hidden()
    button.click()
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(page.locator("#table-latency th[scope=row]").first).to_be_visible()
    expect(page.locator("#plot-latency")).to_be_hidden()
    assert signed.accessibility() == []


def test_a_click_opens_the_traces_of_that_step(open_page, project):
    fill(project)
    signed = open_page()
    page = signed.open("/skylane/metrics?from=14d&q=cohort:control")
    expect(page.locator("#plot-cost .js-line").first).to_be_attached()
    page.locator("#plot-cost .nsewdrag").click()
    page.wait_for_url("**/skylane/traces?**")
    assert "from=" in page.url
    assert "to=" in page.url
    assert "q=cohort%3Acontrol" in page.url
    assert "sort=-cost" in page.url


def test_a_brush_opens_the_traces_of_its_stretch_and_the_period_before_is_drawn(open_page, project):
    fill(project)
    signed = open_page()
    page = signed.open("/skylane/metrics?from=7d")
    page.get_by_role("link", name="Previous period").click()
    expect(page.get_by_role("link", name="Previous period")).to_have_attribute(
        "aria-current", "true"
    )
    expect(page.locator("#plot-latency .js-line")).to_have_count(4)
    dashes = "nodes => nodes.filter(n => n.style.strokeDasharray.includes('4px')).length"
    assert page.locator("#plot-latency .js-line").evaluate_all(dashes) == 1
    signed.shot("metrics-compared")
    assert signed.accessibility() == []
    box = page.locator("#plot-cost .nsewdrag").bounding_box()
    page.mouse.move(box["x"] + 40, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 60, steps=5)
    page.mouse.up()
    page.wait_for_url("**/skylane/traces?**")
    ends = parse_qs(urlsplit(page.url).query)
    length = datetime.fromisoformat(ends["to"][0]) - datetime.fromisoformat(ends["from"][0])
    assert timedelta(hours=12) < length < timedelta(days=4)
    assert signed.errors == []


def test_a_chart_is_saved_as_a_picture(open_page, project):
    fill(project)
    signed = open_page()
    page = signed.open("/skylane/metrics?from=14d")
    expect(page.locator("#plot-latency .svg-container")).to_be_attached()
    with page.expect_download() as saved:
        page.locator("#h-latency ~ details summary").click()
        page.locator("[data-png=skylane-latency]").click()
    assert saved.value.suggested_filename == "skylane-latency.png"
    assert saved.value.path().read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert signed.errors == []


def test_what_is_compared_changes_in_place(open_page, project):
    fill(project)
    signed = open_page()
    page = signed.open("/skylane/metrics?from=14d")
    panel = page.locator("section#comparison")
    expect(panel.get_by_label("Canary", exact=True)).to_have_value("canary")
    panel.get_by_label("Compare by").select_option("prompt")
    expect(panel.get_by_label("Control", exact=True)).to_have_value("refund@v11")
    expect(page.locator(".plot .svg-container")).to_have_count(12)
    assert signed.errors == []


def test_without_scripts_the_page_shows_the_tables(browser, base, project):
    fill(project)
    viewer = stories.member(project, "viewer")
    signed = Signed(browser, base, viewer, width=1440, dark=False)
    cookies = signed.context.cookies()
    signed.context.close()
    context = browser.new_context(java_script_enabled=False)
    context.add_cookies(cookies)
    page = context.new_page()
    page.goto(f"{base}/skylane/metrics?from=14d")
    expect(page.locator("#table-requests th[scope=row]").first).to_be_visible()
    expect(page.locator("#plot-requests")).to_be_hidden()
    context.close()
