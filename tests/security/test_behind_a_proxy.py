"""Behind a proxy that ends TLS: https in every address of ours, and people told apart by theirs."""

from __future__ import annotations

import re
import threading
from http.server import HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.security.test_44_providers import Issuer
from tracehub.projects import actions
from tracehub.projects.models import AuditEntry

HERE = "traces.example.com"


@pytest.fixture
def issuer():
    server = HTTPServer(("127.0.0.1", 0), Issuer)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def post(start_web, issuer):
    """A form that a browser sends through the proxy, which came past one that is not trusted."""
    web = start_web(
        TRACEHUB_BASE_URL=f"https://{HERE}",
        TRACEHUB_TRUSTED_PROXIES="1",
        TRACEHUB_OIDC_URL=issuer,
        TRACEHUB_OIDC_CLIENT_ID="tracehub",
        TRACEHUB_OUTBOUND_INSIDE="127.0.0.1/32",
    )
    headers = {"host": HERE, "x-forwarded-for": "203.0.113.9, 198.51.100.7"}
    page = requests.get(f"{web.url}/accounts/login/", headers=headers, timeout=20)
    assert page.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
    cookie = page.headers["set-cookie"]
    assert cookie.startswith("__Host-csrf=")
    assert "; Secure" in cookie
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)[1]

    def send(path, **fields):
        return requests.post(
            f"{web.url}{path}",
            {"csrfmiddlewaretoken": token, **fields},
            headers={**headers, "cookie": cookie.partition(";")[0], "origin": f"https://{HERE}"},
            allow_redirects=False,
            timeout=20,
        )

    send.forms = re.findall(r'<form[^>]* action="(/accounts/oidc/[^"]+)"', page.text)
    return send


def test_a_proxy_that_ends_tls_leaves_addresses_secure_and_people_apart(post):
    sent = post(post.forms[0])
    assert sent.status_code == 302, sent.text
    (back,) = parse_qs(urlsplit(sent.headers["location"]).query)["redirect_uri"]
    assert back.startswith(f"https://{HERE}/accounts/oidc/")
    wrong = post("/accounts/login/", login="maja@skylane.example", password="wrong password!")
    assert wrong.status_code == 200
    assert AuditEntry.objects.get(action="person.sign_in_failed").address == "198.51.100.7"


def test_behind_tls_every_cookie_is_of_this_host_alone(post):
    joined = actions.add_user("maja@skylane.example")
    joined.set_password("correct horse battery")
    joined.save()
    into = post("/accounts/login/", login=joined.email, password="correct horse battery")
    assert into.status_code == 302
    set_ = into.raw.headers.getlist("set-cookie")
    assert {"__Host-tracehub", "__Host-csrf"} == {cookie.partition("=")[0] for cookie in set_}
    for cookie in set_:
        assert cookie.startswith("__Host-"), cookie
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; ")), cookie
