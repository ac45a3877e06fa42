"""A conversation in Chromium: read and judged by keyboard, narrow and dark."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from tests import server
from tests.browser import Signed, chromium
from tests.trace_rows import signal, trace_row
from tests.web import stories
from tracehub.review.models import Review

pytestmark = pytest.mark.browser
TIMELINE = "sessions/s-77?view=timeline"
ASKED = (
    "Hi, is SK 482 on time tomorrow?",
    "It was cancelled. What now? <script>window.attacked = 1</script>",
    "I want the money back, not a voucher. I paid 418.60 for the two of us.",
)


def test_a_session_is_read_and_judged_by_keyboard(committed_db):
    project = stories.project()
    reviewer = stories.member(project, "reviewer")
    for n in range(3):
        stories.refund_trace(project, n + 1, minutes_ago=10 - n)
    for session in ("s-77", "s-78"):
        for n, said in enumerate(ASKED):
            trace_row(
                project,
                ago=timedelta(minutes=30 - n),
                session_id=session,
                user_id="u_77",
                input_preview=said,
                signals=[signal("low_grounding", "medium")] if n == 1 else [],
            )
    with server.running() as base, chromium() as browser:
        for width, dark in ((1440, False), (1440, True), (390, False)):
            signed = Signed(browser, base, reviewer, width=width, dark=dark)
            for path in ("sessions", "users", "users/u_77", "sessions/s-91", TIMELINE):
                page = signed.open(f"/skylane/{path}")
                signed.shot(f"{path.replace('/', '-')}-{width}-{'dark' if dark else 'light'}")
                assert page.evaluate("document.documentElement.scrollWidth") <= width, path
                assert signed.accessibility() == [], path
            assert signed.errors == []
            signed.context.close()
        signed = Signed(browser, base, reviewer, width=1440, dark=False)
        page = signed.open("/skylane/sessions")
        expect(page.locator(".nav__item[aria-current=page]")).to_have_text("Sessions")
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        expect(page.locator(".session__talk > .turn")).to_have_count(3)
        expect(page.locator(".turn[aria-current=true]")).to_have_attribute("id", "t1")
        page.keyboard.press("j")
        page.keyboard.press("j")
        expect(page.locator(".turn[aria-current=true]")).to_have_attribute("id", "t3")
        assert "turn=3" in page.url
        page.keyboard.press("p")
        expect(page.locator("#t3")).to_have_attribute("data-tone", "pass")
        assert Review.objects.get().verdict == "pass"
        assert "turn=3" in page.url
        page.keyboard.press("o")
        expect(page.locator(".turn[aria-current=true]")).to_have_attribute("id", "t1")
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text("airline-support")
        page.go_back()
        page.goto(f"{base}/skylane/sessions/s-77")
        assert page.evaluate("window.attacked") is None
        assert signed.errors == []
        signed.context.close()
