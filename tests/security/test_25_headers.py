"""24, 25, 37: the headers of section 4 on every answer: pages, fragments, API, files, errors."""

from __future__ import annotations

import re

import pytest
import requests
from django.db import transaction
from django.test import Client

from tests.browser import session_of
from tests.security import access_table as table
from tests.security import world as worlds
from tests.server import running

ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=()",
    "x-frame-options": "DENY",
}
PAGE = {
    "default-src": "'none'",
    "style-src": "'self' 'nonce-N'",
    "img-src": "'self' data: blob:",
    "media-src": "'self'",
    "font-src": "'self'",
    "connect-src": "'self'",
    "worker-src": "'self' blob:",
    "manifest-src": "'self'",
    "frame-src": "'none'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "report-uri": "/csp-report",
}
HSTS = "max-age=31536000; includeSubDomains"
INERT = {"default-src": "'none'", "sandbox": "", "frame-ancestors": "'none'"}


def policy(answer) -> dict[str, str]:
    text = re.sub(r"'nonce-[^']+'", "'nonce-N'", answer.headers["content-security-policy"])
    parts = (part.strip().partition(" ") for part in text.split(";"))
    return {name: value for name, _, value in parts if name}


def faults(answer, *, static: bool = False) -> list[str]:
    """What of section 4 an answer lacks."""
    wrong = [f"{name}: {answer.headers.get(name)}" for name, value in ALWAYS.items()
             if answer.headers.get(name) != value]  # fmt: skip
    found = policy(answer)
    scripts = found.pop("script-src", "'nonce-N'")
    nonced = PAGE if scripts == "'nonce-N'" else {}
    # A page that uses no nonce needs none in its header.
    bare = {**PAGE, "style-src": "'self'"}
    if found not in (INERT, nonced, bare) or scripts not in ("'nonce-N'", ""):
        wrong.append(f"policy: script-src {scripts!r}, {found}")
    if not static:
        if answer.headers.get("cache-control") != "private, no-store":
            wrong.append(f"cache-control: {answer.headers.get('cache-control')}")
        vary = {part.strip().lower() for part in answer.headers.get("vary", "").split(",")}
        if not {"cookie", "hx-request"} <= vary:
            wrong.append(f"vary: {vary}")
    if any(name.lower().startswith("access-control-") for name in answer.headers):
        wrong.append("CORS")
    return wrong


@pytest.fixture
def ours(db):
    return worlds.make("skylane", 1)


def test_every_route_answers_with_the_headers_of_section_4(ours):
    wrong = []
    for who in ("nobody", "admin"):
        client = ours.client(who)
        for route in [f"{ours.word}/{r}" for r in table.PAGES] + list(table.OUTSIDE):
            answer = client.get("/" + ours.path(route))
            wrong += [f"{who} /{route}: {fault}" for fault in faults(answer)]
    for route in table.CALLS:
        for key in ("", ours.keys["viewer"]):
            headers = {"x-tracehub-key": key} if key else {}
            answer = Client().get(f"/api/v1/{ours.path(route)}", headers=headers)
            wrong += [f"/api/v1/{route}: {fault}" for fault in faults(answer)]
            if route != "docs":
                assert policy(answer) == INERT, route
    assert not wrong, "\n".join(wrong)


def test_24_files_are_attachments_that_run_nowhere(ours):
    client = ours.client("admin")
    for route in table.PAGES:
        if "GET" not in table.PAGES[route]:
            continue
        answer = client.get(f"/{ours.word}/{ours.path(route)}")
        if answer.headers["content-type"].startswith(("text/html", "application/json")):
            continue
        if answer.status_code == 200:
            assert answer.headers["content-disposition"].startswith("attachment; "), route
            assert policy(answer) == INERT, route


def test_the_same_headers_come_over_a_socket_also_for_files_errors_and_ingestion(
    committed_db, settings
):
    with running() as base:
        with transaction.atomic():
            user = worlds.make("skylane", 1).people["viewer"]
        cookie = {"tracehub": session_of(user)}
        wrong = []
        for path in ("/static/css/tokens.css", "/static/icons.svg", "/static/none.css"):
            answer = requests.get(base + path, timeout=10)
            wrong += [f"{path}: {fault}" for fault in faults(answer, static=True)]
        for path in ("/skylane/traces", "/skylane/none", "/none", "/accounts/login/", "/api/v1/x"):
            answer = requests.get(base + path, cookies=cookie, timeout=10)
            wrong += [f"{path}: {fault}" for fault in faults(answer)]
            assert "strict-transport-security" not in answer.headers  # plain http on loopback
        for path in ("/v1/traces", "/api/v1/traces", "/info"):
            answer = requests.post(base + path, timeout=10)
            wrong += [f"{path}: {fault}" for fault in faults(answer)]
            assert policy(answer) == INERT
        settings.SECURE = True
        for path, size in (("/v1/traces", 0), ("/api/v1/feedback", 0), ("/healthz", 5_000_000)):
            answer = requests.post(base + path, data=b"x" * size, timeout=10)
            wrong += [f"{path}: {fault}" for fault in faults(answer)]
            assert answer.headers["strict-transport-security"] == HSTS, path
        assert not wrong, "\n".join(wrong)


def test_37_no_two_people_share_a_cached_page(ours):
    """A proxy keeps nothing, and one that did would tell the two apart."""
    for who in ("viewer", "admin"):
        answer = ours.client(who).get("/skylane/traces")
        assert answer.headers["cache-control"] == "private, no-store"
        assert "Cookie" in answer.headers["vary"]
    assert "etag" not in answer.headers
