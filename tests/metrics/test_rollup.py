"""The rollups stay exact whatever order changes come in."""

from __future__ import annotations

import json
import math
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from django.db import connection, transaction

from tracehub.core import rollup as core
from tracehub.core.trace import Tokens
from tracehub.metrics import models, rollup

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
# all, "", four dimensions alone, one model and one prompt, each split and alone
ROWS = 10


def facts(project_id=1, **given):
    values = {
        "started_at": NOW - timedelta(hours=1),
        "name": "airline-support",
        "environment": "production",
        "cohort": "canary",
        "release": "2026.11.3",
        "by_model": {"gpt-4o": {"calls": 2, "input": 90, "output": 10, "cost": Decimal("0.01")}},
        "by_prompt": {"refund@v12": {"calls": 1, "input": 50, "output": 5, "cost": None}},
        "duration_ns": 2_000_000_000,
        "ttft_ns": 400_000_000,
        "tokens": Tokens(input=100, output=10, total=110),
        "cost": Decimal("0.0180"),
    }
    return core.ContributionFacts(project_id=project_id, **{**values, **given})


def append(*changes):
    with transaction.atomic(), connection.cursor() as cursor:
        return rollup.append(cursor, changes)


def fold(now=NOW, **options):
    with transaction.atomic(), connection.cursor() as cursor:
        return rollup.fold(cursor, now=now, **options)


def sums(axis="", resolution=rollup.HOUR):
    ids = models.Series.objects.filter(axis=axis).values("id")
    found = models.Rollup.objects.filter(resolution=resolution, series__in=ids)
    total = dict.fromkeys(core.COUNTERS, 0)
    for row in found.values(*core.COUNTERS):
        for name, value in row.items():
            total[name] += value
    return {name: value for name, value in total.items() if value}


def test_models_have_the_counters_of_the_core():
    names = [field.name for field in models.Counters._meta.fields]
    assert tuple(names) == core.COUNTERS


def test_a_trace_counts_once_in_totals_and_once_in_each_model_and_prompt(db):
    both = {"gpt-4o": {"calls": 1, "cost": Decimal("0.01")}, "o4-mini": {"calls": 1}}
    append((1, None, core.contribution(facts(by_model=both))))
    fold()
    assert sums("all")["requests"] == sums("")["requests"] == sums("prompt")["requests"] == 1
    assert sums("model")["requests"] == 2
    assert sums("model")["cost"] == 2 * Decimal("0.018")
    assert sums("model")["own_cost"] == Decimal("0.01")
    assert sums("")["own_cost"] == sums("")["cost"] == Decimal("0.018")


def test_a_changed_trace_adds_only_its_difference(db):
    first = core.contribution(facts(duration_ns=None, finished=False, cost=None))
    then = core.contribution(facts(failing=True))
    append((1, None, first))
    fold()
    append((1, first, then))
    fold()
    once = sums()
    models.Rollup.objects.all().delete()
    append((1, None, then))
    fold()
    assert once == sums()
    assert once["requests"] == once["failing"] == 1
    assert "successes" not in once


def test_nothing_is_written_when_nothing_changed(db):
    same = core.contribution(facts())
    assert append((1, same, dict(same))) == 0
    assert not models.Delta.objects.exists()


def test_traces_alike_share_their_rows(db):
    kept = core.contribution(facts())
    assert append(*[(1, None, kept)] * 50) == ROWS
    assert set(models.Delta.objects.values_list("requests", flat=True)) == {50}


def test_a_contribution_survives_its_way_through_jsonb(db):
    kept = core.contribution(facts(cost=Decimal("12345.6789012345")))
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::jsonb::text", [json.dumps(kept)])
        (text,) = cursor.fetchone()
    assert json.loads(text) == kept


@pytest.mark.parametrize("seed", range(3))
def test_any_order_of_changes_and_folds_ends_in_the_same_sums(db, seed):
    draw = random.Random(seed)
    final = {}
    for _ in range(60):
        trace = draw.randrange(12)
        old = final.get(trace)
        new = None if draw.random() < 0.1 else core.contribution(_random_facts(draw))
        append((1, old, new))
        final[trace] = new
        if draw.random() < 0.3:
            fold(rows=draw.choice([2, 5, 1000]))
    while fold():
        pass
    changed = {axis: (sums(axis), _buckets()) for axis in core.AXES}
    models.Rollup.objects.all().delete()
    models.Histogram.objects.all().delete()
    append(*((1, None, new) for new in final.values()))
    fold()
    assert changed == {axis: (sums(axis), _buckets()) for axis in core.AXES}


def _random_facts(draw):
    return facts(
        started_at=NOW - timedelta(minutes=draw.randrange(4000)),
        name=draw.choice(["a", "b"]),
        cohort=draw.choice([None, "canary"]),
        duration_ns=draw.choice([None, draw.randrange(10**10)]),
        cost=draw.choice([None, Decimal(draw.randrange(10**6)) / 10**6]),
        failing=draw.random() < 0.3,
        outcome=draw.choice([None, "answered", "escalated"]),
        verdict=draw.choice([None, "fail", "pass"]),
        retries=draw.randrange(3),
    )


def _buckets():
    rows = models.Histogram.objects.exclude(count=0).order_by("pk")
    return list(rows.values_list("resolution", "measure", "bucket", "series", "index", "count"))


def test_one_folder_at_a_time(committed_db):
    append((1, None, core.contribution(facts())))
    with psycopg.connect(committed_db) as other:
        other.execute("SELECT pg_advisory_xact_lock(7427)")
        assert fold() == 0
    assert fold() == ROWS


def test_series_beyond_the_limit_are_summed_as_other(db, monkeypatch):
    monkeypatch.setattr(rollup, "SERIES_A_DAY", 3)
    kept = [core.contribution(facts(name=f"name-{n}")) for n in range(5)]
    append(*((1, None, each) for each in kept))
    fold()
    assert sums()["requests"] == 5
    assert models.Series.objects.filter(axis="", name="other").count() == 1
    append(*((1, each, None) for each in kept))
    fold()
    assert sums() == {}


def test_minutes_are_kept_for_two_days_and_hours_for_ninety(db):
    old = core.contribution(facts(started_at=NOW - timedelta(days=5)))
    older = core.contribution(facts(started_at=NOW - timedelta(days=100)))
    append((1, None, old), (1, None, older))
    fold()
    assert "requests" not in sums(resolution=rollup.MINUTE)
    assert sums(resolution=rollup.HOUR)["requests"] == 1
    assert sums(resolution=rollup.DAY)["requests"] == 2


def test_pruning_forgets_what_is_past_its_time(db, project):
    kept = core.contribution(facts(project.pk))
    append((project.pk, None, kept))
    fold()
    assert rollup.prune(now=NOW) == 0
    assert rollup.prune(now=NOW + timedelta(days=91)) > 0
    assert "requests" not in sums(resolution=rollup.MINUTE)
    assert "requests" not in sums(resolution=rollup.HOUR)
    assert sums(resolution=rollup.DAY)["requests"] == 1


def test_absurd_numbers_of_a_sender_stop_nobody(db):
    wild = facts(
        started_at=datetime(1970, 1, 1, tzinfo=UTC),
        cost=Decimal(10**9),
        tokens=Tokens(input=10**18, output=-5),
        duration_ns=10**18,
        name="x" * 100_000,
    )
    append(*[(1, None, core.contribution(wild))] * 200)
    assert fold() == ROWS


@pytest.mark.parametrize("spread", [0.2, 1.5, 3.0])
def test_quantiles_from_buckets_are_within_one_percent(spread):
    draw = random.Random(7)
    values = sorted(int(draw.lognormvariate(20, spread)) for _ in range(20_000))
    buckets = {}
    for value in values:
        index = core.bucket(value)
        buckets[index] = buckets.get(index, 0) + 1
    for q in (0.5, 0.95, 0.99):
        raw = values[math.ceil(q * len(values)) - 1]
        assert core.quantile(buckets, q) == pytest.approx(raw, rel=0.0101)
