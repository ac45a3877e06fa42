"""39 to 43, 45 to 48: sessions, guessing, what answers tell, other origins, keys and defaults."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import stat
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from django.conf import settings
from django.core.management import call_command
from django.test import Client

from tests import trace_factory as factory
from tests.web import stories
from tracehub import settings as product
from tracehub.cli import accounts
from tracehub.projects import actions, keys, logs
from tracehub.projects.models import ApiKey, AuditEntry, Project, User

PASSWORD = "correct horse battery"
EMAIL = "maja@skylane.example"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def cache_table(db):
    call_command("createcachetable")


@pytest.fixture
def maja(db):
    project = stories.project()
    user = stories.member(project, "admin", EMAIL)
    user.set_password(PASSWORD)
    user.save()
    return user


def sign_in(client, email=EMAIL, password=PASSWORD, **more):
    return client.post("/accounts/login/", {"login": email, "password": password, **more})


def signed_in(client) -> bool:
    return client.get("/skylane/traces").status_code == 200


def with_cookie(value: str) -> Client:
    browser = Client()
    browser.cookies[settings.SESSION_COOKIE_NAME] = value
    return browser


def test_39_a_session_that_was_fixed_before_sign_in_is_worth_nothing(maja):
    victim = Client()
    victim.get("/accounts/login/")
    session = victim.session
    session["planted"] = "1"
    session.save()
    planted = session.session_key
    sign_in(victim)
    assert victim.session.session_key != planted
    assert signed_in(victim)
    assert not signed_in(with_cookie(planted))


def test_39_a_cookie_is_dead_on_the_server_after_sign_out(maja):
    client = Client()
    sign_in(client)
    kept = client.cookies[settings.SESSION_COOKIE_NAME].value
    assert signed_in(with_cookie(kept))
    assert client.get("/accounts/logout/").status_code == 200  # a GET signs nobody out
    assert signed_in(client)
    client.post("/accounts/logout/")
    assert not signed_in(with_cookie(kept))


def test_39_a_new_password_signs_other_browsers_out(maja):
    here, elsewhere = Client(), Client()
    sign_in(here)
    sign_in(elsewhere)
    done = here.post(
        "/accounts/password/change/",
        {"oldpassword": PASSWORD, "password1": "another long one", "password2": "another long one"},
    )
    assert done.status_code == 302
    assert not signed_in(elsewhere)


def test_39_an_operator_ends_every_session_of_a_person(maja, monkeypatch):
    monkeypatch.setattr(accounts, "application", contextlib.nullcontext)
    first, second, other = Client(), Client(), Client()
    sign_in(first)
    second.force_login(maja)
    other.force_login(stories.member(Project.objects.get(), "admin", "ann@example.com"))
    link = actions.make_sign_in_link(maja)
    told = CliRunner().invoke(accounts.signout, [EMAIL.upper()])
    assert told.output == f"2 sessions of {EMAIL} ended.\n", told.output
    assert not signed_in(first) and not signed_in(second) and signed_in(other)
    assert actions.use_sign_in_link(link) is None
    assert AuditEntry.objects.latest("id").detail == {"sessions": 2}
    nobody = CliRunner().invoke(accounts.signout, ["nobody@example.com"])
    assert nobody.exit_code == 1 and "There is no person 'nobody@example.com'." in nobody.stderr


@pytest.mark.parametrize(("role", "status"), [("admin", 302), ("reviewer", 200)])
def test_39_an_admin_signs_in_again_after_a_day_away(maja, role, status):
    maja.memberships.update(role=role)
    client = Client()
    client.force_login(maja)
    assert signed_in(client)
    session = client.session
    session["seen"] = time.time() - 24 * 3600 - 1
    session.save()
    assert client.get("/skylane/traces").status_code == status
    assert client.get("/skylane/traces").status_code == status


def test_39_everybody_signs_in_again_after_fourteen_days_however_busy(maja):
    maja.memberships.update(role="reviewer")
    client = Client()
    client.force_login(maja)
    assert signed_in(client)
    session = client.session
    session["began"] -= 14 * 86400 + 1
    session.save()
    assert client.get("/skylane/traces").status_code == 302
    assert not signed_in(client)


def test_39_cookies_are_out_of_reach_of_scripts_and_other_sites(maja):
    client = Client()
    client.get("/accounts/login/")
    sign_in(client)
    for name in (settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME):
        cookie = client.cookies[name]
        assert cookie["httponly"], name
        assert cookie["samesite"] == "Lax", name
        assert cookie["path"] == "/", name
    assert settings.SESSION_COOKIE_AGE == 14 * 86400


def test_40_guessing_is_limited_per_account_however_the_address_is_written(maja):
    variants = (EMAIL, EMAIL.upper(), "Maja@Skylane.example", f" {EMAIL} ", EMAIL)
    for n, email in enumerate(variants):
        sign_in(Client(REMOTE_ADDR=f"192.0.2.{n}"), email, "wrong password!")
    client = Client(REMOTE_ADDR="192.0.2.99")
    sign_in(client)
    assert not signed_in(client)


@pytest.mark.parametrize(
    ("plain", "other"), [("s", "\u017f"), ("k", "\u212a"), ("j", "j\u0301"), ("a", "\u00e4")]
)
def test_40_letters_that_look_alike_are_nobody_or_buy_no_further_tries(maja, plain, other):
    """Upper or lower case makes the same of some of them: of the limit as of the address."""
    alike = EMAIL.replace(plain, other)
    client = Client(REMOTE_ADDR="198.51.100.1")
    sign_in(client, alike)
    if not signed_in(client):
        return
    for n in range(5):
        sign_in(Client(REMOTE_ADDR=f"192.0.2.{n}"), alike if n % 2 else EMAIL, "wrong password!")
    for email in (EMAIL, alike):
        client = Client(REMOTE_ADDR="192.0.2.99")
        sign_in(client, email)
        assert not signed_in(client), email


def test_40_a_forged_forwarded_address_buys_no_further_tries(maja):
    codes = [
        Client(headers={"x-forwarded-for": f"198.51.100.{n}", "x-real-ip": f"198.51.100.{n}"})
        .post("/accounts/login/", {"login": f"p{n}@skylane.example", "password": "x" * 12})
        .status_code
        for n in range(33)
    ]
    assert codes[:30] == [200] * 30
    assert codes[30:] == [429] * 3


def _plain(answer) -> str:
    text = re.sub(r'(value|nonce|content|href|src)=("[^"]*"|\'[^\']*\')|"X-CSRFToken": "[^"]*"', "",
                  answer.text)  # fmt: skip
    return re.sub(r"\S+@skylane\.example", "", text)


def test_41_known_and_unknown_addresses_read_the_same(maja):
    asked = (EMAIL, "nobody@skylane.example")
    told = [sign_in(Client(), email, "wrong password!") for email in asked]
    assert [a.status_code for a in told] == [200, 200]
    assert _plain(told[0]) == _plain(told[1])
    told = [Client().post("/accounts/password/reset/", {"email": email}) for email in asked]
    assert [(a.status_code, a["Location"]) for a in told] == [
        (302, "/accounts/password/reset/done/")
    ] * 2


def test_41_known_and_unknown_addresses_take_the_same_time(maja, settings):
    """A password is hashed for either; without that the ratio would be ten or more."""
    settings.ACCOUNT_RATE_LIMITS = False
    settings.PASSWORD_HASHERS = settings.PASSWORD_HASHERS[1:]  # the one of the product
    maja.set_password(PASSWORD)
    maja.save()
    took: dict[str, list[float]] = {"known": [], "unknown": []}
    for n in range(9):
        for who, email in (("known", EMAIL), ("unknown", f"nobody{n}@skylane.example")):
            client = Client()
            began = time.process_time()
            sign_in(client, email, "wrong password!")
            took[who].append(time.process_time() - began)
    known, unknown = (statistics.median(took[who]) for who in ("known", "unknown"))
    assert 0.5 < known / unknown < 2


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"hx-request": "true", "hx-current-url": "http://testserver/"},
        {"origin": "https://evil.example"},
        {"x-csrftoken": "a" * 64},
        {"content-type": "text/plain"},
    ],
)
def test_42_a_post_without_our_token_is_refused(maja, headers):
    client = Client(enforce_csrf_checks=True, headers=headers)
    client.force_login(maja)
    for path in ("/skylane/settings/general", "/accounts/logout/", "/accounts/theme",
                 "/skylane/traces/bulk"):  # fmt: skip
        assert client.post(path, {"name": "Stolen"}).status_code == 403, path
    maja.memberships.get().project.refresh_from_db()
    assert maja.memberships.get().project.name != "Stolen"


ELSEWHERE = (
    "//evil.example", "https:evil.example", "https://evil.example", "/\\evil.example",
    "\\\\evil.example", "javascript:alert(1)", "///evil.example", "http:///evil.example",
    " //evil.example", "\t//evil.example", "https://testserver@evil.example",
    "//testserver.evil.example",
)  # fmt: skip


@pytest.mark.parametrize("target", ELSEWHERE)
def test_43_every_way_on_stays_on_this_host(maja, target):
    assert sign_in(Client(), next=target)["Location"] == "/"
    client = Client()
    client.force_login(maja)
    assert client.post("/accounts/theme", {"theme": "dark", "next": target})["Location"] == "/"
    trace = factory.trace(maja.memberships.get().project)
    form = {"verdict": "pass", "submission": "0" * 32, "next": target}
    answer = client.post(f"/skylane/traces/{trace}/review", form, headers={"hx-request": "true"})
    for name in ("HX-Redirect", "HX-Location", "Location"):
        assert "evil" not in answer.headers.get(name, "")
    # What a fragment says of its page decides where sign-in returns to.
    nobody = Client(headers={"hx-request": "true", "hx-current-url": target})
    answer = nobody.get("/skylane/traces")
    back = answer.headers["HX-Redirect"]
    assert back.startswith("/accounts/login/?next=")
    assert sign_in(Client(), next=back.partition("next=")[2])["Location"].startswith("/")


def test_45_a_bad_checksum_costs_no_query(maja, django_assert_num_queries):
    text = keys.generate("api").text
    with django_assert_num_queries(0):
        assert actions.find_key(text[:-1] + ("0" if text[-1] != "0" else "1")) is None


def test_45_unknown_wrong_and_revoked_keys_cost_and_read_the_same(maja, django_assert_num_queries):
    project = maja.memberships.get().project
    revoked, revoked_text = actions.create_key(project, "viewer", "old")
    actions.revoke_key(revoked)
    live = keys.parse(actions.create_key(project, "viewer", "live")[1])
    body = f"th_api_{live.public_id}_{'a' * 32}"
    wrong = body + keys._checksum(body)
    answers = []
    for text in (keys.generate("api").text, wrong, revoked_text):
        with django_assert_num_queries(1):
            answers.append(Client().get("/api/v1/traces", headers={"x-api-key": text}))
    assert [a.status_code for a in answers] == [401] * 3
    assert len({a.content for a in answers}) == 1


def test_45_ingestion_forgets_a_key_within_five_seconds():
    from tracehub.ingest import access

    assert access.REMEMBER_SECONDS <= 5
    assert access.REMEMBER_KEYS <= 10_000


def test_46_secrets_sent_in_right_and_wrong_places_reach_no_log_and_no_page(maja, caplog):
    project = maja.memberships.get().project
    key = actions.create_key(project, "admin", "ci")[1]
    caplog.set_level(logging.DEBUG)
    redact = logs.Redact()
    client = Client(raise_request_exception=False)
    sign_in(client)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    link = actions.make_sign_in_link(maja)
    answers = [
        Client().get(f"/api/v1/traces?api_key={key}"),
        Client().get(f"/api/v1/{key}", headers={"authorization": f"Bearer {key}"}),
        Client().get("/none", headers={"authorization": f"Bearer {key}", "cookie": f"x={cookie}"}),
        Client().post("/api/v1/prompts", json.dumps({"name": key}), content_type="text/plain"),
        Client().post("/accounts/link/none", {"password": PASSWORD, "key": key}),
        client.get(f"/skylane/traces?q={key}%20AND%20("),
    ]
    logger = logging.getLogger("django.request")
    logger.error("GET /x?api_key=%s Authorization: Bearer %s Cookie: tracehub=%s", key, key, cookie)
    logger.error("postgresql://tracehub_app:s3cret-pass@127.0.0.1:5432/tracehub is away")
    lines = []
    for record in caplog.records:
        redact.filter(record)
        lines.append(logs.JsonFormatter().format(record))
    told = "\n".join([*lines, *(a.text for a in answers[:5])])
    for secret in (key, key[18:], PASSWORD, cookie, link, "s3cret-pass"):
        assert secret not in told, secret[:12]


def test_46_an_error_page_shows_no_settings_and_no_values(maja, monkeypatch):
    from tracehub.web import settings_pages

    monkeypatch.setattr(settings_pages, "_keys", lambda project: 1 / 0)
    client = Client(raise_request_exception=False)
    client.force_login(maja)
    answer = client.get("/skylane/settings")
    assert answer.status_code == 500
    for word in ("Traceback", "ZeroDivision", settings.SECRET_KEY, "DATABASE", "settings_pages"):
        assert word not in answer.text


FRESH = """
import os, stat, sys
from pathlib import Path
from tracehub.cli import config
from django.conf import settings
print(settings.DEBUG, settings.SECRET_KEY, config.data_dir())
"""


def test_47_a_fresh_installation_has_no_default_secret_and_shuts_its_files(tmp_path):
    found = []
    for name in ("a", "b"):
        folder = tmp_path / name
        environment = {
            "PATH": "/usr/bin:/bin", "TRACEHUB_DATA_DIR": str(folder), "HOME": str(tmp_path),
            "DATABASE_URL": "postgresql://nobody@/none",
            "DJANGO_SETTINGS_MODULE": "tracehub.settings",
        }  # fmt: skip
        root = Path(__file__).parents[2]
        done = subprocess.run(
            [sys.executable, "-c", FRESH], env=environment, cwd=root, text=True,
            capture_output=True, timeout=60, check=True,
        )  # fmt: skip
        debug, secret, _ = done.stdout.split()
        found.append(secret)
        assert debug == "False"
        assert len(secret) >= 50
        for file in folder.rglob("*"):
            mode = stat.S_IMODE(file.stat().st_mode)
            if file.is_file() and file.stat().st_size:  # an empty lock tells nothing
                assert mode & 0o077 == 0, f"{file.name}: {mode:o}"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert found[0] != found[1]


def test_47_nobody_signs_up_and_a_person_without_a_password_has_none(maja):
    page = Client().post("/accounts/signup/", {"email": "x@evil.example", "password1": PASSWORD})
    assert "By invitation" in page.text
    assert not User.objects.filter(email="x@evil.example").exists()
    assert product.PASSWORD_HASHERS[0].endswith(".Argon2PasswordHasher")
    made = actions.add_user("admin@localhost", superuser=True)
    assert not made.has_usable_password()
    for password in ("", "admin", "tracehub", "password"):
        client = Client()
        sign_in(client, "admin@localhost", password)
        assert not signed_in(client)
    assert not ApiKey.objects.filter(name="").exists()


def test_48_another_host_name_is_refused():
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example", ""):
        answer = Client().get("/accounts/login/", headers={"host": host})
        assert answer.status_code == 400, host
        assert "evil" not in answer.text
    for host in ("127.0.0.1:8000", "localhost"):
        assert Client().get("/accounts/login/", headers={"host": host}).status_code == 200
