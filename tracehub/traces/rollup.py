"""Hourly counts per term, kept by difference: what facets, totals and read plans go by.

The worker changes them in the transaction that writes the trace rows, in one statement of sorted
rows, so they are exact at every moment and two workers cannot lock each other out for good. They
carry the partition day of the traces, so that they go with it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection
from django.utils import timezone

from tracehub.core.query.terms import ALL, FINE, Pair, Row, counted

HOUR = timedelta(hours=1)
FINE_STEP = timedelta(minutes=5)
NOW = timedelta(seconds=10)  # a page that began so long ago still ends now
# Sorted, so that two workers that change the same rows wait for each other and never in a circle.
# 4 us a row; a batch of 200 traces of one hour changes about 60 rows.
CHANGE = """
    INSERT INTO term_counts AS kept (project_id, key, bucket, value, day, traces, failing)
    SELECT p, k, to_timestamp(b), v, d, t, f
    FROM unnest(%s::int8[], %s::text[], %s::int8[], %s::text[], %s::date[],
        %s::int8[], %s::int8[]) AS sent (p, k, b, v, d, t, f) ORDER BY p, k, b, v, d
    ON CONFLICT (project_id, key, bucket, value, day) DO UPDATE
    SET traces = kept.traces + excluded.traces, failing = kept.failing + excluded.failing
"""
# A value that no trace has any more may be one that had to go.
FORGET = """
    DELETE FROM term_counts AS kept
    USING unnest(%s::int8[], %s::text[], %s::int8[], %s::text[], %s::date[]) AS sent (p, k, b, v, d)
    WHERE kept.project_id = p AND kept.key = k AND kept.bucket = to_timestamp(b) AND kept.value = v
        AND kept.day = d AND kept.traces = 0 AND kept.failing = 0
"""
# By the primary key: 720 hours of a key with ten values take 3 ms.
BY_HOUR = """
    SELECT key, value, bucket, sum(traces)::int8 FROM term_counts
    WHERE project_id = %s AND key = ANY(%s) AND bucket >= %s AND bucket < %s AND value = ANY(%s)
    GROUP BY 1, 2, 3
"""
HOURS = """
    SELECT bucket, sum(traces)::int8, array_agg(day) FROM term_counts
    WHERE project_id = %s AND key = %s AND bucket >= %s AND bucket < %s
    GROUP BY 1 HAVING sum(traces) > 0 ORDER BY 1 DESC LIMIT %s
"""
SUM = """
    SELECT coalesce(sum(traces), 0)::int8 FROM term_counts
    WHERE project_id = %s AND key = %s AND bucket >= %s AND bucket < %s
"""
TOTALS = """
    SELECT key, value, sum(traces)::int8, sum(failing)::int8 FROM term_counts
    WHERE project_id = %s AND key = ANY(%s) AND bucket >= %s AND bucket < %s
    GROUP BY 1, 2 HAVING sum(traces) > 0
"""
FIRST = """
    SELECT bucket, sum(traces)::int8, array_agg(day) FROM term_counts
    WHERE project_id = %s AND key = %s AND value = %s
    GROUP BY 1 HAVING sum(traces) > 0 ORDER BY 1 LIMIT 1
"""
SERIES = """
    SELECT bucket, sum(traces)::int8, sum(failing)::int8 FROM term_counts
    WHERE project_id = %s AND key = %s AND value = %s AND bucket >= %s AND bucket < %s
    GROUP BY 1
"""


WAITING = "SELECT count(*) FROM arrivals WHERE dirty_seq IS NOT NULL"
OLDEST = "SELECT dirty_at FROM arrivals WHERE dirty_seq IS NOT NULL ORDER BY dirty_seq LIMIT 1"


class Change(NamedTuple):
    """A trace row before and after; None where there is none."""

    old: Row | None
    new: Row | None


class Hour(NamedTuple):
    """Traces that started in the hour from `start`, and the partitions that hold them."""

    start: datetime
    traces: int
    days: frozenset[date]


def change(cursor: Any, changes: Iterable[Change]) -> None:
    """Count the changed rows; call it in their transaction, once, as its last write but one."""
    traces: Counter[tuple[Any, ...]] = Counter()
    failing: Counter[tuple[Any, ...]] = Counter()
    for old, new in changes:
        for row, sign in ((old, -1), (new, 1)):
            if row is not None:
                for place in _places(row):
                    traces[place] += sign
                    failing[place] += sign * bool(row["failing"])
    places = [place for place in traces if traces[place] or failing[place]]
    if places:
        columns = [list(column) for column in zip(*places, strict=True)]
        counts = [[kept[place] for place in places] for kept in (traces, failing)]
        cursor.execute(CHANGE, [*columns, *counts])
    fewer = [place for place in places if traces[place] < 0]
    if fewer:
        cursor.execute(FORGET, [list(column) for column in zip(*fewer, strict=True)])


def _places(row: Row) -> Iterable[tuple[Any, ...]]:
    """Yield the rows in which a trace counts: project, key, bucket in epoch seconds, value, day."""
    at = math.floor(row["started_at"].timestamp())
    hour = at - at % 3600
    project_id, day = row["project_id"], row["day"]
    yield project_id, ALL, hour, "", day
    yield project_id, FINE, at - at % 300, "", day
    for key, value in counted(row):
        yield project_id, key, hour, value, day


def hours(project_id: int, start: datetime, end: datetime, newest: int | None = None) -> list[Hour]:
    """Return the hours that touch [start, end) and hold traces, newest first; all, or some."""
    with connection.cursor() as cursor:
        cursor.execute(HOURS, [project_id, ALL, floor(start), end, newest])
        return [Hour(at, count, frozenset(days)) for at, count, days in cursor.fetchall()]


def first_hour(project_id: int, pair: Pair) -> Hour | None:
    """Return the first hour that holds traces with a pair, of all that is kept."""
    with connection.cursor() as cursor:
        cursor.execute(FIRST, [project_id, *pair])
        found = cursor.fetchone()
    return Hour(found[0], found[1], frozenset(found[2])) if found else None


def total(project_id: int, start: datetime, end: datetime) -> int:
    """Return how many traces the hours hold that touch [start, end)."""
    with connection.cursor() as cursor:
        cursor.execute(SUM, [project_id, ALL, floor(start), end])
        return int(cursor.fetchone()[0])


def by_hour(
    project_id: int, start: datetime, end: datetime, pairs: Collection[Pair]
) -> dict[Pair, dict[datetime, int]]:
    """Return how many traces have each pair, by the hours that touch [start, end)."""
    found: dict[Pair, dict[datetime, int]] = {pair: {} for pair in pairs}
    keys, values = (sorted({pair[i] for pair in pairs}) for i in (0, 1))
    with connection.cursor() as cursor:
        cursor.execute(BY_HOUR, [project_id, keys, floor(start), end, values])
        for key, value, hour, count in cursor.fetchall():
            if (key, value) in found:
                found[key, value][hour] = count
    return found


def totals(
    project_id: int, keys: Sequence[str], start: datetime, end: datetime
) -> dict[Pair, tuple[int, int]]:
    """Return (traces, failing) of every pair of these keys over whole hours."""
    with connection.cursor() as cursor:
        cursor.execute(TOTALS, [project_id, list(keys), start, end])
        return {(key, value): (count, failing) for key, value, count, failing in cursor.fetchall()}


def series(
    project_id: int, pair: Pair, start: datetime, end: datetime
) -> Mapping[datetime, tuple[int, int]]:
    """Return (traces, failing) of a pair by bucket, for buckets that begin in [start, end)."""
    with connection.cursor() as cursor:
        cursor.execute(SERIES, [project_id, *pair, start, end])
        return {at: (count, failing) for at, count, failing in cursor.fetchall()}


def behind(now: datetime) -> timedelta:
    """Return how long the worker has had the oldest trace that it has not looked at. One probe."""
    with connection.cursor() as cursor:
        cursor.execute(OLDEST)
        row = cursor.fetchone()
    return max(timedelta(0), now - row[0]) if row else timedelta(0)


def waiting() -> int:
    """Return how many traces the worker has not looked at since they were last touched."""
    with connection.cursor() as cursor:
        cursor.execute(WAITING)
        return int(cursor.fetchone()[0])


def whole(start: datetime, end: datetime, step: timedelta = HOUR) -> tuple[datetime, datetime]:
    """Return where the buckets that lie within [start, end) begin and end.

    The bucket that now lies in is one of them when the range ends now: nothing started later.
    """
    lasting = timedelta(0) <= timezone.now() - end < NOW
    return ceiling(start, step), ceiling(end, step) if lasting else floor(end, step)


def floor(at: datetime, step: timedelta = HOUR) -> datetime:
    """Return the beginning of the bucket that holds a moment."""
    midnight = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (at - midnight) // step * step


def ceiling(at: datetime, step: timedelta = HOUR) -> datetime:
    """Return the first beginning of a bucket that is not before a moment."""
    begun = floor(at, step)
    return begun if begun == at else begun + step
