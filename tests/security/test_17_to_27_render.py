"""17 to 25, 27, 57: stored content as attack, on every page, in Chromium with the CSP on."""

from __future__ import annotations

import pytest
from django.db import transaction

from tests import server
from tests.browser import Signed, chromium
from tests.security import access_table as table
from tests.security import hostile

pytestmark = pytest.mark.browser

# Runs before the page: notes what attacks and what the policy blocks.
WATCH = """
window.hits = [];
window.attack = (n) => window.hits.push(n);
document.addEventListener("securitypolicyviolation", (event) =>
  window.hits.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""
# What of the page is alive that should not be, and which hidden characters a reader meets.
LOOK = """
() => {
  const found = [];
  const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, parent = node.parentElement;
    if (/[\\u202e\\u200b\\u2066\\ufeff\\x1b]/.test(node.data)
        && !parent.closest("script, style, textarea, template, datalist"))
      found.push(`hidden characters in <${parent.tagName} class="${parent.className}">`);
  }
  const alive = {
    "link to elsewhere": 'a[href^="javascript"], a[href*="evil.example"], svg a, text a',
    "element of a trace": "img[src=x], img[src*=evil], iframe, object, embed, base, [onerror]",
    "htmx of a trace": '[hx-get="/attacked"], main b > img',
    "image that is a document": 'img[src^="data:image/svg"], img[src^="data:text"]',
  };
  for (const [what, selector] of Object.entries(alive))
    for (const element of document.querySelectorAll(selector))
      found.push(`${what}: ${element.outerHTML.slice(0, 120)}`);
  return found.concat(window.hits.map(String));
}
"""
# Addresses beyond the plain routes: other groupings, tabs, an answer with an error.
MORE = (
    "metrics?group=model", "metrics?group=prompt", "traces?q=latencie%3A%3Cb%3E5s",
    "traces/{trace}?tab=raw", "traces/{trace}?tab=attributes", "traces/{trace}?tab=json",
    "traces/{trace}?span=0000000000000002", "traces/{trace}?span=0000000000000003&tab=raw",
)  # fmt: skip
# Fragments and files are parts of pages or are no pages.
NO_PAGES = (
    "/json", ".json", ".jsonl", "/file", "/export", "/junit", ".csv", "/next", "newer",
    "suggestions", "/status", "<str:sha256>", "/place",
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
def world(committed_db):
    with transaction.atomic():
        return hostile.project()


@pytest.fixture
def signed(browser, base, world):
    made = Signed(browser, base, world.people["admin"], width=1440, dark=False)
    made.context.add_init_script(WATCH)
    made.page.on("dialog", lambda dialog: (made.errors.append("a dialog"), dialog.dismiss()))
    yield made
    made.context.close()


def pages(world) -> list[str]:
    routes = [r for r, rule in table.PAGES.items() if "GET" in rule and not r.endswith(NO_PAGES)]
    filled = [world.path(route) for route in routes]
    return filled + [more.format(trace=world.objects["trace_id"]) for more in MORE]


def test_no_page_runs_follows_or_hides_what_a_trace_or_a_name_says(signed, base, world):
    wrong = []
    for path in pages(world):
        signed.errors.clear()
        signed.requests.clear()
        page = signed.open(f"/{world.word}/{path}")
        page.wait_for_load_state("networkidle")
        errors = [error for error in signed.errors if "400 (Bad Request)" not in error]
        found = [*errors, *page.evaluate(LOOK)]
        found += [url for url in signed.requests if not url.startswith((base, "data:", "blob:"))]
        found += [url for url in signed.requests if "attacked" in url]
        wrong += [f"{path}: {each}" for each in dict.fromkeys(found)]
    assert not wrong, "\n".join(wrong)


def test_25_no_page_shows_in_a_frame_of_another_origin(signed, base, world):
    page = signed.context.new_page()
    page.route("http://frames.example/", lambda route: route.fulfill(
        content_type="text/html", body=f"<iframe src='{base}/{world.word}/traces'></iframe>",
    ))  # fmt: skip
    page.goto("http://frames.example/")
    page.wait_for_load_state("networkidle")
    assert "Traces" not in page.frames[1].content()


def test_27_json_of_a_trace_opened_in_the_browser_is_inert(signed, world):
    trace = world.objects["trace_id"]
    signed.context.set_extra_http_headers({"x-tracehub-key": world.keys["admin"]})
    for path in (f"/api/v1/traces/{trace}/raw", f"/api/v1/traces/{trace}",
                 f"/{world.word}/traces/{trace}/json"):  # fmt: skip
        answer = signed.page.goto(signed.base + path)
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]
        assert signed.page.evaluate("window.hits") == []
        assert signed.page.locator("img, svg, a").count() == 0
