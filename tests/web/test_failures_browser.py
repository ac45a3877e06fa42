"""The failures page in Chromium: by keyboard, narrow, dark and accessible."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests import server
from tests import trace_factory as factory
from tests.browser import Signed, chromium
from tests.failures.test_worker import SCHEMA, WRONG, reply
from tests.web import stories
from tracehub.failures import actions

pytestmark = pytest.mark.browser


def test_a_group_is_opened_resolved_and_taken_back_by_keyboard(committed_db):
    project = stories.project()
    person = stories.member(project, "reviewer")
    actions.save_contract(project, "refund-reply", SCHEMA, prompt="refund")
    reply(project, WRONG, number=1)
    factory.trace(project, trace_id=f"{2:032x}", name="plan", finish_reasons=["length"])
    with chromium() as browser, server.running() as base:
        wide = Signed(browser, base, person, width=1440, dark=False)
        page = wide.open("/skylane/failures")
        key = page.locator("#pane .mono").first
        expect(key).to_have_text("TH-1")
        page.keyboard.press("j")
        expect(key).to_have_text("TH-2")
        page.keyboard.press("k")
        expect(key).to_have_text("TH-1")
        page.keyboard.press("/")
        page.keyboard.type("signal:sch")
        expect(page.locator("#offers [role=option]").first).to_contain_text("signal:schema_error")
        page.keyboard.press("Tab")
        expect(page.locator("#filter .chip")).to_have_text("signal:schema_error")
        expect(page.locator("#rows > tr")).to_have_count(1)
        page.keyboard.press("Backspace")
        expect(page.locator("#rows > tr")).to_have_count(2)
        page.locator("h1").click()
        page.get_by_role("link", name="Next group").click()
        expect(key).to_have_text("TH-2")
        page.get_by_role("link", name="Previous group").click()
        expect(key).to_have_text("TH-1")
        page.keyboard.press("x")
        expect(page.locator("#bulk-count")).to_have_text("1 selected")
        assert wide.accessibility() == []
        page.keyboard.press("Escape")
        expect(page.locator(".bulk")).to_be_hidden()
        page.keyboard.press("r")
        expect(page.locator(".toast")).to_contain_text("TH-1 resolved in the version after refund")
        page.keyboard.press("z")
        expect(page.locator(".toast")).to_contain_text("Undone")
        page.keyboard.press("i")  # a menu by key: its first choice has the focus, arrows go on
        expect(page.get_by_role("button", name="For good")).to_be_focused()
        page.keyboard.press("ArrowUp")
        expect(page.get_by_role("button", name="Until a day has twice")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.locator("#pane [data-key=i]")).to_be_focused()
        narrow = Signed(browser, base, person, width=390, dark=True)
        page = narrow.open("/skylane/failures")
        page.locator("#g-TH-1 a:visible").click()
        expect(page.locator("h1")).to_have_text("TH-1")
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert narrow.accessibility() == []
        assert wide.errors == narrow.errors == []
