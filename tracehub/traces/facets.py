"""Counts beside a list of traces: per value of a key, and over time. Hand-written SQL.

Values are parameters; names of columns come from the tables here and in `filter_sql`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection

from tracehub.core import narrowing
from tracehub.core.query import Filter
from tracehub.core.query.terms import ALL, COUNTED, FINE, Pair, Row, counted, is_counted, required
from tracehub.core.query.tree import Node
from tracehub.traces import rollup
from tracehub.traces.extent import Extent
from tracehub.traces.extent import Range as Range
from tracehub.traces.filter_sql import COLUMNS, like, where
from tracehub.traces.querysets import AT

# The facets of the Traces page, in its order.
KEYS = ("verdict", "signal", "prompt", "model", "env", "cohort", "mode", "tag")
NARROWING = ("signal", "prompt", "model", "env", "cohort", "mode", "tag")
MAX_VALUES = 50  # of one key
MAX_BINS = 100
BUDGET = 20_000  # rows that one count reads; 60 ms, and a sample of so many is 1 % off
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
_OUTCOMES = frozenset({"is:failing", "-is:failing", "is:passing", "-is:passing"})


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
    estimated: bool = False

    @property
    def traces(self) -> int:
        return sum(b.traces for b in self.bins)

    @property
    def failing(self) -> int:
        return sum(b.failing for b in self.bins)

    @property
    def rate(self) -> float:
        return self.failing / self.traces if self.traces else 0.0


@dataclass(frozen=True, slots=True)
class Counts:
    """The commonest values of each key; those of the `estimated` ones come from a sample."""

    values: dict[str, list[tuple[str, int]]]
    estimated: frozenset[str] = frozenset()

    def __getitem__(self, key: str) -> list[tuple[str, int]]:
        return self.values[key]


class Source(NamedTuple):
    """What to count: a FROM clause and its condition, and what a row found stands for."""

    table: str
    condition: str
    params: list[Any]
    factor: float = 1.0

    def times(self, count: int) -> int:
        return round(count * self.factor)


def source(within: Range, wanted: Filter) -> Source:
    """Return the traces of a range that match; a sample when that means more than BUDGET rows.

    Few matches come by the index on terms. A sample is one of blocks, which lie in order of
    arrival, so it is spread evenly over the range.
    """
    extent = Extent(within, wanted)
    condition, params = within.where(wanted)
    condition += " AND traces.day = ANY(%s)"
    params.append(sorted(extent.days))
    if extent.total > BUDGET and extent.hits is not None:
        places = [[hit.day for hit in extent.hits], [hit.trace_id for hit in extent.hits]]
        return Source("traces", f"{condition} AND {AT}", [*params, *places])
    if extent.required and extent.total > BUDGET >= extent.most:
        terms = extent.terms(within.start, within.end)
        condition += " AND traces.terms && %s::bigint[]" * len(terms)
        return Source("traces", condition, [*params, *terms])
    if extent.total <= BUDGET:
        return Source("traces", condition, params)
    share = max(0.01, 100 * BUDGET / extent.total)
    table = f"traces TABLESAMPLE SYSTEM ({share:.4f}) REPEATABLE (7)"
    return Source(table, condition, params, 100 / share)


def expected(within: Range) -> int:
    """Return about how many traces the range holds, by the hourly counts."""
    return rollup.total(within.project.pk, within.start, within.end)


def matching(within: Range, wanted: Filter) -> tuple[int, bool]:
    """Return how many traces of a range match, and whether that is an estimate."""
    rows = source(within, wanted)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {rows.table} WHERE {rows.condition}", rows.params)  # noqa: S608 names of ours
        return rows.times(cursor.fetchone()[0]), rows.factor > 1


def counts(within: Range, wanted: Filter, keys: Iterable[str] = KEYS) -> Counts:
    """Return the commonest values of each key with their counts; each ignores its own filter.

    Keys that nothing else filters come from the hourly counts. The others take one statement: a
    materialised scan for the whole filter, one more for each key that the filter names, then an
    aggregate per key. A trace without verdict counts as `none`.
    """
    keys = list(keys)
    found: dict[str, list[tuple[str, int]]] = {key: [] for key in keys}
    free = [key for key in keys if not wanted.ignoring(key).parts]
    if free:
        for (key, value), (count, _) in _summed(within, free).items():
            found[key].append((value, count))
        for key in free:
            found[key] = sorted(found[key], key=lambda one: (-one[1], one[0]))[:MAX_VALUES]
    rest = [key for key in keys if key not in free]
    estimated = _scanned(within, wanted, rest, found) if rest else frozenset()
    return Counts(found, estimated)


def _scanned(
    within: Range, wanted: Filter, keys: list[str], found: dict[str, list[tuple[str, int]]]
) -> frozenset[str]:
    """Fill in the counts of keys that something else filters; tell which are estimates."""
    scans: dict[str, tuple[str, Source, list[str]]] = {}  # by the text of the filter
    for key in keys:
        base = wanted.ignoring(key)
        if str(base) not in scans:
            scans[str(base)] = (f"scan{len(scans)}", source(within, base), [])
        scans[str(base)][2].append(key)
    heads, tails, params = [], [], []
    factors: dict[str, Source] = {}
    for name, rows, served in scans.values():
        columns = ", ".join(sorted({f"traces.{COLUMNS[key].name}" for key in served}))
        heads.append(
            f"{name} AS MATERIALIZED (SELECT {columns} FROM {rows.table} WHERE {rows.condition})"  # noqa: S608 names of ours
        )
        params += rows.params
        tails += [_aggregate(key, name) for key in served]
        factors |= dict.fromkeys(served, rows)
    statement = f"WITH {', '.join(heads)} {' UNION ALL '.join(tails)}"
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        for key, value, count in cursor.fetchall():
            found[key].append((value, factors[key].times(count)))
    return frozenset(key for key, rows in factors.items() if rows.factor > 1)


def _summed(within: Range, keys: Sequence[str]) -> dict[Pair, tuple[int, int]]:
    """Return (traces, failing) of every pair: whole hours by their counts, the ends row by row."""
    first, last = rollup.whole(within.start, within.end)
    found: dict[Pair, tuple[int, int]] = {}
    if first < last:
        found = rollup.totals(within.project.pk, keys, first, last)
    for row in _ends(within, first, last):
        for pair in counted(row):
            if pair[0] in keys:
                traces, failing = found.get(pair, (0, 0))
                found[pair] = (traces + 1, failing + row["failing"])
    return found


def separating(within: Range, wanted: Filter) -> list[tuple[Pair, int, int]]:
    """Return the values that set failing traces apart, with (traces, failing), whatever `is:` says.

    Without keys that the filter names. From the hourly counts, or one scan, with limits too.
    """
    base = wanted.ignoring("is")
    keys = [key for key in NARROWING if base.ignoring(key) == base]
    if not base.parts:
        kept = _summed(within, [*keys, "is"])
        failing = kept.get(("is", "failing"), (0, 0))[0]
        traces = sum(
            kept.get(("is", one), (0, 0))[0] for one in ("failing", "passing", "unfinished")
        )
        named = {pair: both for pair, both in kept.items() if pair[0] != "is"}
        return narrowing.separating(named, traces, failing)
    rows = source(within, base)
    limited = [key for key in narrowing.LIMITS if base.ignoring(key) == base]
    columns = ", ".join(f"traces.{COLUMNS[key].name}" for key in (*keys, *limited))
    parts = [
        f"SELECT '{key}', {value}, count(*), count(*) FILTER (WHERE failing) FROM {table}"  # noqa: S608 names of ours
        f" WHERE {value} IS NOT NULL GROUP BY 2"
        for key, table, value in ((key, *_valued(key, "kept")) for key in keys)
    ]
    parts += [
        f"SELECT '{key}', width_bucket({column}, %s::numeric[])::text, count(*),"  # noqa: S608 names of ours
        f" count(*) FILTER (WHERE failing) FROM kept WHERE {column} IS NOT NULL GROUP BY 2"
        for key in limited
        for column in (f"kept.{COLUMNS[key].name}::numeric",)
    ]
    statement = (
        f"WITH kept AS MATERIALIZED (SELECT traces.failing, {columns}"  # noqa: S608 names of ours
        f" FROM {rows.table} WHERE {rows.condition})"
        " SELECT '', '', count(*), count(*) FILTER (WHERE failing) FROM kept"
        f" UNION ALL {' UNION ALL '.join(parts)}"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [*rows.params, *(list(narrowing.LIMITS[k]) for k in limited)])
        (_, _, traces, failing), *found = cursor.fetchall()
    pairs = {(key, value): (count, bad) for key, value, count, bad in found if key not in limited}
    pairs |= narrowing.above(found)
    best = narrowing.separating(pairs, traces, failing)
    return [(pair, rows.times(count), rows.times(bad)) for pair, count, bad in best]


_ROW = (
    "started_at", "failing", "finished", "verdict", "retries", "fallbacks", "timeouts", "promoted",
    "status", "streaming", "environment", "cohort", "release", "prompts", "signal_kinds",
    "models", "failure_modes", "tags", "tools",
)  # fmt: skip


def _ends(within: Range, first: datetime, last: datetime) -> list[Row]:
    """Return the traces before `first` and from `last` on: those of buckets cut by the range."""
    condition, params = within.where(Filter())
    if first < last:
        condition += " AND (traces.started_at < %s OR traces.started_at >= %s)"
        params += [first, last]
    columns = ", ".join(f"traces.{name}" for name in _ROW)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM traces WHERE {condition}", params)  # noqa: S608 names of ours
        return [dict(zip(_ROW, row, strict=True)) for row in cursor.fetchall()]


def _valued(key: str, scan: str) -> tuple[str, str]:
    """Return what to select a key's values from, and the expression of a value."""
    column = COLUMNS[key]
    if column.many:
        return f"{scan}, unnest({scan}.{column.name}) AS item", "item"
    if key == "verdict":
        return scan, f"COALESCE({scan}.{column.name}, 'none')"
    return scan, f"{scan}.{column.name}"


def _aggregate(key: str, scan: str) -> str:
    source, value = _valued(key, scan)
    return (
        f"(SELECT '{key}' AS key, {value} AS value, count(*) AS n FROM {source}"  # noqa: S608 names of ours
        f" WHERE {value} IS NOT NULL GROUP BY 2 ORDER BY n DESC, value LIMIT {MAX_VALUES})"
    )


def values(
    within: Range, wanted: Filter, key: str, begun: str, limit: int
) -> list[tuple[str, int]]:
    """Return values of `key` that hold the text `begun`, commonest first, with their counts."""
    base = wanted.ignoring(key)
    if key in COUNTED and not base.parts:
        known = counts(within, wanted, [key])[key]
        return [one for one in known if begun.lower() in one[0].lower()][:limit]
    column = COLUMNS[key]
    rows = source(within, base)
    table, value = rows.table, f"traces.{column.name}"
    if column.many:
        table, value = f"{rows.table}, unnest(traces.{column.name}) AS item", "item"
    statement = (
        f"SELECT {value}, count(*) FROM {table} WHERE {rows.condition} AND {value} ILIKE %s"  # noqa: S608 names of ours
        f" GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [*rows.params, like(("", begun, "")), limit])
        return [(str(found), rows.times(count)) for found, count in cursor.fetchall()]


def histogram(within: Range, wanted: Filter) -> Histogram:
    """Return at most MAX_BINS bins over the range: failing and all, whichever of them is asked for.

    By the counts where nothing, `is:failing`, or one value that is counted by the hour is asked
    for; else one scan, of a sample when there is much to count.
    """
    step = step_of(within.end - within.start)
    base = Filter.of(tuple(part for part in wanted.parts if str(part) not in _OUTCOMES))
    state = Filter.of(tuple(part for part in wanted.parts if part not in base.parts))
    pair = _one_pair(base, step)
    if pair is not None and str(state) in ("", "is:failing"):
        rows = _counted_bins(within, base, pair, step)
        matching = sum(row[1 if state.parts else 0] for row in rows.values())
        return _histogram(within, step, rows, matching, estimated=False)
    chosen = source(within, base)
    condition, params = where(state)
    statement = f"""
        SELECT date_bin(%s, traces.started_at, %s), count(*),
               count(*) FILTER (WHERE traces.failing), count(*) FILTER (WHERE {condition})
        FROM {chosen.table} WHERE {chosen.condition} GROUP BY 1"""  # noqa: S608 names of ours
    given: list[Any] = [step, _ORIGIN, *params, *chosen.params]
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        scanned = cursor.fetchall()
    bins = {row[0]: (chosen.times(row[1]), chosen.times(row[2])) for row in scanned}
    matching = chosen.times(sum(row[3] for row in scanned))
    return _histogram(within, step, bins, matching, estimated=chosen.factor > 1)


def _one_pair(base: Filter, step: timedelta) -> Pair | None:
    """Return the key and value whose counts are the bins of a filter, or None."""
    if not base.parts:
        return (ALL if step >= rollup.HOUR else FINE, "") if step >= rollup.FINE_STEP else None
    asked = required(base)
    whole = len(base.parts) == 1 and len(asked) == 1 and len(asked[0]) == 1
    if not whole or step < rollup.HOUR:
        return None
    return asked[0][0] if is_counted(asked[0][0]) else None


def _counted_bins(
    within: Range, base: Filter, pair: Pair, step: timedelta
) -> dict[datetime, tuple[int, int]]:
    """Return (traces, failing) by bin: whole buckets by their counts, the ends row by row."""
    width = rollup.FINE_STEP if pair[0] == FINE else rollup.HOUR
    first, last = rollup.whole(within.start, within.end, width)
    moments: list[tuple[datetime, int, int]] = []
    if first < last:
        kept = rollup.series(within.project.pk, pair, first, last)
        moments += [(at, *row) for at, row in kept.items()]
    for row in _ends(within, first, last):
        if not base.parts or pair in counted(row):
            moments.append((row["started_at"], 1, int(row["failing"])))
    found: dict[datetime, tuple[int, int]] = {}
    for at, traces, failing in moments:
        bin_ = _ORIGIN + (at - _ORIGIN) // step * step
        before = found.get(bin_, (0, 0))
        found[bin_] = (before[0] + traces, before[1] + failing)
    return found


def _histogram(
    within: Range,
    step: timedelta,
    rows: Mapping[datetime, tuple[int, int]],
    matching: int,
    *,
    estimated: bool,
) -> Histogram:
    bins = []
    at = _ORIGIN + (within.start - _ORIGIN) // step * step
    while at < within.end:
        bins.append(Bin(at, *rows.get(at, (0, 0))))
        at += step
    return Histogram(step, bins, matching, estimated)


def step_of(width: timedelta) -> timedelta:
    """Return the shortest step with at most MAX_BINS bins over `width`."""
    return next((step for step in _STEPS if width / step < MAX_BINS), max(_STEPS[-1], width / 90))


def without_each(within: Range, wanted: Filter) -> list[tuple[Node, int]]:
    """Return each part of a filter with about how many traces match all the others. One scan."""
    conditions = [where(wanted.without(part)) for part in wanted.parts]
    rows = source(within, Filter())
    columns = ", ".join(f"count(*) FILTER (WHERE {relaxed})" for relaxed, _ in conditions)
    given = [param for _, more in conditions for param in more] + rows.params
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {columns} FROM {rows.table} WHERE {rows.condition}",  # noqa: S608 names of ours
            given,
        )
        found = cursor.fetchone() or ()
    return [(part, rows.times(n)) for part, n in zip(wanted.parts, found, strict=True)]
