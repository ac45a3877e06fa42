"""The frame of every page: who gets in, navigation, themes, toasts, error pages."""

from __future__ import annotations

import re

import pytest
from django.contrib.messages import get_messages
from django.template import Context, Template
from django.template.loader import get_template

from tracehub.projects.models import Membership, Project, User
from tracehub.web import shell

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return Project.objects.create(slug="skylane", name="Skylane support")


@pytest.fixture
def viewer(project: Project) -> User:
    user = User.objects.create_user("maja@skylane.example")
    Membership.objects.create(project=project, user=user, role="viewer")
    return user


def test_nobody_is_sent_to_sign_in_and_back(client, project):
    answer = client.get("/skylane/traces?q=is%3Afailing")
    assert answer.status_code == 302
    assert answer["Location"] == "/accounts/login/?next=/skylane/traces%3Fq%3Dis%253Afailing"


def test_a_fragment_sends_the_whole_page_to_sign_in(client, project):
    answer = client.get(
        "/skylane/traces",
        headers={"hx-request": "true", "hx-current-url": "http://testserver/skylane/traces?q=a"},
    )
    assert answer.status_code == 401
    assert answer["HX-Redirect"].endswith("next=/skylane/traces%3Fq%3Da")


def test_an_outsider_cannot_tell_a_project_from_none(client, viewer):
    Project.objects.create(slug="other", name="Another")
    client.force_login(viewer)
    pages = [client.get(f"/{slug}/traces") for slug in ("other", "missing")]
    assert [p.status_code for p in pages] == [404, 404]
    assert pages[0].content == pages[1].content


def test_home_goes_to_the_last_project(client, viewer):
    other = Project.objects.create(slug="airline", name="Airline")
    Membership.objects.create(project=other, user=viewer, role="admin")
    client.force_login(viewer)
    assert client.get("/")["Location"] == "/airline/traces"
    client.get("/skylane/traces")
    assert client.get("/")["Location"] == "/skylane/traces"


def test_home_says_what_to_do_without_a_project(client):
    client.force_login(User.objects.create_user("new@skylane.example"))
    assert "You are in no project yet" in client.get("/").text


def test_the_theme_is_kept_and_returns_to_the_page(client, viewer):
    client.force_login(viewer)
    answer = client.post("/accounts/theme", {"theme": "dark", "next": "/skylane/traces?q=a"})
    assert answer["Location"] == "/skylane/traces?q=a"
    assert '<html lang="en" data-theme="dark">' in client.get("/skylane/traces").text


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:1"])
def test_next_never_leaves_the_site(client, viewer, target):
    client.force_login(viewer)
    assert client.post("/accounts/theme", {"next": target})["Location"] == "/"


def test_scripts_and_styles_carry_the_nonce_of_the_header(client, viewer):
    client.force_login(viewer)
    page = client.get("/skylane/traces")
    nonce = re.search(r"script-src 'nonce-([^']+)'", page["Content-Security-Policy"])[1]
    scripts = re.findall(r"<script[^>]*>", page.text)
    assert scripts
    assert all(f'nonce="{nonce}"' in script for script in scripts)
    assert "style=" not in page.text
    assert re.findall(r'\son\w+="', page.text) == []


def test_navigation_marks_the_page(client, viewer):
    client.force_login(viewer)
    page = client.get("/skylane/traces").text
    assert 'href="/skylane/traces" aria-current="page"' in page
    assert re.search(r'href="/skylane/prompts"(?! aria-current)', page)


def test_a_missing_page_says_so_in_plain_words(client, viewer):
    client.force_login(viewer)
    page = client.get("/nowhere/at/all")
    assert page.status_code == 404
    assert "Nothing here" in page.text


def test_a_toast_shows_its_text_escaped_and_its_undo(client, viewer):
    client.force_login(viewer)
    request = client.get("/skylane/traces").wsgi_request
    shell.toast(request, "3 traces marked <fail>", icon="fail", undo="/skylane/undo")
    assert len(get_messages(request)) == 1
    template = Template('{% include "components/toast.html" %}')
    shown = template.render(Context({"request": request, "csrf_token": "t"}))
    assert "3 traces marked &lt;fail&gt;" in shown
    assert 'action="/skylane/undo"' in shown


@pytest.mark.parametrize("name", ["400", "403", "403_csrf", "404", "500"])
def test_error_pages_need_no_request_and_lead_on(name):
    page = get_template(f"{name}.html").render()
    assert "<h1>" in page
    assert 'href="/"' in page
    assert "<script" not in page


def test_too_small_a_role_is_told_so(client, viewer):
    client.force_login(viewer)
    answer = client.post("/skylane/traces/bulk")
    assert answer.status_code == 403
    assert "Not allowed with your role" in answer.text


def test_a_text_that_the_database_cannot_hold_is_a_bad_request(client, viewer):
    client.force_login(viewer)
    for address in ("sessions/a%00b", "contracts/refund?prompt=%00", "failures?group=%00"):
        answer = client.get(f"/skylane/{address}")
        assert (answer.status_code, "not understood" in answer.text) == (400, True)
    name = {"name": "a\0", "q": ""}
    assert client.post("/skylane/traces/views", name).status_code == 400
    assert "finds nothing" in client.get("/skylane/traces?q=%00").text
