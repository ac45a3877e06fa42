"""Rollups that were damaged are found, and mended to what the traces say, in every resolution."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta

import pytest
from django.db import connection, transaction

from tests.metrics.test_querysets import NOW, store
from tracehub.core import rollup as core
from tracehub.metrics import models, rollup
from tracehub.metrics.checking import actions
from tracehub.projects.models import Project

TABLES = ("rollups", "rollup_histograms")


@pytest.fixture
def project(committed_db):
    return Project.objects.create(slug="skylane", name="Skylane support")


@pytest.fixture
def traces(project):
    """60 traces of two days: 40 are folded, 20 still wait."""
    sql("SELECT tracehub_ensure_partitions('2026-11-22', '2026-11-24')")
    draw = random.Random(3)
    made = []
    for number in range(60):
        made.append(store(project, draw=draw))
        if number == 39:
            fold()
    return made


def sql(query, *params):
    with connection.cursor() as cursor:
        cursor.execute(query, params)
        return cursor.fetchall() if cursor.description else []


def fold():
    with transaction.atomic(), connection.cursor() as cursor:
        rollup.fold(cursor, now=NOW)


def kept():
    return [sql(f"SELECT * FROM {table} ORDER BY 1, 2, 3, 4, 5, 6") for table in TABLES]


def check(project, *, mend=False):
    run = actions.begin(project, mend=mend, now=NOW)
    return list(actions.go_on(run, now=NOW))


def differing(reports):
    return sum(report.differing for report in reports)


def test_rollups_that_are_right_are_left_alone(project, traces):
    before = kept()
    reports = check(project, mend=True)
    assert [report.day for report in reports] == [date(2026, 11, 23), date(2026, 11, 24)]
    assert differing(reports) == 0
    assert sum(report.traces for report in reports) == 60
    assert kept() == before
    facts = core.ContributionFacts(
        project_id=project.pk,
        started_at=traces[0].started_at,
        name="support",
        duration_ns=10**9,
        by_tool={"lookup": {"calls": 2, "errors": 1}},
    )
    new, old = core.contribution(facts), traces[0].contribution
    traces[0].contribution = new
    traces[0].save()
    with connection.cursor() as cursor:
        rollup.append(cursor, [(project.pk, old, new)])
    assert differing(check(project)) == 0


DAMAGE = {
    "a counter of one resolution": "UPDATE rollups SET failing = failing + 3, cost = cost + 0.5"
    " WHERE resolution = 3600",
    "rows that are gone": "DELETE FROM rollups WHERE resolution = 86400",
    "a bucket of a distribution": "UPDATE rollup_histograms SET count = count + 1"
    " WHERE resolution = 60",
    "waiting changes that are gone": "DELETE FROM rollup_deltas",
    "rows of a wrong series": "UPDATE rollups SET series = series + 1 WHERE resolution = 3600",
}


def test_damage_is_named_and_mended(project, traces):
    for what, damage in DAMAGE.items():
        sql(damage)
        found = differing(check(project))
        assert found > 0, what
        assert differing(check(project)) == found, what  # looking changes nothing
        assert differing(check(project, mend=True)) == found, what
        assert differing(check(project)) == 0, what
    fold()
    assert differing(check(project)) == 0
    with connection.cursor() as cursor:
        start = datetime(2026, 11, 23, tzinfo=NOW.tzinfo)
        assert rollup.check(cursor, project.pk, start, start + timedelta(days=2)) == []
    (series,) = models.Series.objects.filter(axis="all").values_list("id", flat=True)
    sql("UPDATE rollups SET failing = failing + 2 WHERE resolution = 86400 AND series = %s", series)
    told = {
        (place.resolution, report.names[place.series]): dict(counts)
        for report in check(project)
        for place, counts in report.missing.counters.items()
    }
    assert set(told) == {(86400, "all")}
    assert told[86400, "all"] == {"failing": -2}


def test_a_run_that_was_stopped_goes_on_where_it_was(project, traces):
    sql("UPDATE rollups SET failing = failing + 2")
    run = actions.begin(project, mend=True, now=NOW)
    first = next(actions.go_on(run, now=NOW))
    again = actions.begin(project, mend=True, now=NOW)
    assert again.next_day == first.day + timedelta(days=1)
    assert [r.day for r in actions.go_on(again, now=NOW)] == [date(2026, 11, 24)]
    assert models.RollupCheck.objects.get().finished_at == NOW
    assert differing(check(project)) == 0


def test_what_sampling_dropped_is_not_repaired_away(project, traces):
    gone = next(t for t in traces[:40] if not t.failing and t.status == "ok" and not t.verdict)
    hour = gone.started_at.replace(minute=0)
    good = gone.outcome in (None, "answered")
    sql(
        "INSERT INTO dropped_hours (project_id, hour, traces, spans, finished, successes, retries,"
        " input_tokens, output_tokens, cost) VALUES (%s, %s, 1, 1, 1, %s, %s, 100, 10, %s)",
        project.pk, hour, int(good), gone.retries, gone.cost,
    )  # fmt: skip
    sql("DELETE FROM traces WHERE trace_id = %s", gone.trace_id)
    before = kept()
    reports = check(project, mend=True)
    assert differing(reports) == 0
    assert [at for report in reports for at in report.sampled] == [hour]
    assert kept() == before
    sql("UPDATE rollups SET retries = retries + 5 WHERE resolution = 3600 AND bucket = %s", hour)
    wrong = [each for report in check(project) for each in report.wrong_sums]
    assert {(each.hour, each.counter) for each in wrong} == {(hour, "retries")}
