"""Setting up a second factor, and a hidden trace, in Chromium: by keyboard, narrow, dark."""

from __future__ import annotations

import time

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core.management import call_command
from playwright.sync_api import expect

from tests import server
from tests.browser import Signed, chromium
from tests.web import stories
from tracehub.projects import actions

pytestmark = pytest.mark.browser


def test_a_factor_is_set_up_and_a_hidden_trace_shown_by_keyboard(committed_db):
    call_command("createcachetable")
    project = stories.project()
    person = stories.member(project, "reviewer")  # came by a link: no password to confirm with
    trace = stories.refund_trace(project, 1)
    actions.hide_content(project, True)
    with chromium() as browser, server.running() as base:
        wide = Signed(browser, base, person, width=1440, dark=False)
        page = wide.open("/accounts/2fa/")
        page.get_by_role("link", name="Set up", exact=True).press("Enter")
        expect(page.locator("img.qr")).to_be_visible()
        assert page.evaluate("document.querySelector('img.qr').naturalWidth") > 0
        secret = page.locator("[data-secret]").inner_text()
        assert wide.accessibility() == []
        wide.shot("second-factor")
        page.keyboard.type(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text("Recovery codes")
        assert wide.accessibility() == []
        wide.shot("recovery-codes")
        for path in ("/accounts/2fa/", "/accounts/sessions/"):
            wide.open(path)
            assert wide.accessibility() == [], path
            wide.shot(path.split("/")[2])
        narrow = Signed(browser, base, person, width=390, dark=True)
        page = narrow.open(f"/skylane/traces/{trace}")
        assert narrow.accessibility() == []
        narrow.shot("hidden-390")
        wide.open(f"/skylane/traces/{trace}")
        wide.shot("hidden")
        page.get_by_role("button", name="Show content").press("Enter")
        expect(page.get_by_role("button", name="Show content")).to_have_count(0)
        expect(page.locator("#pane")).not_to_contain_text("[hidden]")
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert wide.errors == narrow.errors == []
