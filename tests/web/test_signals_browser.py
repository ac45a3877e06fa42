"""Settings › Signals in Chromium: wide, narrow, dark; a switch that acts; the try-out."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.core.management import call_command
from playwright.sync_api import expect

from tests import server
from tests import trace_factory as factory
from tests.browser import Signed, chromium
from tests.failures.test_worker import RIGHT, SCHEMA, reply
from tests.web import stories
from tracehub.digest import recheck
from tracehub.failures.actions import save_contract
from tracehub.failures.models import CustomSignal, ScoreSetting, SignalSetting
from tracehub.failures.rules import store
from tracehub.review.actions import submit_review

STRICT = {**SCHEMA, "required": ["refund", "reason"]}
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture
def base(committed_db):
    call_command("createcachetable")
    with server.running() as url:
        yield url


@pytest.fixture
def admin(base):
    project = stories.project()
    admin = stories.member(project, "admin")
    for times in (3, 4, 5):
        trace_id = f"{times:032x}"
        spans = [factory.tool_span(trace_id) for _ in range(times)]
        factory.trace(project, *spans, trace_id=trace_id)
    submit_review(project, UUID(int=5), "fail", author=admin)
    factory.digest_now(project, f"{5:032x}")
    CustomSignal.objects.create(
        project=project, slug="promise", name="Promises money", severity="high", created_by="a",
        q="prompt:refund env:production", field="output", pattern="(?i)guarantee",
    )  # fmt: skip
    save_contract(project, "refund-reply", STRICT, prompt="refund")
    save_contract(project, "refund-reply", SCHEMA, prompt="refund")
    reply(project, RIGHT, number=77)
    recheck.start(project, "Contract refund-reply/2", q="prompt:refund")
    ScoreSetting.objects.create(project=project, name="stars", at_most=2, labels=["rude"])
    store.ask(project.pk, datetime.now(UTC).date(), [UUID(int=3)])
    return admin


@pytest.mark.parametrize(("width", "dark"), [(1440, False), (1440, True), (390, False)])
def test_signals_are_accessible_and_act_by_keyboard(browser, base, admin, width, dark):
    signed = Signed(browser, base, admin, width=width, dark=dark)
    page = signed.open("/skylane/settings/signals")
    expect(page.get_by_role("checkbox", name="Wrong language")).to_be_checked()
    field = page.get_by_role("textbox", name="Threshold of Tool loop, calls")
    field.fill("3")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # Try
    expect(page.get_by_text("Would have fired on 3")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    shade = "dark" if dark else "light"
    signed.shot(f"signals-{width}-{shade}")
    assert signed.accessibility() == []
    page.locator("#own").scroll_into_view_if_needed()
    signed.shot(f"signals-own-{width}-{shade}")
    if not dark and width == 1440:
        page.get_by_role("checkbox", name="Wrong language").focus()
        page.keyboard.press("Space")
        expect(page.get_by_text("Wrong language is off")).to_be_visible()
        assert not SignalSetting.objects.get(kind="wrong_language").on
    page = signed.open("/skylane/contracts/refund-reply?version=1")
    page.locator("h1").focus()
    page.get_by_role("button", name="Dry run").first.click()
    expect(page.get_by_text("would newly fail 1", exact=False)).to_be_visible()
    editor = page.get_by_role("textbox", name="JSON Schema")
    expect(editor).to_be_visible()
    expect(page.locator(".cm-deletedChunk, .cm-changedLine").first).to_be_visible()
    page.locator("h1").focus()
    page.keyboard.press("o")
    expect(page.locator("#contract-place")).to_have_text("Ln 3, Col 3")
    editor.focus()
    page.keyboard.press("Control+End")
    page.keyboard.type(",")
    expect(page.locator("#contract-state")).to_have_text("No JSON at line 14")
    page.keyboard.press("Control+z")
    expect(page.locator("#contract-state")).to_have_text("Not tried yet")
    page.locator("#tab-schema").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("textbox", name="Known labels")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    signed.shot(f"contract-{width}-{shade}")
    assert signed.accessibility() == []
    assert signed.errors == []
    signed.context.close()
