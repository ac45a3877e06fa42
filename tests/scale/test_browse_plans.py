"""The statements of the Traces page go by their indexes; plans show it without size."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection

from tests.trace_rows import trace_row
from tracehub.core.query import parse
from tracehub.projects.models import Project
from tracehub.traces import partitions
from tracehub.traces.extent import Extent, Range
from tracehub.traces.models import Trace
from tracehub.traces.querysets import Sort

pytestmark = pytest.mark.django_db


@pytest.fixture
def within() -> Range:
    project = Project.objects.create(slug="skylane", name="Skylane")
    for n in range(30):
        trace_row(project, ago=timedelta(minutes=n), user_id=f"u{n}")
    now = datetime.now(UTC)
    with connection.cursor() as cursor:  # a table this small is scanned and sorted otherwise
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
    return Range(project, now - timedelta(days=1), now)


def plan(rows) -> str:
    return rows.explain(costs=False)


def rows_of(within: Range):
    rows = Trace.objects.in_project(within.project).in_range(within.start, within.end)
    return rows.in_partitions(Extent(within, parse("")).days)


def test_a_rare_filter_goes_by_the_terms(within):
    extent = Extent(within, parse("user:u7 model:gpt-4o"))
    terms = extent.terms(within.start, within.end)
    rows = Trace.objects.all().having(terms).in_order(Sort.of("-started_at"), gathered=True)
    shown = plan(rows[:51])
    assert "Bitmap Index Scan" in shown
    assert "Index Cond: (terms && " in shown
    assert [row.user_id for row in rows] == ["u7"]


def test_the_counts_name_the_partitions_that_are_read(within):
    assert len(Extent(within, parse("")).days) == 1
    assert plan(rows_of(within)).count("Scan") == 1


def test_the_newest_traces_go_by_the_index_on_time(within):
    shown = plan(rows_of(within).in_order(Sort.of("-started_at"))[:51])
    assert "traces_by_time" in shown or "started_at_trace_id" in shown
    assert "Sort" not in shown


@pytest.mark.parametrize("sort", ["-latency", "-cost", "-tokens"])
def test_an_order_by_value_walks_its_index(within, sort):
    shown = plan(rows_of(within).in_order(Sort.of(sort))[:51])
    assert "Index Scan" in shown
    assert "Sort Key" not in shown or "Merge Append" in shown


def test_retention_takes_counts_and_texts_with_the_partition(within):
    day = date(2020, 1, 5)
    with connection.cursor() as cursor:
        cursor.execute("SELECT tracehub_ensure_partitions(%s, %s)", [day, day])
    trace_row(within.project, day=day, started_at=datetime(2020, 1, 5, 12, tzinfo=UTC))
    old = Range(within.project, datetime(2020, 1, 5, tzinfo=UTC), datetime(2020, 1, 6, tzinfo=UTC))
    assert Extent(old, parse("")).total == 1
    dropped = partitions.drop_before(date(2020, 2, 1))
    assert {"traces_20200105", "texts_20200105"} <= set(dropped)
    assert Extent(old, parse("")).total == 0
    assert Extent(within, parse("")).total == 30
