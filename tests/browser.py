"""Chromium on a real server: a signed-in page that notes every error of its console."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.db import connections
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
SHOTS = Path(__file__).parent / "screenshots"  # git ignores it
expect.set_options(timeout=30_000)  # ms; two cores are shared by three browsers and a database


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium, without a window."""
    # Playwright keeps an event loop in this thread, which Django takes for asynchronous code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as play:
        # Django keeps connections apart inside and outside of that loop: one that was left open
        # inside by an earlier test may lead to a database that is gone.
        connections.close_all()
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            connections.close_all()
            browser.close()
            del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


def session_of(user) -> str:
    """Sign a person in on the server; return the value of the session cookie."""
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return session.session_key


class Signed:
    """A page of a signed-in person. `errors` holds what the console and the page complained of."""

    def __init__(self, browser: Browser, base: str, user, *, width: int, dark: bool) -> None:
        self.base, self.errors, self.requests = base, [], []
        self.context = browser.new_context(
            viewport={"width": width, "height": 900 if width > 500 else 844},
            color_scheme="dark" if dark else "light",
            permissions=["clipboard-read", "clipboard-write"],
        )
        self.sign_in(user)
        self.page: Page = self.context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def sign_in(self, user) -> None:
        """Let this browser be that person's from now on."""
        host = urlsplit(self.base).hostname
        cookie = {"name": settings.SESSION_COOKIE_NAME, "value": session_of(user)}
        self.context.add_cookies([{**cookie, "domain": host, "path": "/", "httpOnly": True}])

    def _heard(self, message) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def open(self, path: str) -> Page:
        self.page.goto(self.base + path)
        return self.page

    def shot(self, name: str) -> None:
        SHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{name}.png")

    def accessibility(self) -> list[str]:
        """Return the violations that axe finds on the page as it is."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{v['id']}: {node['html'][:200]} {node['failureSummary'][:200]}"
            for v in found
            for node in v["nodes"]
        ]
