"""Compares one day of rollups with the contributions of its traces, series by series.

Runs in one snapshot with the folder locked out, so that what still waits to be merged is known and
nobody else writes the rows. Hours of which traces were dropped or erased cannot be told apart by
series: there only their sums are compared (`rollup.check`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
import psycopg
from django.db import connection, transaction
from psycopg import sql

from tracehub.core import rollup as core
from tracehub.core.steps import KEPT, kept_from
from tracehub.metrics import rollup
from tracehub.traces import store

ONE_DAY = timedelta(days=1)
_DOLLARS = 10**10


class Place(NamedTuple):
    """A row of the rollups: its resolution in seconds, its start since the epoch, its series."""

    resolution: int
    bucket: int
    series: int


class Bin(NamedTuple):
    """A log bucket of a row."""

    place: Place
    measure: int
    position: int  # its index


@dataclass(slots=True)
class Sums:
    """Counters by row, costs in COST_UNIT, and how many values each log bucket holds."""

    counters: dict[Place, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    bins: Counter[Bin] = field(default_factory=Counter)

    def minus(self, other: Sums) -> Sums:
        """Return what is left, without zeros."""
        left = Sums()
        for place in self.counters.keys() | other.counters.keys():
            gap = Counter(self.counters.get(place, {}))
            gap.subtract(other.counters.get(place, {}))
            if found := Counter({name: n for name, n in gap.items() if n}):
                left.counters[place] = found
        bins = Counter(self.bins)
        bins.subtract(other.bins)
        left.bins = Counter({each: n for each, n in bins.items() if n})
        return left


@dataclass(slots=True)
class Report:
    """What was found of a day. `missing` is what the rollups lack (or have too much of)."""

    day: date
    traces: int
    missing: Sums
    names: dict[int, str]  # of the series
    sampled: list[datetime]  # hours of which traces were dropped
    wrong_sums: list[rollup.Mismatch]  # in those hours

    @property
    def differing(self) -> int:
        rows = {each.place for each in self.missing.bins} | self.missing.counters.keys()
        return len(rows)


def compare(project_id: int, day: date, *, now: datetime, mend: bool) -> Report:
    """Compare a day (UTC) of all its resolutions with the traces; with `mend`, correct it."""
    start = datetime.combine(day, time(), UTC)
    with _snapshot() as cursor:
        bounds = {"project": project_id, "start": start, "end": start + ONE_DAY}
        series = _series(cursor, bounds)
        sampled = _sampled(cursor, bounds)
        scope = _Scope(now, {int(hour.timestamp()) for hour in sampled}, series)
        traces, expected = _expected(cursor, bounds, scope)
        missing = expected.minus(_held(cursor, bounds, scope))
        if mend:
            _mend(cursor, project_id, missing, scope, now)
        sums = rollup.check(cursor, project_id, start, start + ONE_DAY) if sampled else []
        wrong = [each for each in sums if each.hour in sampled]
    return Report(day, traces, missing, scope.names, sampled, wrong)


def sums_differ(project_id: int, start: datetime, end: datetime) -> bool:
    """Tell whether the sums of whole hours differ from the traces'. Reads each trace of them."""
    with connection.cursor() as cursor:
        return bool(rollup.check(cursor, project_id, start, end))


@contextmanager
def _snapshot() -> Iterator[Any]:
    """Give a cursor that sees one moment, and keep the folder away meanwhile.

    The lock comes before the snapshot: what was merged while waiting for it is seen. A transaction
    of its own connection holds it, since behind PgBouncer a session is not one connection.
    """
    with psycopg.connect(store.conninfo()) as guard:
        guard.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        guard.execute("SELECT pg_advisory_xact_lock(%s)", [rollup.LOCK])
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            yield cursor


@dataclass(slots=True)
class _Scope:
    """Which rows a count goes to, and the series that turn up on the way."""

    now: datetime
    sampled: set[int]
    targets: dict[int, int]
    names: dict[int, str] = field(default_factory=dict)
    keys: dict[int, core.Key] = field(default_factory=dict)
    oldest: dict[int, float] = field(init=False)

    def __post_init__(self) -> None:
        self.oldest = {each: kept_from(each, self.now).timestamp() for each in KEPT}

    def places(self, minute: int, series: int) -> Iterator[Place]:
        """Yield the rows in which a minute of a series is counted and can be compared."""
        at, target = minute * 60, self.targets.get(series, series)
        for resolution, oldest in self.oldest.items():
            bucket = at - at % resolution
            if bucket >= oldest and not self.blurred(resolution, bucket):
                yield Place(resolution, bucket, target)

    def blurred(self, resolution: int, bucket: int) -> bool:
        if resolution > 3600:
            return bool(self.sampled)
        return bucket - bucket % 3600 in self.sampled

    def seen(self, series: int, key: core.Key) -> None:
        if series not in self.names:
            parts = (key.axis, key.value, key.name, key.environment, key.cohort, key.release)
            self.names[series] = " ".join(part for part in parts if part)
            self.keys[series] = key


def _series(cursor: Any, bounds: dict[str, Any]) -> dict[int, int]:
    cursor.execute("SELECT id, target FROM rollup_series WHERE project_id = %(project)s", bounds)
    return dict(cursor.fetchall())


def _sampled(cursor: Any, bounds: dict[str, Any]) -> list[datetime]:
    cursor.execute(
        "SELECT hour FROM dropped_hours WHERE project_id = %(project)s AND traces > 0"
        " AND hour >= %(start)s AND hour < %(end)s UNION"
        " SELECT hour FROM erased_hours WHERE project_id = %(project)s"
        " AND hour >= %(start)s AND hour < %(end)s ORDER BY hour",
        bounds,
    )
    return [hour for (hour,) in cursor.fetchall()]


# Every trace of the day, by a server-side cursor: as long as a scan of its partitions.
_TRACES = """
SELECT contribution::text FROM traces WHERE project_id = %(project)s AND day >= %(first_day)s
  AND started_at >= %(start)s AND started_at < %(end)s
"""
_DELTAS = sql.SQL("""
SELECT extract(epoch FROM minute)::bigint / 60, series, measures, indexes, counts, {counters}
FROM rollup_deltas
WHERE project_id = %(project)s AND minute >= %(start)s AND minute < %(end)s
""").format(counters=rollup.COUNTER_NAMES)
_ROLLUPS = sql.SQL("""
SELECT resolution, extract(epoch FROM bucket)::bigint, series, {counters} FROM rollups
WHERE project_id = %(project)s AND bucket >= %(start)s AND bucket < %(end)s
""").format(counters=rollup.COUNTER_NAMES)
_HISTOGRAMS = """
SELECT resolution, extract(epoch FROM bucket)::bigint, series, measure, index, count
FROM rollup_histograms
WHERE project_id = %(project)s AND bucket >= %(start)s AND bucket < %(end)s
"""


def _expected(cursor: Any, bounds: dict[str, Any], scope: _Scope) -> tuple[int, Sums]:
    """Return how many traces the day has, and what they add up to."""
    sums, traces = Sums(), 0
    series_id = lru_cache(maxsize=10_000)(core.series_id)
    given = {**bounds, "first_day": (bounds["start"] - ONE_DAY).date()}
    with connection.chunked_cursor() as rows:
        rows.execute(_TRACES, given)
        for (text,) in rows:
            traces += 1
            kept = orjson.loads(text)
            for key, counters in core.rows(bounds["project"], kept):
                series = series_id(key._replace(minute=0))
                scope.seen(series, key)
                buckets = () if key.axis == "tool" else kept["buckets"]
                for place in scope.places(key.minute, series):
                    sums.counters[place].update(counters)
                    sums.bins.update(Bin(place, measure, index) for measure, index in buckets)
    return traces, sums


def _held(cursor: Any, bounds: dict[str, Any], scope: _Scope) -> Sums:
    """Return what the rollups hold of the day, with what waits to be merged."""
    sums = Sums()
    cursor.execute(_ROLLUPS, bounds)
    for resolution, bucket, series, *values in cursor.fetchall():
        if bucket >= scope.oldest[resolution] and not scope.blurred(resolution, bucket):
            sums.counters[Place(resolution, bucket, series)].update(_whole(values))
    cursor.execute(_HISTOGRAMS, bounds)
    for resolution, bucket, series, measure, index, count in cursor.fetchall():
        if bucket >= scope.oldest[resolution] and not scope.blurred(resolution, bucket):
            sums.bins[Bin(Place(resolution, bucket, series), measure, index)] += count
    cursor.execute(_DELTAS, bounds)
    for minute, series, measures, indexes, counts, *values in cursor.fetchall():
        for place in scope.places(minute, series):
            sums.counters[place].update(_whole(values))
            for measure, index, count in zip(measures, indexes, counts, strict=True):
                sums.bins[Bin(place, measure, index)] += count
    return sums


def _whole(values: list[Any]) -> dict[str, int]:
    """Return counters by name, costs as whole numbers of COST_UNIT."""
    named = zip(core.COUNTERS, values, strict=True)
    return {n: int(v * _DOLLARS) if n in core.MONEY else int(v) for n, v in named if v}


_ADD = sql.SQL("""
INSERT INTO rollups (project_id, resolution, bucket, series, {counters})
VALUES (%s, %s, to_timestamp(%s), %s, {places})
ON CONFLICT (project_id, resolution, bucket, series) DO UPDATE SET {added}
""").format(
    counters=rollup.COUNTER_NAMES,
    places=sql.SQL(", ").join(sql.Placeholder() for _ in core.COUNTERS),
    added=rollup.ADDED,
)
_ADD_BIN = """
INSERT INTO rollup_histograms (project_id, resolution, bucket, series, measure, index, count)
VALUES (%s, %s, to_timestamp(%s), %s, %s, %s, %s)
ON CONFLICT (project_id, resolution, measure, bucket, series, index)
DO UPDATE SET count = rollup_histograms.count + excluded.count
"""
_ADD_SERIES = """
INSERT INTO rollup_series
    (project_id, id, axis, value, name, environment, cohort, release, target, created_on)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""


def _mend(cursor: Any, project_id: int, missing: Sums, scope: _Scope, now: datetime) -> None:
    """Add what is missing, in the order of the keys, with the series that were forgotten."""
    lost = {place.series for place in missing.counters} - scope.targets.keys()
    for series in sorted(lost & scope.keys.keys()):
        row = (project_id, series, *scope.keys[series][2:], series, now.date())
        cursor.execute(_ADD_SERIES, row)
    rows = []
    for place in sorted(missing.counters):
        counts = missing.counters[place]
        values = [
            Decimal(counts[n]) / _DOLLARS if n in core.MONEY else counts[n] for n in core.COUNTERS
        ]
        rows.append((project_id, *place, *values))
    cursor.executemany(_ADD, rows)
    bins = [
        (project_id, *b.place, b.measure, b.position, missing.bins[b]) for b in sorted(missing.bins)
    ]
    cursor.executemany(_ADD_BIN, bins)
