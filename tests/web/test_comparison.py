"""Canary against control over HTTP: who is compared, what is said, and what warns."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection

from tests.web import stories
from tracehub.core import rollup as core
from tracehub.metrics import rollup

URL = "/skylane/metrics/compare"


@pytest.fixture
def project(db):
    return stories.project()


@pytest.fixture
def viewer(client, project):
    user = stories.member(project, "viewer")
    client.force_login(user)
    return user


def serve(project, cohort, number, *, failing=0, cost="0.0200", slow=1.0, env="prod", ago=0):
    """Serve `number` requests over the last day, the first `failing` of each hundred failing."""
    now, kept = datetime.now(UTC) - timedelta(days=ago), []
    for index in range(number):
        facts = core.ContributionFacts(
            project_id=project.pk,
            started_at=now - timedelta(hours=20) * (index + 0.5) / number,
            name="support",
            environment=env,
            cohort=cohort,
            by_model={"gpt-4o": {"calls": 1}},
            duration_ns=int((1 + index % 10) * slow * 10**9),
            cost=Decimal(cost) * (1 + index % 3),
            failing=index % 100 < failing,
        )
        kept.append((project.pk, None, core.contribution(facts)))
    with connection.cursor() as cursor:
        rollup.append(cursor, kept)
        rollup.fold(cursor)


def readings(page):
    """Return the title of each row and what it says."""
    found = re.findall(
        r'<th scope="row"[^>]*>([^<]+)</th>.*?</svg>(Worse|Better|No clear change|Too few)',
        page,
        re.S,
    )
    return dict(found)


def test_a_worse_canary_is_called_worse(client, project, viewer):
    serve(project, "control", 2000, failing=2)
    serve(project, "canary", 800, failing=8, cost="0.0300", slow=0.5)
    page = client.get(URL).text
    said = readings(page)
    assert said["Failing rate"] == "Worse"
    assert said["Cost per successful task"] == "Worse"
    assert said["Latency p95"] == "Better"
    assert said["Retries"] == "No clear change"
    assert "+6.0 pts" in page
    assert "canary: 800 requests. control: 2.0k." in page
    assert "compare__warning" not in page
    assert "style=" not in page


def test_like_groups_show_no_clear_change_and_how_many_more_would(client, project, viewer):
    serve(project, "control", 900, failing=5)
    serve(project, "canary", 300, failing=5)
    page = client.get(URL).text
    assert set(readings(page).values()) == {"No clear change"}
    wanted = re.search(r"([\d.]+k?) more to see 20%", page)
    assert wanted
    many = client.get(f"{URL}?see=5").text
    assert "more to see 5%" in many


def test_a_mix_that_differs_and_different_times_warn(client, project, viewer):
    serve(project, "control", 600, env="prod")
    serve(project, "canary", 600, env="staging")
    assert "not split at random: the mix of environments differs" in client.get(URL).text
    serve(project, "before", 300, ago=5)
    page = client.get(f"{URL}?from=7d&by=cohort&control=before&other=canary").text
    assert "hardly served at the same time" in page


def test_few_requests_have_no_verdict(client, project, viewer):
    serve(project, "control", 3)
    serve(project, "canary", 3, slow=9)
    assert readings(client.get(URL).text).get("Latency p95") in (None, "Too few")
    assert "Too few" in client.get(URL).text


@pytest.mark.parametrize("query", ["", "?by=model", "?q=latency:>5s", "?by=nothing&see=x"])
def test_with_one_group_it_says_so(client, project, viewer, query):
    serve(project, "control", 20)
    page = client.get(URL + query)
    assert page.status_code == 200
    assert "Canary against control" in page.text
    assert "interval__zero" not in page.text


def test_a_filter_the_rollups_cannot_answer_compares_raw_traces(client, project, viewer):
    serve(project, "control", 20)
    page = client.get(f"{URL}?q=latency:>5s&by=cohort").text
    assert "Nothing to compare" in page


def test_a_bad_filter_is_explained(client, project, viewer):
    page = client.get(f"{URL}?q=nokey:1")
    assert page.status_code == 400
    assert "nokey" in page.text


def test_the_charts_load_it_below_them(client, project, viewer):
    serve(project, "control", 20)
    page = client.get("/skylane/metrics?q=cohort:control&group=model").text
    assert 'hx-get="/skylane/metrics/compare?q=cohort%3Acontrol"' in page
    part = client.get(URL, headers={"hx-request": "true", "hx-target": "div#comparison"}).text
    assert part.lstrip().startswith('<section class="panel" id="comparison"')


def test_names_are_escaped(client, project, viewer):
    serve(project, "<b>x", 20)
    serve(project, "control", 20)
    page = client.get(URL).text
    assert "<b>x" not in page
    assert "&lt;b&gt;x" in page
