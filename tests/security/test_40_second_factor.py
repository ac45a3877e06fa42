"""40, and section 4, People: a second factor cannot be gone around, guessed or used twice."""

from __future__ import annotations

import contextlib
import re
import time

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from click.testing import CliRunner
from django.core.management import call_command
from django.test import Client

from tests.web import stories
from tracehub.cli import accounts
from tracehub.projects import actions
from tracehub.projects.models import AuditEntry

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


@pytest.fixture
def maja():
    call_command("createcachetable")
    user = stories.member(stories.project(), "admin", "maja@skylane.example")
    user.set_password(PASSWORD)
    user.save()
    return user


@pytest.fixture
def enrolled(maja, monkeypatch, django_capture_on_commit_callbacks):
    """Her browser, her secret and her recovery codes; the clock stands still."""
    now = time.time()
    monkeypatch.setattr("allauth.mfa.totp.internal.auth.time.time", lambda: now)
    client = password_given(Client())
    asked = client.get("/accounts/2fa/totp/activate/")
    assert asked["Location"].startswith("/accounts/reauthenticate/")
    assert client.post("/accounts/reauthenticate/", {"password": PASSWORD}).status_code == 302
    page = client.get("/accounts/2fa/totp/activate/").text
    secret = re.search(r"data-secret>([A-Z2-7]+)<", page)[1]
    value = format_hotp_value(hotp_value(secret, int(now) // 30 - 1))
    assert client.post("/accounts/2fa/totp/activate/", {"code": value}).status_code == 200
    right = format_hotp_value(hotp_value(secret, int(now) // 30))
    with django_capture_on_commit_callbacks(execute=True):
        assert client.post("/accounts/2fa/totp/activate/", {"code": right}).status_code == 302
    codes = re.findall(r"<li>(\d{8})</li>", client.get("/accounts/2fa/recovery-codes/").text)
    assert len(codes) == 10
    return client, right, codes


def password_given(client):
    client.post("/accounts/login/", {"login": "maja@skylane.example", "password": PASSWORD})
    return client


def signed_in(client):
    return "_auth_user_id" in client.session


def test_40_every_way_in_asks_for_the_second_factor(enrolled, maja):
    _, right, _ = enrolled
    link = actions.make_sign_in_link(maja)
    by_link, by_password = Client(), password_given(Client())
    assert by_link.post(f"/accounts/link/{link}")["Location"] == "/accounts/2fa/authenticate/"
    for client in (by_link, by_password):
        assert not signed_in(client)
        assert client.get("/skylane/traces").status_code == 302
    assert by_password.post("/accounts/2fa/authenticate/", {"code": right}).status_code == 302
    assert signed_in(by_password)


def test_40_a_code_works_once_and_guessing_is_limited(enrolled, maja):
    _, right, codes = enrolled
    first = password_given(Client())
    first.post("/accounts/2fa/authenticate/", {"code": right})
    second = password_given(Client())
    second.post("/accounts/2fa/authenticate/", {"code": right})
    assert (signed_in(first), signed_in(second)) == (True, False)
    second.post("/accounts/2fa/authenticate/", {"code": codes[0]})
    assert signed_in(second)
    third = password_given(Client())
    for wrong in (codes[0], *(f"{n:06d}" for n in range(6))):
        third.post("/accounts/2fa/authenticate/", {"code": wrong})
    third.post("/accounts/2fa/authenticate/", {"code": codes[1]})
    assert not signed_in(third)


def test_the_secret_is_sealed_and_changes_are_in_the_log(enrolled, maja):
    client, _, codes = enrolled
    kept = str(list(Authenticator.objects.values_list("data", flat=True)))
    assert not re.search(r"'(secret|seed)': '[A-Za-z2-7]{10,40}'", kept)
    assert client.post("/accounts/2fa/totp/deactivate/").status_code == 302
    done = AuditEntry.objects.filter(actor=maja.email).values_list("action", flat=True)
    assert {"person.totp_activated", "person.totp_deactivated"} <= set(done)
    assert not any(code in str(list(AuditEntry.objects.values())) for code in codes)


def test_a_new_secret_key_keeps_second_factors_while_the_old_one_is_named(
    enrolled, settings, caplog
):
    _, right, codes = enrolled
    settings.SECRET_KEY, old = "a second key for tests, which guards nothing", settings.SECRET_KEY
    lost = password_given(Client())
    for code in (right, codes[0]):
        assert lost.post("/accounts/2fa/authenticate/", {"code": code}).status_code == 200
    assert not signed_in(lost)
    assert "TRACEHUB_SECRET_KEY_FALLBACKS" in caplog.text
    settings.SECRET_KEY_FALLBACKS = [old]
    known = password_given(Client())
    assert known.post("/accounts/2fa/authenticate/", {"code": right}).status_code == 302
    assert signed_in(known)


def test_40_an_operator_takes_lost_factors_away(enrolled, maja, monkeypatch):
    monkeypatch.setattr(accounts, "application", contextlib.nullcontext)
    client, _, _ = enrolled
    told = CliRunner().invoke(accounts.resetfactors, [maja.email.upper()])
    assert told.output == f"2 factors of {maja.email} removed.\n", told.output
    assert not signed_in(client)
    assert signed_in(password_given(Client()))  # nothing more is asked
    noted = AuditEntry.objects.get(action="person.factors_removed")
    assert (noted.object, noted.detail) == (maja.email, {"kinds": ["recovery_codes", "totp"]})
    nobody = CliRunner().invoke(accounts.resetfactors, ["nobody@example.com"])
    assert nobody.exit_code == 1 and "There is no person 'nobody@example.com'." in nobody.stderr


def test_reseal_makes_the_old_secret_key_needless(enrolled, settings, monkeypatch):
    monkeypatch.setattr(accounts, "application", contextlib.nullcontext)
    _, right, codes = enrolled
    settings.SECRET_KEY, old = "a second key for tests, which guards nothing", settings.SECRET_KEY
    before = list(Authenticator.objects.values_list("data", flat=True).order_by("pk"))
    unopened = CliRunner().invoke(accounts.reseal)
    assert unopened.exit_code == 1
    assert "0 second factors" in unopened.output
    assert "opens those of maja@skylane.example." in unopened.output
    assert list(Authenticator.objects.values_list("data", flat=True).order_by("pk")) == before
    settings.SECRET_KEY_FALLBACKS = [old]
    for _ in range(2):  # it may be run again
        told = CliRunner().invoke(accounts.reseal)
        assert (told.exit_code, told.output.split()[0]) == (0, "2")
    settings.SECRET_KEY_FALLBACKS = []
    for code in (right, codes[0]):
        person = password_given(Client())
        person.post("/accounts/2fa/authenticate/", {"code": code})
        assert signed_in(person)


@pytest.mark.parametrize(("asked", "role", "held"), [
    ("nobody", "admin", False), ("admins", "admin", True), ("admins", "reviewer", False),
    ("all", "viewer", True),
])  # fmt: skip
def test_an_installation_may_ask_for_a_second_factor(settings, maja, asked, role, held):
    settings.SECOND_FACTOR = asked
    member = stories.member(maja.memberships.get().project, role, "ada@skylane.example")
    client = Client()
    client.force_login(member)
    answer = client.get("/skylane/traces")
    assert (answer.status_code == 302) == held
    if held:
        assert answer["Location"] == "/accounts/2fa/"


def test_a_person_sees_their_browsers_and_signs_the_others_out(maja):
    here, there = password_given(Client()), password_given(Client())
    assert here.get("/accounts/sessions/").text.count("<li>") == 2
    here.post("/accounts/sessions/")
    assert here.get("/skylane/traces").status_code == 200
    assert there.get("/skylane/traces").status_code == 302
