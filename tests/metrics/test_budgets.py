"""Budgets: what a month costs and will cost, told once when it is too much."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection

from tests.web import stories
from tracehub.core import budget as core
from tracehub.core import rollup as sums
from tracehub.metrics import budgets, rollup
from tracehub.metrics.models import Breach, Budget
from tracehub.notify.messages import message
from tracehub.projects.actions import ActionError
from tracehub.projects.models import Event

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def spend(project, days, *, daily="10.00", model="gpt-4o", now=NOW):
    """Count one trace a day, on each of `days` days before today."""
    kept = []
    for n in days:
        cost = Decimal(daily)
        facts = sums.ContributionFacts(
            project_id=project.pk,
            started_at=now - timedelta(days=n),
            name="support",
            cost=cost,
            by_model={model: {"calls": 1, "cost": cost}},
        )
        kept.append((project.pk, None, sums.contribution(facts)))
    with connection.cursor() as cursor:
        rollup.append(cursor, kept)


@pytest.fixture
def admin(project):
    return stories.member(project, "admin")


def test_a_steady_month_is_foreseen_to_the_cent(project, admin):
    spend(project, range(1, 40))
    budget = budgets.set_budget(project, "", "", Decimal(250), by=admin)
    found = budgets.state(budget, now=NOW)
    assert found.spent == 200.0  # the 1st to the 20th
    assert found.forecast == core.Forecast(295.0, (295.0, 295.0))  # and nine and a half days more
    assert found.passed == "forecast"


def test_a_young_project_is_not_diluted_by_days_before_it(project, admin):
    spend(project, range(1, 4))
    budget = budgets.set_budget(project, "", "", Decimal(100), by=admin)
    found = budgets.state(budget, now=NOW)
    assert found.forecast == core.Forecast(30.0 + 95.0, None)


def test_a_budget_of_a_model_counts_its_calls_alone(project, admin):
    spend(project, range(1, 30))
    spend(project, range(1, 30), daily="1.00", model="o4-mini")
    budget = budgets.set_budget(project, "model", "o4-mini", Decimal(50), by=admin)
    assert budgets.state(budget, now=NOW).spent == 20.0


def test_each_limit_is_told_once_a_month(project, admin):
    spend(project, range(1, 40))
    budgets.set_budget(project, "", "", Decimal(250), by=admin)
    assert budgets.watch(now=NOW) == 1
    assert budgets.watch(now=NOW) == 0
    spend(project, [1], daily="100.00")
    assert budgets.watch(now=NOW) == 1
    assert sorted(Breach.objects.values_list("kind", flat=True)) == ["forecast", "spent"]
    events = list(Event.objects.filter(kind="budget.passed").order_by("pk"))
    assert [event.body["passed"] for event in events] == ["forecast", "spent"]
    said = message(events[1])
    assert said.title == "Skylane support: Budget of the whole project is passed in 2026-11"
    assert said.lines == ["$300.00 spent, $428.93 expected of $250.00."]
    assert said.url.endswith("/skylane/settings/budgets")
    assert budgets.watch(now=NOW + timedelta(days=32)) == 0  # nothing was spent since


def test_a_calm_budget_tells_nothing(project, admin):
    spend(project, range(1, 40))
    budgets.set_budget(project, "", "", Decimal(400), by=admin)
    assert budgets.watch(now=NOW) == 0


@pytest.mark.parametrize(
    ("axis", "value", "said"),
    [("model", " ", "value must name a model"), ("prompt", "refund", "with its version")],
)
def test_a_budget_of_nothing_is_refused(project, admin, axis, value, said):
    with pytest.raises(ActionError, match=said):
        budgets.set_budget(project, axis, value, Decimal(1), by=admin)


def test_the_interval_holds_the_month_as_often_as_it_says():
    draw = random.Random(2)
    held = 0
    for _ in range(1000):
        days = [draw.gauss(100, 30) for _ in range(28)]
        interval = core.forecast(0.0, days, 15).interval
        held += interval[0] <= sum(draw.gauss(100, 30) for _ in range(15)) <= interval[1]
    assert 0.93 <= held / 1000 <= 0.97


@pytest.mark.parametrize(
    ("freedom", "value"), [(6, 2.44691), (9, 2.26216), (13, 2.16037), (27, 2.05183)]
)
def test_quantiles_of_t_are_those_of_the_tables(freedom, value):
    assert math.isclose(core.t_quantile(0.975, freedom), value, rel_tol=1e-3)


def test_the_page_shows_and_changes_them(client, project, admin):
    now = datetime.now(UTC)
    spend(project, range(1, 40), now=now)
    client.force_login(admin)
    url = "/skylane/settings/budgets"
    assert "No budgets yet" in client.get(url).text
    page = client.post(f"{url}/new", {"axis": "prompt", "value": "refund", "amount": "5"})
    assert page.status_code == 422
    assert "such as refund@v12" in page.text
    assert "dollars" in client.post(f"{url}/new", {"axis": ""}).text
    page = client.post(f"{url}/new", {"axis": "", "amount": "12.50"}, follow=True)
    assert "Budget set: the whole project, $12.50 a month" in page.text
    assert "$12.50" in page.text
    budgets.watch(now=now)
    assert "this month" in client.get("/skylane/metrics").text
    budget = Budget.objects.get()
    client.post(f"{url}/{budget.pk}/remove")
    assert not Breach.objects.exists()
    client.force_login(stories.member(project, "reviewer"))
    assert client.post(f"{url}/new", {"axis": "", "amount": "5"}).status_code == 403
    assert client.get(url).status_code == 200
