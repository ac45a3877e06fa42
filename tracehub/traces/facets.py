"""Counts beside a list of traces: per value of a key, and over time. Hand-written SQL.

Values are parameters; names of columns come from the tables here and in `filter_sql`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection

from tracehub.core.query import Filter
from tracehub.core.query.tree import Node
from tracehub.traces.extent import Range as Range
from tracehub.traces.filter_sql import COLUMNS, like, where

# The facets of the Traces page, in its order.
KEYS = ("verdict", "signal", "prompt", "model", "env", "cohort", "mode", "tag")
MAX_VALUES = 50  # of one key
MAX_BINS = 100
_STEPS = (
    timedelta(seconds=5),
    timedelta(seconds=15),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(minutes=30),
    timedelta(hours=1),
    timedelta(hours=2),
    timedelta(hours=4),
    timedelta(hours=8),
    timedelta(days=1),
    timedelta(days=7),
    timedelta(days=30),
)
_ORIGIN = datetime(2000, 1, 3, tzinfo=UTC)  # a Monday, so that weeks begin on one


class Bin(NamedTuple):
    start: datetime
    traces: int
    failing: int


@dataclass(frozen=True, slots=True)
class Histogram:
    """Traces over time, empty bins included. `matching` counts what the whole filter lets through.

    The bins ignore `is:`, so that failing ones can be seen against all of them.
    """

    step: timedelta
    bins: list[Bin]
    matching: int

    @property
    def traces(self) -> int:
        return sum(b.traces for b in self.bins)

    @property
    def failing(self) -> int:
        return sum(b.failing for b in self.bins)

    @property
    def rate(self) -> float:
        return self.failing / self.traces if self.traces else 0.0


def expected(within: Range) -> int:
    """Return about how many traces the range holds, as the planner sees it: 1 ms, no scan."""
    condition, params = within.where(Filter())
    with connection.cursor() as cursor:
        cursor.execute(
            f"EXPLAIN (FORMAT JSON) SELECT FROM traces WHERE {condition}",
            params,
        )
        found = cursor.fetchone()
    return int(found[0][0]["Plan"]["Plan Rows"]) if found else 0


def counts(
    within: Range, wanted: Filter, keys: Iterable[str] = KEYS
) -> dict[str, list[tuple[str, int]]]:
    """Return the commonest values of each key with their counts; each ignores its own filter.

    One statement: a materialised scan of the range for the whole filter, one more for each key
    that the filter names, then an aggregate per key. A trace without verdict counts as `none`.
    """
    keys = list(keys)
    scans: dict[str, tuple[str, list[str]]] = {}  # text of a filter -> name of its scan, its keys
    params: list[Any] = []
    heads, tails = [], []
    for key in keys:
        text = str(wanted.ignoring(key))
        scans.setdefault(text, (f"scan{len(scans)}", []))[1].append(key)
    for name, served in scans.values():
        condition, more = within.where(wanted.ignoring(served[0]))
        columns = ", ".join(sorted({f"traces.{COLUMNS[key].name}" for key in served}))
        heads.append(
            f"{name} AS MATERIALIZED (SELECT {columns} FROM traces WHERE {condition})"  # noqa: S608 names of ours
        )
        params += more
        tails += [_aggregate(key, name) for key in served]
    statement = f"WITH {', '.join(heads)} {' UNION ALL '.join(tails)}"
    found: dict[str, list[tuple[str, int]]] = {key: [] for key in keys}
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        for key, value, count in cursor.fetchall():
            found[key].append((value, count))
    return found


def _aggregate(key: str, scan: str) -> str:
    column = COLUMNS[key]
    if column.many:
        source, value = f"{scan}, unnest({scan}.{column.name}) AS item", "item"
    elif key == "verdict":
        source, value = scan, f"COALESCE({scan}.{column.name}, 'none')"
    else:
        source, value = scan, f"{scan}.{column.name}"
    return (
        f"(SELECT '{key}' AS key, {value} AS value, count(*) AS n FROM {source}"  # noqa: S608 names of ours
        f" WHERE {value} IS NOT NULL GROUP BY 2 ORDER BY n DESC, value LIMIT {MAX_VALUES})"
    )


def values(
    within: Range, wanted: Filter, key: str, begun: str, limit: int
) -> list[tuple[str, int]]:
    """Return values of `key` that hold the text `begun`, commonest first, with their counts."""
    column = COLUMNS[key]
    condition, params = within.where(wanted.ignoring(key))
    source, value = "traces", f"traces.{column.name}"
    if column.many:
        source, value = f"traces, unnest(traces.{column.name}) AS item", "item"
    statement = (
        f"SELECT {value}, count(*) FROM {source} WHERE {condition} AND {value} ILIKE %s"  # noqa: S608 names of ours
        f" GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [*params, like(("", begun, "")), limit])
        return [(str(found), int(count)) for found, count in cursor.fetchall()]


def histogram(within: Range, wanted: Filter) -> Histogram:
    """Return at most MAX_BINS bins over the range, on whole steps of the clock. One scan."""
    step = step_of(within.end - within.start)
    base = wanted.ignoring("is")
    condition, params = within.where(base)
    state, state_params = where(
        Filter.of(tuple(part for part in wanted.parts if part not in base.parts))
    )
    statement = f"""
        SELECT date_bin(%s, traces.started_at, %s), count(*),
               count(*) FILTER (WHERE traces.failing), count(*) FILTER (WHERE {state})
        FROM traces WHERE {condition} GROUP BY 1"""  # noqa: S608 names of ours
    given: list[Any] = [step, _ORIGIN, *state_params, *params]
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        rows = {row[0]: row[1:] for row in cursor.fetchall()}
    bins = []
    at = _ORIGIN + (within.start - _ORIGIN) // step * step
    while at < within.end:
        traces, failing, _ = rows.get(at, (0, 0, 0))
        bins.append(Bin(at, traces, failing))
        at += step
    return Histogram(step, bins, sum(row[2] for row in rows.values()))


def step_of(width: timedelta) -> timedelta:
    """Return the shortest step with at most MAX_BINS bins over `width`."""
    return next((step for step in _STEPS if width / step < MAX_BINS), max(_STEPS[-1], width / 90))


def without_each(within: Range, wanted: Filter) -> list[tuple[Node, int]]:
    """Return each part of a filter with how many traces match all the others. One scan."""
    conditions = [where(wanted.without(part)) for part in wanted.parts]
    condition, params = within.where(Filter())
    columns = ", ".join(f"count(*) FILTER (WHERE {relaxed})" for relaxed, _ in conditions)
    given = [param for _, more in conditions for param in more] + params
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {columns} FROM traces WHERE {condition}",  # noqa: S608 names of ours
            given,
        )
        return list(zip(wanted.parts, cursor.fetchone() or (), strict=True))
