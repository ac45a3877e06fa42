"""The ways in: password, one-time link, invitation; and what is not open."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.core.management import call_command
from django.utils import timezone

from tracehub.projects import actions
from tracehub.projects.models import AuditEntry, Invitation, Membership, Project, SignInLink, User

PASSWORD = "correct horse battery"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def cache_table(db):
    call_command("createcachetable")


@pytest.fixture
def project():
    return Project.objects.create(slug="skylane", name="Skylane support")


@pytest.fixture
def maja(project):
    user = User.objects.create_user("maja@skylane.example", PASSWORD, name="Maja Berg")
    Membership.objects.create(project=project, user=user, role="admin")
    return user


def sign_in(client, email="maja@skylane.example", password=PASSWORD):
    return client.post("/accounts/login/", {"login": email, "password": password})


def signed_in(client):
    return "_auth_user_id" in client.session


def test_a_password_signs_in_with_a_new_session(client, maja):
    client.get("/accounts/login/")
    session = client.session
    session["mark"] = 1
    session.save()
    before = session.session_key
    assert sign_in(client)["Location"] == "/"
    assert signed_in(client)
    assert client.session.session_key != before
    assert AuditEntry.objects.filter(action="person.signed_in", actor=maja.email).exists()


def test_a_wrong_password_and_an_unknown_address_read_the_same(client, maja):
    pages = [sign_in(client, password="wrong"), sign_in(client, email="nobody@skylane.example")]
    texts = [
        re.sub(
            r'(value|nonce|content|href|src)=("[^"]*"|\'[^\']*\')|"X-CSRFToken": "[^"]*"',
            "",
            page.text,
        )
        for page in pages
    ]
    assert [page.status_code for page in pages] == [200, 200]
    assert texts[0] == texts[1]
    assert AuditEntry.objects.filter(action="person.sign_in_failed").count() == 2


def test_guessing_is_limited_per_account(client, maja):
    for _ in range(5):
        sign_in(client, password="wrong")
    sign_in(client)
    assert not signed_in(client)


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_sign_in_stays_on_this_host(client, maja, target):
    answer = client.post(
        "/accounts/login/", {"login": maja.email, "password": PASSWORD, "next": target}
    )
    assert answer["Location"] == "/"


@pytest.mark.parametrize("path", ["email/", "confirm-email/", "login/code/confirm/"])
def test_what_nobody_needs_is_not_there(client, path):
    assert client.get(f"/accounts/{path}").status_code == 404


def test_nobody_signs_up(client):
    page = client.post("/accounts/signup/", {"email": "x@skylane.example", "password1": PASSWORD})
    assert "By invitation" in page.text
    assert not User.objects.exists()


def test_forgot_password_says_the_same_for_known_and_unknown(client, maja):
    answers = [
        client.post("/accounts/password/reset/", {"email": email})
        for email in (maja.email, "nobody@skylane.example")
    ]
    assert [a["Location"] for a in answers] == ["/accounts/password/reset/done/"] * 2
    assert maja.email in mail.outbox[0].to
    link = re.search(r"http://testserver(/\S+)", mail.outbox[0].body)[1]
    page = client.get(link, follow=True)
    assert "New password" in page.text
    done = client.post(
        page.request["PATH_INFO"],
        {"password1": "an even longer one", "password2": "an even longer one"},
    )
    assert done.status_code == 302
    maja.refresh_from_db()
    assert maja.check_password("an even longer one")


def test_opening_a_link_does_not_use_it_up_but_pressing_does(client, maja):
    url = f"/accounts/link/{actions.make_sign_in_link(maja)}"
    for _ in range(2):
        page = client.get(url)
        assert maja.email in page.text
    assert not signed_in(client)
    assert client.post(url)["Location"] == "/"
    assert signed_in(client)
    client.logout()
    assert client.post(url).status_code == 410
    assert not signed_in(client)


def test_a_link_is_good_for_ten_minutes(client, maja):
    url = f"/accounts/link/{actions.make_sign_in_link(maja)}"
    SignInLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    page = client.post(url)
    assert page.status_code == 410
    assert "no longer good" in page.text
    assert maja.email not in page.text


def test_a_new_person_joins_with_a_name_and_a_password(client, project, maja):
    token = actions.invite(project, "Refunds@Skylane.example", "reviewer", by=maja)
    url = f"/accounts/invite/{token}"
    page = client.get(url)
    assert "Maja Berg invites you as a" in page.text
    assert "refunds@skylane.example" in page.text
    answer = client.post(url, {"name": "Ruth", "password": PASSWORD})
    assert answer["Location"] == "/skylane/traces"
    person = User.objects.get(email="refunds@skylane.example")
    assert (person.name, project.memberships.get(user=person).role) == ("Ruth", "reviewer")
    assert signed_in(client)
    assert client.get(url).status_code == 410


@pytest.mark.parametrize("password", ["short", "password1234", "refunds@skylane.example"])
def test_a_weak_password_is_refused_and_the_seat_stays(client, project, maja, password):
    url = (
        f"/accounts/invite/{actions.invite(project, 'refunds@skylane.example', 'viewer', by=maja)}"
    )
    page = client.post(url, {"name": "Ruth", "password": password})
    assert page.status_code == 422
    assert 'aria-invalid="true"' in page.text
    assert Invitation.objects.filter(accepted_at=None).exists()


def test_an_invitation_is_bound_to_its_address(client, project, maja):
    other = User.objects.create_user("tor@skylane.example", PASSWORD)
    url = (
        f"/accounts/invite/{actions.invite(project, 'refunds@skylane.example', 'viewer', by=maja)}"
    )
    client.force_login(other)
    page = client.post(url)
    assert "This invitation is for refunds@skylane.example" in page.text
    assert not project.memberships.filter(user=other).exists()


def test_a_known_person_signs_in_first_and_then_joins(client, project, maja):
    known = User.objects.create_user("tor@skylane.example", PASSWORD)
    url = f"/accounts/invite/{actions.invite(project, known.email, 'viewer', by=maja)}"
    assert f"/accounts/login/?next={url}" in client.get(url).text
    assert client.post(url, {"name": "x", "password": "another long one"}).status_code == 422
    client.force_login(known)
    assert client.post(url)["Location"] == "/skylane/traces"
    assert project.memberships.filter(user=known).exists()


def test_the_pages_hold_no_inline_style_or_handler(client, project, maja):
    token = actions.make_sign_in_link(maja)
    for path in ("login/", "password/reset/", f"link/{token}", "link/none"):
        page = client.get(f"/accounts/{path}").text
        assert "style=" not in page
        assert not re.search(r"\son\w+=", page)


def test_sign_in_returns_to_the_page_that_was_asked_for(client, maja):
    asked = client.get("/skylane/metrics?from=7d")
    page = client.get(asked["Location"]).text
    wanted = re.search(r'name="next" value="([^"]+)"', page)[1]
    assert wanted == "/skylane/metrics?from=7d"
    answer = client.post(
        "/accounts/login/", {"login": maja.email, "password": PASSWORD, "next": wanted}
    )
    assert answer["Location"] == "/skylane/metrics?from=7d"


@pytest.mark.parametrize(("remember", "age"), [({"remember": "on"}, 14 * 86400), ({}, "")])
def test_staying_signed_in_is_a_choice(client, maja, remember, age):
    client.post("/accounts/login/", {"login": maja.email, "password": PASSWORD, **remember})
    assert client.cookies["tracehub"]["max-age"] == age


def test_signing_out_kills_the_session_on_the_server(client, maja):
    sign_in(client)
    cookie = client.cookies["tracehub"].value
    client.post("/accounts/logout/")
    client.cookies["tracehub"] = cookie
    assert client.get("/skylane/settings").status_code == 302


def test_changing_the_password_signs_out_other_browsers(client, maja):
    other = type(client)()
    sign_in(other)
    sign_in(client)
    client.post(
        "/accounts/password/change/",
        {"oldpassword": PASSWORD, "password1": "a very new one 1", "password2": "a very new one 1"},
    )
    for browser in (client, other):
        assert browser.get("/skylane/settings").status_code == 302


def test_someone_who_came_by_a_link_sets_a_password(client, project):
    person = User.objects.create_user("link@skylane.example")
    Membership.objects.create(project=project, user=person, role="viewer")
    client.post(f"/accounts/link/{actions.make_sign_in_link(person)}")
    assert "/accounts/password/set/" in client.get("/skylane/settings").text
    client.post(
        "/accounts/password/set/",
        {"password1": "a very new one 1", "password2": "a very new one 1"},
    )
    person.refresh_from_db()
    assert person.check_password("a very new one 1")
