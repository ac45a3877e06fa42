"""Dashboards: charts chosen and ordered, kept for oneself or the project, with an address."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from tests.web import stories
from tests.web.test_metrics import figures, fill
from tracehub.metrics import dashboards
from tracehub.metrics.models import Dashboard


@pytest.fixture
def project(db):
    return stories.project()


@pytest.fixture
def reviewer(client, project):
    user = stories.member(project, "reviewer")
    client.force_login(user)
    return user


def save(client, **given):
    sent = {"name": "Latency", "charts": "latency,requests", "from": "7d", **given}
    return client.post("/skylane/metrics/dashboards", sent, follow=True)


def test_charts_are_chosen_and_moved_without_a_script(client, project, reviewer):
    fill(project, 60)
    page = client.get("/skylane/metrics?from=14d&edit=1").text
    assert page.count('name="chart"') == 12
    chosen = "from=14d&edit=1&chart=cost&chart=latency&chart=tools"
    answer = client.get(f"/skylane/metrics?{chosen}&up=latency")
    assert answer.url == "/skylane/metrics?from=14d&charts=latency%2Ccost%2Ctools&edit=1"
    page = client.get(answer.url).text
    assert list(figures(page)) == ["latency", "cost", "tools"]
    assert re.findall(r'name="chart" value="(\w+)" checked', page) == ["latency", "cost", "tools"]
    moved = client.get(f"/skylane/metrics?{chosen}&down=tools").url
    assert "charts=cost%2Clatency%2Ctools" in moved
    assert "charts" not in client.get("/skylane/metrics?chart=nothing").url


def test_a_dashboard_is_kept_opened_changed_and_comes_back(client, project, reviewer):
    fill(project, 60)
    answer = save(client, group="model", compare="previous")
    board = Dashboard.objects.get()
    address = "/skylane/metrics?from=7d&group=model&compare=previous&charts=latency%2Crequests"
    assert answer.redirect_chain[-1][0] == f"{address}&dashboard={board.pk}"
    assert list(figures(answer.text)) == ["latency", "requests"]
    assert "Saved as Latency" in answer.text
    edited = client.get(f"{address.replace('7d', '14d')}&dashboard={board.pk}").text
    assert '<span class="badge" title="The charts differ' in edited
    url = f"/skylane/metrics/dashboards/{board.pk}"
    client.post(url, {"act": "save", "charts": "cost", "from": "7d"})
    board.refresh_from_db()
    assert (board.charts, board.group, board.compare) == (["cost"], "", False)
    gone = client.post(url, {"act": "delete"}, follow=True)
    assert f"{url}/restore" in gone.text
    assert "Latency" not in client.get("/skylane/metrics").text.partition("menu__sep")[2][:400]
    assert client.post(f"{url}/restore", follow=True).status_code == 200
    assert dashboards.visible(project, reviewer).get() == board
    Dashboard.objects.update(deleted_at=datetime.now(UTC) - timedelta(days=8))
    dashboards.forget(now=datetime.now(UTC))
    assert not Dashboard.objects.exists()


def test_a_dashboard_is_private_until_it_is_shared(client, project, reviewer):
    save(client)
    board = Dashboard.objects.get()
    viewer = stories.member(project, "viewer")
    assert list(dashboards.visible(project, viewer)) == []
    client.post(f"/skylane/metrics/dashboards/{board.pk}", {"act": "share"})
    assert list(dashboards.visible(project, viewer)) == [board]
    client.force_login(viewer)
    page = client.get(f"/skylane/metrics?dashboard={board.pk}").text
    assert f"by {reviewer}" in page
    url = f"/skylane/metrics/dashboards/{board.pk}"
    assert client.post(url, {"act": "delete"}).status_code == 404
    save(client, name="Mine", shared="on")
    assert not Dashboard.objects.get(name="Mine").shared


@pytest.mark.parametrize(
    ("given", "said"), [({"name": " "}, "name must have"), ({"q": "x:1"}, "x")]
)
def test_what_cannot_be_kept_is_explained(client, project, reviewer, given, said):
    page = save(client, **given)
    assert said in page.text
    assert not Dashboard.objects.exists()
    save(client)
    assert "You have a dashboard called" in save(client).text
