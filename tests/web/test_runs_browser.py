"""Runs in Chromium: narrow and wide, by keyboard, accessible and quiet."""

from __future__ import annotations

import re

import pytest
from django.db import transaction
from playwright.sync_api import expect

from tests import server
from tests.browser import Signed, chromium
from tests.web import run_story, stories

pytestmark = pytest.mark.browser
SET = "/skylane/evals/refund-regressions"


@pytest.fixture
def signed(committed_db):
    project = stories.project()
    with transaction.atomic():
        run_story.history(project)
    admin = stories.member(project, "admin")
    with server.running() as base, chromium() as browser:
        opened = [Signed(browser, base, admin, width=width, dark=dark)
                  for width, dark in ((1440, False), (390, False), (1440, True))]  # fmt: skip
        yield opened
        for one in opened:
            one.context.close()


def test_runs_are_accessible_read_by_keyboard_and_overridden(signed):
    for one, look in zip(signed, ("1440-light", "390-light", "1440-dark"), strict=True):
        for name, path in (("evalset-gate", ""), ("run", "/runs/3"), ("gate-rules", "/gate")):
            page = one.open(SET + path)
            assert (
                page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
            ), path
            assert one.accessibility() == [], (name, look)
            one.shot(f"{name}-{look}")
    page = signed[0].open(f"{SET}/runs/3")
    heading = page.locator(".panel h2.title")
    expect(heading).to_have_text("I was charged twice for seat 14C")
    page.keyboard.press("j")
    expect(heading).to_have_text("Two of four passengers want to rebook")
    page.keyboard.press("k")
    expect(heading).to_have_text("I was charged twice for seat 14C")
    page.get_by_label("Reason, kept with the run").fill("Refunded by finance this week.")
    page.get_by_role("button", name="Override gate").click()
    expect(page.locator(".gate__note")).to_contain_text("GATE PASSED: overridden by")
    page.keyboard.press("z")
    expect(page.locator(".gate__note")).to_contain_text("GATE FAILED")
    page.keyboard.press("o")
    expect(page).to_have_url(re.compile(r"/traces/\w+\?span="))
    assert [one.errors for one in signed] == [[], [], []]
