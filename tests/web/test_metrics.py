"""The Metrics page over HTTP: what it says, its filters, ranges, groups, and plain tables."""

from __future__ import annotations

import json
import random
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape

import pytest
from django.db import connection

from tests.web import stories
from tracehub.core import rollup as core
from tracehub.core.trace import Tokens
from tracehub.metrics import charts, rollup
from tracehub.projects.models import Project
from tracehub.traces.models import PromptVersion
from tracehub.web import metric_specs

EVIL = '<a href="https://evil.example">x</a><b>&lt;'


def tools(index):
    refunds = {"refund": {"calls": 1, "errors": int(index % 20 == 0)}} if index % 4 == 0 else {}
    return {"lookup": {"calls": 2, "errors": 0}, **refunds}


def fill(project, number=300, *, evil=False, chance=None):
    """Two weeks of requests: v12 comes two days ago and fails more often."""
    draw, now = random.Random(11), datetime.now(UTC)
    for version, days in (("v11", 20), ("v12", 2)):
        PromptVersion.objects.create(
            project=project,
            name="refund",
            version=version,
            first_seen_at=now - timedelta(days=days),
        )
    kept = []
    for index in range(number):
        at = now - timedelta(days=14) * (index + 0.5) / number
        new = at > now - timedelta(days=2)
        prompt = "refund@v12" if new else "refund@v11"
        model = EVIL if evil and index % 3 == 0 else draw.choice(["gpt-4o", "gpt-4o", "o4-mini"])
        cost = Decimal(draw.randrange(100, 400)) / 10_000
        facts = core.ContributionFacts(
            project_id=project.pk,
            started_at=at,
            name="airline-support",
            environment="production",
            cohort="canary" if new else "control",
            by_model={model: {"calls": 1, "input": 900, "output": 90, "cost": cost}},
            by_prompt={prompt: {"calls": 1, "input": 900, "output": 90, "cost": cost}},
            by_tool=tools(index),
            duration_ns=draw.randrange(10**9, 10**10),
            ttft_ns=draw.randrange(10**8, 10**9),
            tokens=Tokens(input=900, output=90),
            cost=cost,
            failing=draw.random() < (0.5 if new else 0.02),
            retries=int(draw.random() < 0.05),
            chance=chance,
            verdict=draw.choice([None, "pass", "fail"]) if index % 5 == 0 else None,
        )
        kept.append((project.pk, None, core.contribution(facts)))
    with connection.cursor() as cursor:
        rollup.append(cursor, kept)
        rollup.fold(cursor)


@pytest.fixture
def project(db):
    return stories.project()


@pytest.fixture
def viewer(client, project):
    user = stories.member(project, "viewer")
    client.force_login(user)
    return user


def figures(page):
    found = re.search(r'<script id="figures" type="application/json">(.*?)</script>', page, re.S)
    return json.loads(found[1])


def findings(page):
    heads = re.findall(r'<h2 [^>]*id="h-([a-z-]+)" title="([^"]*)"', page)
    return {key: unescape(title) for key, title in heads}


def test_the_page_says_in_numbers_what_it_draws(client, project, viewer):
    fill(project)
    page = client.get("/skylane/metrics?from=14d")
    assert page.status_code == 200
    assert list(figures(page.text)) == list(metric_specs.KEYS)
    said = findings(page.text)
    assert re.fullmatch(r"Failing rate rose \d+\.\d pts since v12", said["requests"])
    assert said["latency"] == "Latency p95 no clear change since v12"
    assert said["outcomes"] == "Outcomes"
    assert "failing of 21 a day" in page.text
    assert 'role="img" aria-label="Latency p95 no clear change since v12. ' in page.text
    assert "style=" not in page.text


def test_the_tables_hold_every_step(client, project, viewer):
    fill(project)
    page = client.get("/skylane/metrics?from=14d").text
    table = re.search(r'id="table-requests".*?</table>', page, re.S)[0]
    counts = [int(n) for n in re.findall(r'<td class="r">(\d+)</td></tr>', table)]
    assert re.search(
        r'<th scope="row"><a class="link" href="/skylane/traces\?q=is%3Afailing&', table
    )
    assert sum(counts) == 300
    assert len(counts) in (57, 58)


def test_groups_are_lines_of_their_own_and_say_how_they_count(client, project, viewer):
    fill(project)
    page = client.get("/skylane/metrics?from=14d&group=model").text
    lines = [trace["name"] for trace in figures(page)["latency"]["data"]]
    assert lines == ["gpt-4o", "o4-mini"]
    assert "A request counts in each model that it used" in page
    assert 'aria-current="true"' in re.search(r'aria-label="Group by".*?</nav>', page, re.S)[0]


def test_a_filter_narrows_and_stays_in_the_links(client, project, viewer):
    fill(project)
    page = client.get("/skylane/metrics?from=14d&q=cohort:canary&group=prompt").text
    assert [t["name"] for t in figures(page)["latency"]["data"]] == ["refund@v12"]
    assert "/skylane/metrics?q=cohort%3Acanary&amp;from=14d" in page
    assert 'data-text="cohort:canary"' in page


def test_a_filter_the_rollups_cannot_answer_says_where_it_reads(client, project, viewer):
    page = client.get("/skylane/metrics?q=latency:>5s").text
    assert "these charts read the traces that are still kept" in page


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("q=nokey:1", "nokey"),
        ("group=colour", "group must be one of"),
        ("from=yesterday", "from must be ISO 8601"),
        ("from=2026-01-02&to=2026-01-01", "from must come before to"),
    ],
)
def test_a_bad_address_is_explained(client, project, viewer, query, said):
    page = client.get(f"/skylane/metrics?{query}")
    assert page.status_code == 400
    assert said in page.text


def test_an_empty_range_offers_the_next_step(client, project, viewer):
    page = client.get("/skylane/metrics").text
    assert "No requests in this range" in page
    assert "/skylane/metrics?from=90d" in page
    assert "/skylane/connect" in page


def test_the_period_before_is_dashed_and_said_in_words(client, project, viewer):
    fill(project)
    page = client.get("/skylane/metrics?from=2d&compare=previous").text
    drawn = figures(page)
    for key in ("requests", "cost", "latency", "reliability", "tokens", "first-token", "spend"):
        dashed = [t for t in drawn[key]["data"] if t.get("line", {}).get("dash")]
        assert [t["name"].endswith(", 2 days before") for t in dashed] == [True], key
    said = findings(page)
    assert re.fullmatch(r"Failing rate rose \d+\.\d pts vs 2 days before", said["requests"])
    assert "in the 2 days before, dashed" in page
    assert "Failing rate before" in page
    rows = client.get("/skylane/metrics?from=2d&compare=previous&charts=requests&format=csv").text
    head, *lines = rows.splitlines()
    assert head.endswith("Failing rate (share),Requests (count),Failing rate before (share)")
    assert {line.partition(",")[0] for line in lines} == {"Failing rate"}
    grouped = client.get("/skylane/metrics?from=2d&compare=previous&group=model").text
    names = [trace["name"] for trace in figures(grouped)["latency"]["data"]]
    assert sorted(names) == sorted(
        ["gpt-4o", "o4-mini", "gpt-4o, 2 days before", "o4-mini, 2 days before"]
    )


@pytest.mark.parametrize("query", ["", "&group=model", "&compare=previous"])
def test_plotly_finds_nothing_wrong_with_the_figures(client, project, viewer, monkeypatch, query):
    fill(project)
    monkeypatch.setattr(charts, "CHECKED", True)
    page = client.get(f"/skylane/metrics?from=2d{query}")
    assert list(figures(page.text)) == list(metric_specs.KEYS)


def test_reviews_of_queues_are_weighted(client, project, viewer):
    fill(project, chance=0.1)
    page = client.get("/skylane/metrics?from=14d&charts=reviews").text
    assert re.search(r"<small>of all, by \d+ reviewed, by \d+ h</small>", page)
    head = client.get("/skylane/metrics?from=14d&charts=reviews&format=csv").text.splitlines()[0]
    assert head.startswith("chart,Time (UTC),Would fail in review (share),Failed by reviewers")


def test_tools_stand_by_their_own_error_rate(client, project, viewer):
    fill(project)
    page = client.get("/skylane/metrics?from=14d").text
    data = figures(page)["tools"]["data"]
    assert [trace["name"] for trace in data] == ["lookup", "refund"]
    assert data[1]["meta"] == "tool:refund"
    table = re.search(r'id="table-tools".*?</table>', page, re.S)[0]
    cells = [re.findall(r'<td class="r">([^<]*)', row) for row in table.split("<tr>")[2:]]
    assert cells == [["300", "0.0%", "600", "0"], ["75", "20.0%", "75", "15"]]
    assert findings(page)["tools"] == "Tool error rate is highest in refund, 20.0%"
    by_tool = client.get("/skylane/metrics?from=14d&group=tool").text
    assert "latency" not in figures(by_tool)
    assert "A request counts in each tool that it used" in by_tool


def test_a_swap_gets_the_content_alone(client, project, viewer):
    fill(project, 20)
    answer = client.get(
        "/skylane/metrics?from=14d",
        headers={"hx-request": "true", "hx-target": "main#main"},
    )
    assert "<html" not in answer.text
    assert "<h1>Metrics</h1>" in answer.text
    assert answer["HX-Push-Url"] == "/skylane/metrics?from=14d"


def test_names_from_traces_are_escaped_in_figures_and_tables(client, project, viewer):
    fill(project, evil=True)
    page = client.get("/skylane/metrics?from=14d&group=model").text
    assert '<a href="https://evil.example' not in page
    names = [trace["name"] for trace in figures(page)["cost"]["data"]]
    assert any(name.startswith("&lt;a href=") for name in names)
    assert not any("<" in name for name in names)


def test_the_page_costs_few_queries(client, project, viewer, django_assert_max_num_queries):
    fill(project)
    with django_assert_max_num_queries(22):
        client.get("/skylane/metrics?from=14d")


def test_outsiders_see_nothing(client, project, viewer):
    Project.objects.create(slug="other", name="Other")
    assert client.get("/other/metrics").status_code == 404


def test_the_tables_leave_as_csv_that_runs_nothing(client, project, viewer):
    fill(project)
    with connection.cursor() as cursor:
        facts = core.ContributionFacts(
            project_id=project.pk,
            started_at=datetime.now(UTC),
            name="airline-support",
            by_model={"=cmd|'/c calc'!A1": {"calls": 1}},
        )
        rollup.append(cursor, [(project.pk, None, core.contribution(facts))])
    answer = client.get("/skylane/metrics?from=14d&group=model&format=csv")
    assert answer["Content-Type"].startswith("text/csv")
    assert answer["Content-Disposition"] == 'attachment; filename="skylane-metrics.csv"'
    lines = answer.text.splitlines()
    assert lines[0] == "chart,Group,Requests (count),Failing rate (share)"
    assert any(line.startswith("Failing rate,gpt-4o,") for line in lines)
    assert "'=cmd" in answer.text
    assert ",=cmd" not in answer.text
