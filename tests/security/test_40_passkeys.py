"""40, and section 4, People: a passkey signs in alone, and only where other ways in may."""

from __future__ import annotations

import json

import pytest
from django.core.management import call_command
from django.test import Client

from tests import browser
from tests.server import running
from tests.web import stories
from tracehub.projects.models import AuditEntry

PASSWORD = "correct horse battery"
KEY = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True,
    "hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True,
}  # fmt: skip


def test_40_a_passkey_is_added_and_signs_in_alone_and_after_a_password(committed_db, settings):
    call_command("createcachetable")
    maja = stories.member(stories.project(), "admin", "maja@skylane.example")
    maja.set_password(PASSWORD)
    maja.save()
    with running() as url, browser.chromium() as chromium:
        base = url.replace("127.0.0.1", "localhost")  # passkeys are bound to a name
        signed = browser.Signed(chromium, base, maja, width=1440, dark=False)
        page = signed.open("/accounts/2fa/webauthn/add/")
        chrome = signed.context.new_cdp_session(page)
        chrome.send("WebAuthn.enable")
        chrome.send("WebAuthn.addVirtualAuthenticator", {"options": KEY})
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Confirm").click()
        page.get_by_label("Name").fill("Maja's laptop")
        assert signed.accessibility() == []
        page.get_by_role("button", name="Add").click()
        page.wait_for_url("**/recovery-codes/")
        assert "Maja's laptop" in signed.open("/accounts/2fa/webauthn/").inner_text("main")
        assert signed.accessibility() == []

        signed.context.clear_cookies()
        signed.open("/accounts/login/")
        assert signed.accessibility() == []
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.wait_for_url("**/skylane/traces*")
        assert AuditEntry.objects.filter(action="person.signed_in", detail__way="passkey").exists()

        signed.context.clear_cookies()
        signed.open("/accounts/login/")
        page.get_by_label("Email").fill(maja.email)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Sign in", exact=False).first.click()
        page.get_by_role("button", name="Use a passkey").click()
        page.wait_for_url("**/skylane/traces*")

        # Where the provider is the only way in, a passkey is none.
        signed.context.clear_cookies()
        signed.open("/accounts/login/")
        settings.OIDC_ONLY = True
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.get_by_role("heading", name="Sign in with your provider").wait_for()
        assert signed.open("/skylane/traces").url.startswith(f"{base}/accounts/login/")
        assert [one for one in signed.errors if "403" not in one] == []


@pytest.mark.django_db
def test_40_what_is_no_passkey_signs_nobody_in_and_breaks_nothing():
    call_command("createcachetable")
    client = Client()
    asked = client.get("/accounts/2fa/webauthn/login/", headers={"accept": "application/json"})
    assert asked.json()["request_options"]["publicKey"]["userVerification"] == "required"
    parts = ("clientDataJSON", "authenticatorData", "signature", "userHandle")
    forged = {
        "id": "AA",
        "rawId": "AA",
        "type": "public-key",
        "response": dict.fromkeys(parts, "AA"),
    }
    for sent in ("{}", "[]", "x", json.dumps(forged)):
        answer = client.post("/accounts/2fa/webauthn/login/", {"credential": sent})
        assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/"), sent
        assert "_auth_user_id" not in client.session
