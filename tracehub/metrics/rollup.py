"""The rollups: signed deltas in, sums by minute, hour and day out.

Workers append deltas in the transaction that stores a trace; one folder merges them. So no two
transactions ever want the same row, and what is not folded yet is added when reading: the charts
are exact at every moment. Needs a cursor of psycopg 3 (Django's `connection.cursor()` is one).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from psycopg import sql

from tracehub.core import rollup as core
from tracehub.core.steps import DAY, HOUR, KEPT, MINUTE, kept_from
from tracehub.core.trace import Json
from tracehub.projects.models import Project
from tracehub.traces.sampling import store as sampling

SERIES_A_DAY = 2000  # new series of one project and axis; what comes after is summed as `other`
FOLD_ROWS = 20_000  # deltas merged in one transaction
LOCK = 7427  # advisory lock of the folder
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_CENT_OF_NANO = Decimal("1e-10")

Change = tuple[int, Mapping[str, Json] | None, Mapping[str, Json] | None]


def _columns(template: str) -> sql.Composed:
    """Write the template once for each counter, with its column in place of {c}."""
    text = sql.SQL(template)
    return sql.SQL(", ").join(text.format(c=sql.Identifier(name)) for name in core.COUNTERS)


COUNTER_NAMES = _columns("{c}")
ADDED = _columns("{c} = rollups.{c} + excluded.{c}")
_TYPES = {name: sql.SQL("numeric" if name in core.MONEY else "bigint") for name in core.COUNTERS}
_SUMS = sql.SQL(", ").join(
    sql.SQL("sum({c})::{t}").format(c=sql.Identifier(name), t=_TYPES[name])
    for name in core.COUNTERS
)
_COPY = sql.SQL(
    "COPY rollup_deltas (project_id, minute, series, axis, value, name, environment, cohort,"
    " release, measures, indexes, counts, {counters}) FROM STDIN"
).format(counters=COUNTER_NAMES)


def append(cursor: Any, changes: Iterable[Change]) -> int:
    """Write what the changed traces add to the charts; call it where their rows are stored.

    `changes` holds (project_id, old contribution, new contribution). Returns the number of rows
    written: a few for a batch of like traces, none when nothing changed. One COPY, no lock.
    """
    merged = core.deltas(changes)
    if not merged:
        return 0
    with cursor.copy(_COPY) as copy:
        for key, delta in merged.items():
            copy.write_row(_delta_row(key, delta))
    return len(merged)


def _delta_row(key: core.Key, delta: core.Delta) -> list[Any]:
    buckets = [(measure, index, n) for (measure, index), n in delta.buckets.items() if n]
    counters: list[Any] = [delta.counters.get(name, 0) for name in core.COUNTERS]
    for position in _MONEY_AT:
        counters[position] *= _CENT_OF_NANO
    return [
        key.project_id,
        datetime.fromtimestamp(key.minute * 60, UTC),
        core.series_id(key),
        *key[2:],
        # As array literals: numbers and names of measures need no quotes, and COPY takes text.
        *(f"{{{','.join(str(bucket[i]) for bucket in buckets)}}}" for i in range(3)),
        *counters,
    ]


_MONEY_AT = [core.COUNTERS.index(name) for name in core.MONEY]

# The series of unknown deltas. A scan of the deltas against the key of rollup_series; `other`
# rows have the place of their axis, negative, as id and are made with the first that needs them.
_NEW_SERIES = """
WITH fresh AS (
    SELECT DISTINCT ON (d.project_id, d.series)
        d.project_id, d.series, d.axis, d.value, d.name, d.environment, d.cohort, d.release
    FROM rollup_deltas d
    LEFT JOIN rollup_series s ON s.project_id = d.project_id AND s.id = d.series
    WHERE s.id IS NULL
    ORDER BY d.project_id, d.series
), placed AS (
    SELECT f.*,
        -array_position(%(axes)s::text[], axis) AS other,
        row_number() OVER (PARTITION BY f.project_id, f.axis ORDER BY f.series)
        + (SELECT count(*) FROM rollup_series s
           WHERE s.project_id = f.project_id AND s.axis = f.axis AND s.created_on = %(today)s)
        AS place
    FROM fresh f
), made AS (
    SELECT project_id, series AS id, axis, value, name, environment, cohort, release,
        CASE WHEN place > %(limit)s THEN other ELSE series END AS target
    FROM placed
    UNION ALL
    SELECT DISTINCT project_id, other, axis, 'other', 'other', 'other', 'other', 'other', other
    FROM placed WHERE place > %(limit)s
)
INSERT INTO rollup_series
    (project_id, id, axis, value, name, environment, cohort, release, target, created_on)
SELECT made.*, %(today)s FROM made ORDER BY project_id, id
ON CONFLICT DO NOTHING
"""

# One statement moves a batch: nobody sees a delta both merged and waiting. Deltas whose series
# came after the statement above stay for the next round.
_MERGE = sql.SQL("""
WITH gone AS (
    DELETE FROM rollup_deltas d USING rollup_series s
    WHERE d.id IN (SELECT id FROM rollup_deltas ORDER BY id LIMIT %(rows)s)
      AND s.project_id = d.project_id AND s.id = d.series
    RETURNING s.target, d.*
), spread AS (
    SELECT r.resolution, date_bin(make_interval(secs => r.resolution), minute, %(epoch)s) AS bucket,
        gone.*
    FROM gone JOIN (VALUES (60, %(minutes_from)s), (3600, %(hours_from)s), (86400, %(days_from)s))
        AS r (resolution, kept_from) ON gone.minute >= r.kept_from
), counted AS (
    INSERT INTO rollups (project_id, resolution, bucket, series, {counters})
    SELECT project_id, resolution, bucket, target, {sums}
    FROM spread GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 4, 3
    ON CONFLICT (project_id, resolution, bucket, series) DO UPDATE SET {added}
), measured AS (
    INSERT INTO rollup_histograms (project_id, resolution, measure, bucket, series, index, count)
    SELECT project_id, resolution, b.measure, bucket, target, b.index, sum(b.count)::bigint
    FROM spread, unnest(measures, indexes, counts) AS b (measure, index, count)
    GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(b.count) <> 0 ORDER BY 1, 2, 5, 3, 4, 6
    ON CONFLICT (project_id, resolution, measure, bucket, series, index)
    DO UPDATE SET count = rollup_histograms.count + excluded.count
)
SELECT count(*) FROM gone
""").format(counters=COUNTER_NAMES, sums=_SUMS, added=ADDED)


def fold(cursor: Any, *, now: datetime | None = None, rows: int = FOLD_ROWS) -> int:
    """Merge waiting deltas into the rollups; returns how many. 0 also when another folder is at it.

    Needs a transaction. Rows are merged in key order. Buckets older than what is kept of a
    resolution are skipped, or a late subtraction would leave a negative one behind.
    """
    cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
    if not cursor.fetchone()[0]:
        return 0
    now = now or datetime.now(UTC)
    known = {"axes": list(core.AXES), "today": now.date(), "limit": SERIES_A_DAY}
    cursor.execute(_NEW_SERIES, known)
    bounds = {
        "minutes_from": kept_from(MINUTE, now),
        "hours_from": kept_from(HOUR, now),
        "days_from": kept_from(DAY, now),
    }
    cursor.execute(_MERGE, {"rows": rows, "epoch": _EPOCH, **bounds})
    return int(cursor.fetchone()[0])


def fold_all(*, most: int = 50) -> int:
    """Fold until nothing waits, one transaction a batch; returns the number of deltas merged."""
    done = 0
    for _ in range(most):
        with transaction.atomic(), connection.cursor() as cursor:
            merged = fold(cursor)
        done += merged
        if merged < FOLD_ROWS:
            break
    return done


def prune(*, now: datetime | None = None) -> int:
    """Delete the buckets that are past their time; returns how many rows went."""
    now, gone = now or datetime.now(UTC), 0
    with connection.cursor() as cursor:
        sampling.forget(cursor, kept_from(HOUR, now))
    for project_id in Project.objects.values_list("pk", flat=True):
        with transaction.atomic(), connection.cursor() as cursor:
            for resolution in KEPT:
                bounds = (project_id, resolution, kept_from(resolution, now))
                for statement in _PRUNE:
                    cursor.execute(statement, bounds)
                    gone += cursor.rowcount
    return gone


# By a scan of the project's buckets of one resolution: the keys have the series before the time.
_PRUNE = (
    "DELETE FROM rollups WHERE project_id = %s AND resolution = %s AND bucket < %s",
    "DELETE FROM rollup_histograms WHERE project_id = %s AND resolution = %s AND bucket < %s",
)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A counter of one hour that the rollups and the trace rows do not agree on."""

    hour: datetime
    counter: str
    rollup: Decimal | int
    raw: Decimal | int


# What the trace rows say by themselves, without their stored contributions.
_RAW = {
    "requests": "count(*)",
    "finished": "count(*) FILTER (WHERE finished)",
    "failing": "count(*) FILTER (WHERE failing)",
    "successes": "count(*) FILTER (WHERE finished AND NOT failing"
    " AND coalesce(outcome, 'answered') IN ('answered', 'clarified'))",
    "errors": "count(*) FILTER (WHERE status = 'error')",
    "retries": "coalesce(sum(retries), 0)",
    "fallbacks": "coalesce(sum(fallbacks), 0)",
    "timeouts": "coalesce(sum(timeouts), 0)",
    "input_tokens": "coalesce(sum(input_tokens), 0)",
    "output_tokens": "coalesce(sum(output_tokens), 0)",
    "cost": "coalesce(sum(cost), 0)",
    "review_fail": "count(*) FILTER (WHERE verdict = 'fail')",
}
# What sampling has deleted has none of the others: it keeps failing, wrong and reviewed traces.
_DROPPED = {"requests": "traces", "failing": "0", "errors": "0", "review_fail": "0"}
_ERASED = {"requests": "traces"}
_CHECK = sql.SQL("""
WITH raw AS (
    SELECT hour, {sums} FROM (
        SELECT date_trunc('hour', started_at, 'UTC') AS hour, {raw}
        FROM traces
        WHERE project_id = %(project)s AND started_at >= %(start)s AND started_at < %(end)s
          AND day >= %(first_day)s
        GROUP BY 1
        UNION ALL
        SELECT hour, {dropped} FROM dropped_hours
        WHERE project_id = %(project)s AND hour >= %(start)s AND hour < %(end)s AND traces > 0
        UNION ALL
        SELECT hour, {erased} FROM erased_hours
        WHERE project_id = %(project)s AND hour >= %(start)s AND hour < %(end)s
    ) AS stored_or_not GROUP BY 1
), rolled AS (
    SELECT hour, {sums} FROM (
        SELECT bucket AS hour, {names} FROM rollups
        WHERE project_id = %(project)s AND resolution = 3600
          AND bucket >= %(start)s AND bucket < %(end)s
          AND series IN (SELECT id FROM rollup_series
                         WHERE project_id = %(project)s AND axis = '')
        UNION ALL
        SELECT date_trunc('hour', minute, 'UTC'), {names} FROM rollup_deltas
        WHERE project_id = %(project)s AND axis = ''
          AND minute >= %(start)s AND minute < %(end)s
    ) AS both_parts GROUP BY 1
)
SELECT hour, {pairs} FROM raw FULL JOIN rolled USING (hour) ORDER BY hour
""").format(
    raw=sql.SQL(", ").join(
        sql.SQL("{} AS {}").format(sql.SQL(text), sql.Identifier(name))
        for name, text in _RAW.items()
    ),
    dropped=sql.SQL(", ").join(
        sql.SQL("{} AS {}").format(sql.SQL(_DROPPED.get(name, name)), sql.Identifier(name))
        for name in _RAW
    ),
    erased=sql.SQL(", ").join(
        sql.SQL("{} AS {}").format(sql.SQL(_ERASED.get(name, name)), sql.Identifier(name))
        for name in _RAW
    ),
    names=sql.SQL(", ").join(map(sql.Identifier, _RAW)),
    sums=sql.SQL(", ").join(
        sql.SQL("sum({c}) AS {c}").format(c=sql.Identifier(name)) for name in _RAW
    ),
    pairs=sql.SQL(", ").join(
        sql.SQL("coalesce(rolled.{c}, 0), coalesce(raw.{c}, 0)").format(c=sql.Identifier(name))
        for name in _RAW
    ),
)


def check(cursor: Any, project_id: int, start: datetime, end: datetime) -> list[Mismatch]:
    """Compare the rollups of [start, end), whole hours, with the trace rows; [] means they agree.

    What sampling dropped of the range, and what was erased, counts as its hourly sums say.

    Reads every trace row of the range: for operators and tests, not for pages.
    """
    bounds = {
        "project": project_id,
        "start": start,
        "end": end,
        "first_day": (start - timedelta(days=1)).date(),
    }
    cursor.execute(_CHECK, bounds)
    found = []
    for hour, *values in cursor.fetchall():
        for name, rolled, raw in zip(_RAW, values[::2], values[1::2], strict=True):
            if rolled != raw:
                found.append(Mismatch(hour, name, rolled, raw))
    return found
