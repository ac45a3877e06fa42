"""Saved views: private or shared, edited, deleted and back, and counted by the worker."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.trace_rows import trace_row
from tests.web import stories
from tracehub.traces import saved
from tracehub.traces.models import SavedView

pytestmark = pytest.mark.django_db
LIST = "/skylane/traces"


@pytest.fixture
def project(db):
    made = stories.project()
    for n in range(5):
        trace_row(made, failing=n < 2)
    return made


@pytest.fixture
def reviewer(client, project):
    person = stories.member(project, "reviewer")
    client.force_login(person)
    return person


def nav(page: str) -> list[str]:
    part = page.partition('class="nav__views">')[2].partition("</div>")[0]
    return re.findall(r'<span class="truncate">([^<]*)', part)


def make(client, name="Slow refunds", **more):
    asked = {"name": name, "q": "is:failing", "from": "7d", **more}
    return client.post(f"{LIST}/views", asked)["Location"]


def test_a_list_is_saved_changed_renamed_deleted_and_brought_back(client, project, reviewer):
    place = make(client)
    view = SavedView.objects.get()
    assert place == f"{LIST}?q=is%3Afailing&from=7d&view={view.pk}"
    page = client.get(place).text
    assert nav(page) == ["Slow refunds"]
    assert '<span class="nav__count">~2</span>' in page
    assert 'data-key="g 1"' in page
    assert "edited" not in page.partition("<main")[2].partition("</header>")[0]
    changed = client.get(place.replace("failing", "passing")).text
    assert ">edited</span>" in changed
    client.post(f"{LIST}/views/{view.pk}", {"act": "save", "q": "is:passing", "from": "7d"})
    view.refresh_from_db()
    assert (view.q, view.traces) == ("is:passing", 3)
    client.post(f"{LIST}/views/{view.pk}", {"act": "rename", "name": "  Fine   ones "})
    after = client.post(f"{LIST}/views/{view.pk}", {"act": "delete"})["Location"]
    page = client.get(after).text
    assert "Fine ones deleted" in page
    assert nav(page) == []
    client.post(re.search(r'action="([^"]+/restore)"', page)[1])
    assert nav(client.get(LIST).text) == ["Fine ones"]


def test_others_see_shared_views_and_change_none(client, project, reviewer):
    make(client, "Mine")
    make(client, "Ours", shared="on")
    view = SavedView.objects.get(name="Ours")
    client.force_login(stories.member(project, "viewer"))
    assert nav(client.get(LIST).text) == ["Ours"]
    for act in ("save", "rename", "delete", "unshare"):
        assert client.post(f"{LIST}/views/{view.pk}", {"act": act}).status_code == 404
    make(client, "A viewer's own", shared="on")
    assert not SavedView.objects.get(name="A viewer's own").shared
    outsider = stories.member(stories.project("other"), "admin", "x@other.example")
    client.force_login(outsider)
    assert client.post(f"{LIST}/views/{view.pk}", {"act": "delete"}).status_code == 404


def test_what_cannot_be_saved_is_said(client, project, reviewer):
    make(client)
    for asked, why in (
        ({"name": "Slow refunds"}, "You have a view called"),
        ({"name": " "}, "name must have 1 to 60 characters. Got 0."),
        ({"name": "Bad", "q": "latency:>5sec"}, "such as 5s or 800ms"),
    ):
        client.post(f"{LIST}/views", {"next": LIST, **asked})
        assert why in client.get(LIST).text
    assert SavedView.objects.count() == 1


def test_the_worker_counts_anew_and_forgets_deleted_views(client, project, reviewer):
    make(client)
    trace_row(project, failing=True)
    now = timezone.now()
    assert saved.recount(now=now) == 0
    assert saved.recount(now=now + timedelta(minutes=6)) == 1
    view = SavedView.objects.get()
    assert view.traces == 3
    saved.delete(view, now=now)
    saved.recount(now=now + timedelta(days=8))
    assert not SavedView.objects.exists()
