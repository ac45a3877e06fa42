"""Prices change and stored calls follow: costs, rows and charts, killed or run twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction

from tests import trace_factory as factory
from tests.web import stories
from tracehub.core.trace import Tokens
from tracehub.digest import actions, repricing
from tracehub.digest.models import Repricing
from tracehub.metrics import rollup
from tracehub.projects import prices
from tracehub.traces.models import Trace

TODAY = datetime.now(UTC).date()


@pytest.fixture
def project(committed_db):
    return stories.project()


@pytest.fixture
def admin(project):
    return stories.member(project, "admin")


def call(project, model, **fields):
    return factory.trace(
        project, model=model, tokens=Tokens(input=1_000_000, output=0, total=1_000_000), **fields
    )


def run(monkeypatch):
    monkeypatch.setattr(repricing, "WAIT", timedelta(0))
    changed = repricing.work(seconds=30)
    actions.digest_all(seconds=20)
    return changed


def cost(project, trace_id):
    return Trace.objects.get(project_id=project.pk, trace_id=trace_id).cost


def charts_agree(project):
    with transaction.atomic(), connection.cursor() as cursor:
        hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        spread = timedelta(days=2)
        return rollup.check(cursor, project.pk, hour - spread, hour + spread) == []


def test_stored_calls_take_a_new_price_and_give_it_back(project, admin, monkeypatch):
    ours = call(project, "house-model", cost=None)
    sent = call(project, "house-model", cost=Decimal("0.5"))
    assert cost(project, ours) is None
    price = prices.set_price(
        project, "house-*", TODAY - timedelta(days=3), by=admin, input=Decimal(2), output=Decimal(0)
    )
    repricing.start(project, price.valid_from)
    assert run(monkeypatch) == 1
    assert cost(project, ours) == 2
    assert cost(project, sent) == Decimal("0.5")
    assert charts_agree(project)
    prices.set_price(project, "house-model", TODAY - timedelta(days=2), by=admin,
                     input=Decimal(3), output=Decimal(0))  # fmt: skip
    repricing.start(project, TODAY)
    run(monkeypatch)
    assert cost(project, ours) == 3
    for each in project.prices.all():
        prices.remove_price(each, by=admin)
    repricing.start(project, TODAY)
    assert run(monkeypatch) == 1
    assert cost(project, ours) is None
    assert charts_agree(project)


def test_a_job_goes_on_where_it_was_killed_and_changes_nothing_twice(project, admin, monkeypatch):
    traces = [call(project, "house-model", cost=None) for _ in range(5)]
    monkeypatch.setattr(repricing, "BATCH", 2)
    monkeypatch.setattr(repricing, "WAIT", timedelta(0))
    prices.set_price(project, "house-model", TODAY, by=admin, input=Decimal(1), output=Decimal(0))
    repricing.start(project, TODAY)
    with transaction.atomic():
        job = Repricing.objects.select_for_update().get(finished_at=None)
        job.day = TODAY
        repricing._step(job)
    with pytest.raises(RuntimeError), transaction.atomic():
        repricing._step(Repricing.objects.select_for_update().get(finished_at=None))
        raise RuntimeError("killed")
    job.refresh_from_db()
    assert (job.traces, job.changed) == (2, 2)
    assert run(monkeypatch) == 3
    assert {cost(project, each) for each in traces} == {Decimal(1)}
    repricing.start(project, TODAY)
    assert run(monkeypatch) == 0


def test_a_second_request_takes_the_first_one_over(project, admin):
    repricing.start(project, TODAY - timedelta(days=1))
    second = repricing.start(project, TODAY)
    assert list(Repricing.objects.filter(finished_at=None)) == [second]
    assert second.since <= TODAY - timedelta(days=1)
    assert repricing.work(seconds=5) == 0  # ingestion may still remember the old prices
    second.refresh_from_db()
    assert second.finished_at is None


def test_a_batch_call_stays_one_when_prices_change_and_change_back(project, admin, monkeypatch):
    batch = call(project, "gpt-4.1", cost=None, service_tier="batch")
    usual = call(project, "gpt-4.1", cost=None)
    repricing.start(project, TODAY)
    assert run(monkeypatch) == 2
    assert cost(project, batch) == cost(project, usual) / 2
