"""Sign-in, Connect and Settings in Chromium: the first minutes of a new installation."""

from __future__ import annotations

import json
import re
import urllib.request

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.management import call_command
from playwright.sync_api import expect

from tests import server
from tests.browser import SHOTS, Signed, chromium
from tests.web import stories
from tracehub.digest.actions import digest_all
from tracehub.projects import actions
from tracehub.review.actions import create_mode
from tracehub.traces.models import Refusal

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
def project(committed_db):
    return stories.project()


@pytest.fixture
def admin(project):
    return stories.member(project, "admin")


@pytest.fixture
def open_page(browser, base, admin):
    opened = []

    def start(*, width: int = 1440, dark: bool = False) -> Signed:
        opened.append(Signed(browser, base, admin, width=width, dark=dark))
        return opened[-1]

    yield start
    for signed in opened:
        signed.context.close()


@pytest.fixture
def stranger(browser, base):
    """A page of nobody yet; `complaints` holds what its console said."""
    context = browser.new_context(base_url=base, viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.complaints = []
    page.on("console", lambda m: m.type in ("error", "warning") and page.complaints.append(m.text))
    yield page
    context.close()


def violations(page) -> list[str]:
    return [found["id"] for found in Axe().run(page).response["violations"]]


def test_a_link_signs_in_once(stranger, project, admin):
    url = f"/accounts/link/{actions.make_sign_in_link(admin)}"
    stranger.goto(url)
    expect(stranger.locator("h1")).to_have_text("Sign in")
    assert violations(stranger) == []
    stranger.keyboard.press("Enter")
    stranger.wait_for_url("**/skylane/traces")
    assert stranger.complaints == []
    stranger.context.clear_cookies()
    stranger.goto(url)
    expect(stranger.locator("h1")).to_have_text("This link is no longer good")


@pytest.mark.parametrize("dark", [False, True])
def test_sign_in_and_invitation_are_accessible_and_quiet(stranger, project, admin, dark):
    stranger.emulate_media(color_scheme="dark" if dark else "light")
    invitation = actions.invite(project, "refunds@skylane.example", "reviewer", by=admin)
    shade = "dark" if dark else "light"
    for name, path in (
        ("signin", "/accounts/login/"),
        ("invite", f"/accounts/invite/{invitation}"),
    ):
        for width in (1440, 390):
            stranger.set_viewport_size({"width": width, "height": 844})
            stranger.goto(path)
            SHOTS.mkdir(exist_ok=True)
            stranger.screenshot(path=SHOTS / f"{name}-{width}-{shade}.png")
            assert violations(stranger) == []
    assert stranger.complaints == []


def test_joining_by_invitation_lands_in_the_project(stranger, project, admin):
    token = actions.invite(project, "refunds@skylane.example", "reviewer", by=admin)
    stranger.goto(f"/accounts/invite/{token}")
    stranger.get_by_label("Your name").fill("Ruth Lindqvist")
    stranger.get_by_label("Password").fill("short")
    stranger.get_by_role("button", name="Join").click()
    expect(stranger.locator(".field__error")).to_contain_text("at least 12 characters")
    stranger.get_by_label("Password").fill("correct horse battery")
    stranger.get_by_role("button", name="Join").click()
    stranger.wait_for_url("**/skylane/traces")


def test_connect_turns_live_when_a_trace_is_sent(open_page, base, project):
    signed = open_page()
    page = signed.open("/skylane/connect")
    expect(page.locator("#status")).to_contain_text("Waiting for first trace")
    page.get_by_role("button", name="New ingest key").click()
    key = page.get_by_label("Copy your key").input_value()
    page.keyboard.press("c")
    expect(page.locator("#toast")).to_contain_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == key
    page.locator("label", has_text="curl").click()
    expect(page.locator("[data-for=curl]")).to_contain_text(f"Bearer {key}")
    signed.shot("connect-1440-light")
    assert signed.accessibility() == []
    Refusal.objects.create(path="/v1/traces", status=401, reason="key missing")
    expect(page.locator("#status")).to_contain_text("A request was refused: key missing")
    send(base, key, {"name": "airline-support", "model": "gpt-4o", "output": "Yes."})
    digest_all(seconds=5)
    expect(page.locator("#status")).to_contain_text("Receiving traces")
    expect(page.locator("#said")).to_have_text("Received the trace airline-support.")
    page.get_by_role("link", name="Open the trace").click()
    page.wait_for_url("**/skylane/traces/*")
    assert signed.errors == []


def send(base: str, key: str, trace: dict) -> None:
    request = urllib.request.Request(
        f"{base}/api/v1/traces",
        data=json.dumps(trace).encode(),
        headers={"authorization": f"Bearer {key}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert json.load(answer)["accepted"] == 1


@pytest.mark.parametrize(("width", "dark"), [(1440, False), (1440, True), (390, False)])
def test_pages_are_accessible_and_quiet(open_page, project, admin, width, dark):
    stories.member(project, "reviewer")
    actions.invite(project, "refunds@skylane.example", "viewer", by=admin)
    actions.create_key(project, "ingest", "production", by=admin)
    for name in ("Wrong amount", "Wrong language"):
        create_mode(project, name, definition="The reply names another amount than the tool.")
    signed = open_page(width=width, dark=dark)
    shade = "dark" if dark else "light"
    for path in ("connect", "settings"):
        page = signed.open(f"/skylane/{path}")
        expect(page.locator("h1")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        signed.shot(f"{path}-{width}-{shade}")
        assert signed.accessibility() == []
    assert signed.errors == []


def test_a_role_changes_at_once_and_undo_takes_it_back(open_page, project):
    tor = stories.member(project, "viewer", "tor@skylane.example")
    signed = open_page()
    page = signed.open("/skylane/settings")
    page.get_by_label(f"Role of {tor}").select_option("admin")
    expect(page.locator("#toast")).to_contain_text("is admin now")
    page.keyboard.press("z")
    expect(page.locator("#toast")).to_contain_text("is viewer again")
    expect(page.get_by_label(f"Role of {tor}")).to_have_value("viewer")
    assert signed.errors == []


def test_a_new_key_is_shown_once(open_page, project):
    signed = open_page()
    page = signed.open("/skylane/settings#keys")
    page.get_by_label("Name of the key").fill("ci")
    page.get_by_label("Scope").select_option("reviewer")
    page.get_by_role("button", name="New key").click()
    key = page.get_by_label("Key ci").input_value()
    assert re.fullmatch(r"th_api_[0-9A-Za-z]{10}_[0-9A-Za-z]{38}", key)
    assert signed.accessibility() == []
    page.reload()
    assert key not in page.content()
    assert signed.errors == []
