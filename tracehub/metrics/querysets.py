"""Reads of the charts: sums and distributions by step and group.

Reads come from the rollups and add what is not folded yet, in one statement: one snapshot, so that
a delta is never missed nor counted twice. Filters on anything but the dimensions of the series are
read from the trace rows, through the contribution that each of them keeps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from django.db import connection
from django.db.models import Exists, OuterRef
from psycopg import sql

from tracehub.core import metrics, rollup
from tracehub.core.metrics import Metric, Sums
from tracehub.core.query.tree import Filter, Pattern
from tracehub.core.series_filter import Condition, conditions
from tracehub.core.steps import ORIGIN, Window, window
from tracehub.core.trace import Json
from tracehub.projects.models import Project
from tracehub.traces import filter_sql
from tracehub.traces.filter_sql import like
from tracehub.traces.models import PromptVersion

Narrow = Sequence[Condition] | Filter  # what the series answer, or a filter on the traces


def narrowed(wanted: Filter, group: str) -> Narrow:
    """Return how to read a filter: from the series where they answer it, else from the traces."""
    found = conditions(wanted, group)
    return wanted if found is None else found


Groups = dict[str, dict[datetime, Sums]]  # group -> start of step -> sums


def read(
    project: Project,
    frame: Window,
    *,
    group: str = "",
    counters: Iterable[str],
    measures: Iterable[int] = (),
    narrow: Narrow = (),
) -> Groups:
    """Return the sums of each group and step; steps without traces are left out."""
    source = _source(project, frame, group, narrow)
    found: Groups = {}
    names = sorted({"requests", *counters})
    with connection.cursor() as cursor:
        cursor.execute(source.counters(names), source.params)
        for label, at, *values in cursor.fetchall():
            sums = Sums(dict(zip(names, values, strict=True)))
            if sums["requests"]:
                found.setdefault(label, {})[at] = sums
        wanted = sorted(measures)
        if wanted:
            cursor.execute(source.buckets(), {**source.params, "measures": wanted})
            for label, at, measure, counts in cursor.fetchall():
                if at in found.get(label, {}):
                    loaded = orjson.loads(counts)
                    found[label][at].buckets[measure] = {int(k): n for k, n in loaded.items()}
    return found


@dataclass(frozen=True, slots=True)
class _Source:
    """Where sums come from: a relation of (grp, at, counters) and one of (grp, at, buckets)."""

    params: dict[str, Any]
    sums: Any  # names -> sql.Composable
    histogram: sql.Composable

    def counters(self, names: list[str]) -> sql.Composed:
        totals = [
            sql.SQL("sum({c})::{t}").format(
                c=sql.Identifier(n), t=sql.SQL("numeric" if n in rollup.MONEY else "bigint")
            )
            for n in names
        ]
        return sql.SQL(
            "SELECT grp, date_bin(%(step)s, at, %(origin)s), {totals} FROM ({rows}) AS parts"
            " GROUP BY 1, 2 ORDER BY 1, 2"
        ).format(totals=sql.SQL(", ").join(totals), rows=self.sums(names))

    def buckets(self) -> sql.Composed:
        # One JSON object a step instead of a row a bucket: four times as quick to read.
        return sql.SQL(
            "SELECT grp, at, measure, json_object_agg(index, count)::text FROM ("
            "SELECT grp, date_bin(%(step)s, at, %(origin)s) AS at, measure, index,"
            " sum(count)::bigint AS count"
            " FROM ({rows}) AS parts GROUP BY 1, 2, 3, 4 HAVING sum(count) > 0"
            ") AS buckets GROUP BY 1, 2, 3"
        ).format(rows=self.histogram)


def _source(project: Project, frame: Window, group: str, narrow: Narrow) -> _Source:
    params = {
        "project": project.pk,
        "start": frame.start,
        "end": frame.end,
        "step": frame.step,
        "origin": ORIGIN,
        "resolution": frame.resolution,
    }
    if isinstance(narrow, Filter):
        return _raw(frame, group, narrow, params)
    return _rolled(group, narrow, params)


# The series first, a few hundred at most, then their buckets by the key (project, resolution,
# series, bucket); deltas of the last second by a scan.
_ROLLED = """
SELECT wanted.grp, r.bucket AS at, {columns}
FROM (SELECT s.id, {group} AS grp FROM rollup_series s
      WHERE s.project_id = %(project)s AND s.target = s.id AND {where} OFFSET 0) AS wanted
JOIN rollups r ON r.project_id = %(project)s AND r.resolution = %(resolution)s
  AND r.series = wanted.id AND r.bucket >= %(start)s AND r.bucket < %(end)s
UNION ALL
SELECT {group}, s.minute, {delta_columns} FROM rollup_deltas s
WHERE s.project_id = %(project)s AND s.minute >= %(start)s AND s.minute < %(end)s AND {where}
"""
_ROLLED_BUCKETS = """
SELECT wanted.grp, h.bucket AS at, h.measure, h.index, h.count
FROM (SELECT s.id, {group} AS grp FROM rollup_series s
      WHERE s.project_id = %(project)s AND s.target = s.id AND {where} OFFSET 0) AS wanted
JOIN rollup_histograms h ON h.project_id = %(project)s AND h.resolution = %(resolution)s
  AND h.series = wanted.id AND h.measure = ANY(%(measures)s::smallint[])
  AND h.bucket >= %(start)s AND h.bucket < %(end)s
UNION ALL
SELECT {group}, s.minute, b.measure, b.index, b.count
FROM rollup_deltas s, unnest(s.measures, s.indexes, s.counts) AS b (measure, index, count)
WHERE s.project_id = %(project)s AND s.minute >= %(start)s AND s.minute < %(end)s
  AND b.measure = ANY(%(measures)s::smallint[]) AND {where}
"""


def _rolled(group: str, narrow: Sequence[Condition], params: dict[str, Any]) -> _Source:
    axis, column = metrics.GROUPS[group]
    for each in narrow:
        if each.shared:
            axis = each.column
        elif axis == "all":
            axis = ""
    terms: list[sql.Composable] = [sql.SQL("s.axis = %(axis)s")]
    values = {**params, "axis": axis}
    for number, each in enumerate(narrow):
        name = "value" if each.shared else each.column
        values[f"patterns_{number}"] = [
            like(value.parts) if isinstance(value, Pattern) else "" for value in each.values
        ]
        terms.append(_term(sql.Identifier("s", name), number, each.negated))
    where = sql.SQL(" AND ").join(terms)
    grp: sql.Composable = sql.Identifier("s", column) if group else sql.SQL("''")

    def sums(names: list[str]) -> sql.Composable:
        return sql.SQL(_ROLLED).format(
            group=grp,
            where=where,
            columns=sql.SQL(", ").join(sql.Identifier("r", n) for n in names),
            delta_columns=sql.SQL(", ").join(sql.Identifier("s", n) for n in names),
        )

    return _Source(values, sums, sql.SQL(_ROLLED_BUCKETS).format(group=grp, where=where))


def _term(column: sql.Composable, number: int, negated: bool) -> sql.Composed:
    word = sql.SQL("NOT " if negated else "")
    name = sql.Placeholder(f"patterns_{number}")
    return sql.SQL("{}{} LIKE ANY({})").format(word, column, name)


# Trace rows of the partitions that can hold the range; each reads its contribution.
_RAW = """
SELECT {group} AS grp, traces.started_at AS at, {columns} FROM traces {join}
WHERE traces.project_id = %(project)s AND traces.day >= %(first_day)s
  AND traces.started_at >= %(start)s AND traces.started_at < %(end)s AND ({where})
"""
_RAW_BUCKETS = """
SELECT {group} AS grp, traces.started_at AS at, (b->>0)::smallint AS measure,
    (b->>1)::smallint AS index, 1 AS count
FROM traces {join} CROSS JOIN jsonb_array_elements(traces.contribution->'buckets') AS b
WHERE traces.project_id = %(project)s AND traces.day >= %(first_day)s
  AND traces.started_at >= %(start)s AND traces.started_at < %(end)s
  AND (b->>0)::smallint = ANY(%(measures)s::smallint[]) AND ({where})
"""
_DIMENSIONS = {"name": 0, "environment": 1, "cohort": 2, "release": 3}
_SHARES = {"calls": 0, "own_input_tokens": 1, "own_output_tokens": 2, "own_cost": 3}
_WHOLE = {
    "own_input_tokens": "input_tokens",
    "own_output_tokens": "output_tokens",
    "own_cost": "cost",
}


def _raw(frame: Window, group: str, narrow: Filter, params: dict[str, Any]) -> _Source:
    axis, column = metrics.GROUPS[group]
    join: sql.Composable = sql.SQL("")
    grp: sql.Composable = sql.SQL("''")
    if axis in ("model", "prompt"):
        kept = sql.Literal(f"{axis}s")
        join = sql.SQL("CROSS JOIN jsonb_each(traces.contribution->{}) AS s (label, share)").format(
            kept
        )
        grp = sql.SQL("s.label")
    elif group:
        grp = sql.SQL("traces.contribution->'dims'->>{}").format(sql.Literal(_DIMENSIONS[column]))
    where, filters = _named(*filter_sql.where(narrow))
    values = {**params, **filters, "first_day": (frame.start - timedelta(days=1)).date()}
    parts = {"group": grp, "join": join, "where": where}

    def sums(names: list[str]) -> sql.Composable:
        columns = [_raw_column(name, bool(axis in ("model", "prompt"))) for name in names]
        return sql.SQL(_RAW).format(columns=sql.SQL(", ").join(columns), **parts)

    return _Source(values, sums, sql.SQL(_RAW_BUCKETS).format(**parts))


def _named(condition: str, given: list[Any]) -> tuple[sql.Composable, dict[str, Any]]:
    """Give the parameters of a filter names: the statement around it has named ones."""
    pieces = condition.split("%s")
    names = [f"filter_{number}" for number in range(len(given))]
    named = "".join(f"{piece}%({name})s" for piece, name in zip(pieces, names, strict=False))
    return sql.SQL(named + pieces[-1]), dict(zip(names, given, strict=True))


def _raw_column(name: str, shared: bool) -> sql.Composed:
    """Return a counter out of a trace's contribution; costs become dollars."""
    if shared and name in _SHARES:
        value = sql.SQL("(s.share->>{})::numeric").format(sql.Literal(_SHARES[name]))
    elif name == "calls":
        value = sql.SQL(
            "(SELECT sum((v->>0)::numeric)"
            " FROM jsonb_each(traces.contribution->'models') AS m (k, v))"
        ).format()
    else:
        key = sql.Literal(_WHOLE.get(name, name))
        value = sql.SQL("(traces.contribution->'all'->>{})::numeric").format(key)
    scale = sql.SQL(" * 1e-10" if name in rollup.MONEY else "")
    return sql.SQL("coalesce({}, 0){} AS {}").format(value, scale, sql.Identifier(name))


@dataclass(slots=True)
class Line:
    """One line of a metric: its group ("" for none), its value in each step, and in the range."""

    group: str
    values: list[metrics.Number | None]
    requests: list[int]
    total: metrics.Number | None
    sums: Sums = field(default_factory=Sums)  # of the range
    steps: list[Sums] = field(default_factory=list)


@dataclass(slots=True)
class Series:
    """A metric over time, as the API answers it."""

    metric: Metric
    group: str
    window: Window
    lines: list[Line]

    def as_json(self) -> dict[str, Json]:
        """Return the answer of `GET /api/v1/metrics`; dollars are decimal strings."""
        marks = [mark.isoformat().replace("+00:00", "Z") for mark in self.window.marks]
        return {
            "metric": self.metric.name,
            "unit": self.metric.unit,
            "group": self.group or None,
            "from": marks[0],
            "to": self.window.end.isoformat().replace("+00:00", "Z"),
            "step_s": int(self.window.step.total_seconds()),
            "items": [
                {
                    "group": (line.group or None) if self.group else None,
                    "total": _plain(line.total, self.metric.unit),
                    "points": [
                        {"at": at, "value": _plain(value, self.metric.unit), "requests": count}
                        for at, value, count in zip(marks, line.values, line.requests, strict=True)
                    ],
                }
                for line in self.lines
            ],
            "next": None,
        }


def _plain(value: metrics.Number | None, unit: str) -> Json:
    if value is None:
        return None
    if unit == "usd":
        return f"{value:.10f}"
    return int(value) if unit == "count" else float(value)


def series(
    project: Project,
    metric: str,
    group: str,
    start: datetime,
    end: datetime,
    step: timedelta | None = None,
    *,
    now: datetime | None = None,
    narrow: Narrow = (),
) -> Series:
    """Return one metric over [start, end), by group, the busiest group first.

    Raises MetricError (its `field` is metric or group) and RangeError (from or step).
    """
    wanted, group = metrics.find(metric), metrics.group(group)
    frame = window(start, end, now=now or datetime.now(UTC), step=step)
    measures = [wanted.measure] if wanted.measure else []
    found = read(
        project, frame, group=group, counters=wanted.counters, measures=measures, narrow=narrow
    )
    lines = [line(wanted, label, frame, steps) for label, steps in by_requests(found)]
    return Series(wanted, group, frame, lines)


def by_requests(found: Groups) -> list[tuple[str, dict[datetime, Sums]]]:
    """Return the groups, the busiest first."""
    busy = {
        label: sum(sums["requests"] for sums in steps.values()) for label, steps in found.items()
    }
    return sorted(found.items(), key=lambda item: (-busy[item[0]], item[0]))


def added(sums: Iterable[Sums]) -> Sums:
    """Return the sums of several steps as one."""
    whole = Sums()
    for each in sums:
        whole.add(each)
    return whole


def line(
    metric: Metric,
    label: str,
    frame: Window,
    steps: Mapping[datetime, Sums],
    whole: Sums | None = None,
) -> Line:
    """Return the values of one group in each step of the window, and over all of it.

    `whole` are the sums of the range, for who has added them up already.
    """
    empty = Sums()
    whole = added(steps.values()) if whole is None else whole
    every = [steps.get(mark, empty) for mark in frame.marks]
    return Line(
        group=label,
        values=[metric.value(sums) for sums in every],
        requests=[int(sums["requests"]) for sums in every],
        total=metric.value(whole),
        sums=whole,
        steps=every,
    )


@dataclass(frozen=True, slots=True)
class Marker:
    """A prompt version that was first seen at a time."""

    at: datetime
    name: str
    version: str


def version_markers(project: Project, frame: Window, *, most: int = 6) -> list[Marker]:
    """Return the changes of prompt versions inside the window, the oldest first; the latest few.

    The first version of a prompt is no change.
    """
    before = PromptVersion.objects.filter(
        project=project, name=OuterRef("name"), first_seen_at__lt=OuterRef("first_seen_at")
    )
    found = (
        PromptVersion.objects.filter(
            Exists(before),
            project=project,
            first_seen_at__gte=frame.start + frame.step,
            first_seen_at__lt=frame.end,
        )
        .order_by("-first_seen_at")
        .values_list("first_seen_at", "name", "version")[:most]
    )
    return [Marker(at, name, version) for at, name, version in reversed(found) if at is not None]


def newest_versions(project: Project, *, most: int = 200) -> list[str]:
    """Return prompt versions as `name@version`, the newest first. By an index scan of a project."""
    found = PromptVersion.objects.filter(project=project).order_by("-first_seen_at", "-id")
    return [f"{name}@{version}" for name, version in found.values_list("name", "version")[:most]]
