"""Where the sums of the charts are read from: the rollups, or the contributions of the traces.

Only SQL is made here; `querysets.read` runs it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from psycopg import sql

from tracehub.core import metrics, rollup
from tracehub.core.query.tree import Filter, Pattern
from tracehub.core.series_filter import Condition
from tracehub.core.steps import ORIGIN, Window
from tracehub.projects.models import Project
from tracehub.traces import filter_sql
from tracehub.traces.filter_sql import like

Narrow = Sequence[Condition] | Filter  # what the series answer, or a filter on the traces


@dataclass(frozen=True, slots=True)
class Source:
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
        # Two JSON lists a step instead of a row a bucket: six times as quick to read.
        return sql.SQL(
            "SELECT grp, at, measure, json_agg(index)::text, json_agg(count)::text FROM ("
            "SELECT grp, date_bin(%(step)s, at, %(origin)s) AS at, measure, index,"
            " sum(count)::bigint AS count"
            " FROM ({rows}) AS parts GROUP BY 1, 2, 3, 4 HAVING sum(count) > 0"
            ") AS buckets GROUP BY 1, 2, 3"
        ).format(rows=self.histogram)


def source(project: Project, frame: Window, group: str, narrow: Narrow) -> Source:
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


def _rolled(group: str, narrow: Sequence[Condition], params: dict[str, Any]) -> Source:
    column = metrics.GROUPS[group][1]
    terms: list[sql.Composable] = [sql.SQL("s.axis = %(axis)s")]
    values = {**params, "axis": _axis(group, narrow)}
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

    return Source(values, sums, sql.SQL(_ROLLED_BUCKETS).format(group=grp, where=where))


def _axis(group: str, narrow: Sequence[Condition]) -> str:
    """Return the axis with the fewest series that has what is grouped and filtered by."""
    axis, column = metrics.GROUPS[group]
    label = next((each.column for each in narrow if each.shared), axis if axis in _SHARES else "")
    dimensions = {each.column for each in narrow if not each.shared} | {column} - {"value"}
    if label:
        return label if dimensions or label == "tool" else f"{label}:all"
    if len(dimensions) > 1:
        return ""
    return dimensions.pop() if dimensions else "all"


def _term(column: sql.Composable, number: int, negated: bool) -> sql.Composed:
    word = sql.SQL("NOT " if negated else "")
    name = sql.Placeholder(f"patterns_{number}")
    return sql.SQL("{}{} LIKE ANY({})").format(word, column, name)


# Trace rows of the partitions that can hold the range; each parses its contribution, once.
_PARSED = sql.SQL(
    "CROSS JOIN LATERAL (SELECT traces.contribution::jsonb AS contribution OFFSET 0) AS kept"
)
_RAW = """
SELECT {group} AS grp, traces.started_at AS at, {columns}
FROM traces {parsed} {join}
WHERE traces.project_id = %(project)s AND traces.day >= %(first_day)s
  AND traces.started_at >= %(start)s AND traces.started_at < %(end)s AND ({where})
"""
_RAW_BUCKETS = """
SELECT {group} AS grp, traces.started_at AS at, (b->>0)::smallint AS measure,
    (b->>1)::smallint AS index, 1 AS count
FROM traces {parsed} {join}
CROSS JOIN jsonb_array_elements(kept.contribution->'buckets') AS b
WHERE traces.project_id = %(project)s AND traces.day >= %(first_day)s
  AND traces.started_at >= %(start)s AND traces.started_at < %(end)s
  AND (b->>0)::smallint = ANY(%(measures)s::smallint[]) AND ({where})
"""
_DIMENSIONS = {"name": 0, "environment": 1, "cohort": 2, "release": 3}
_CALLS = {"calls": 0, "own_input_tokens": 1, "own_output_tokens": 2, "own_cost": 3}
# Axis -> what a trace's share of a label holds, by its place in the list.
_SHARES = {"model": _CALLS, "prompt": _CALLS, "tool": {"tool_calls": 0, "tool_errors": 1}}
_WHOLE = {
    "own_input_tokens": "input_tokens",
    "own_output_tokens": "output_tokens",
    "own_cost": "cost",
}


def _raw(frame: Window, group: str, narrow: Filter, params: dict[str, Any]) -> Source:
    axis, column = metrics.GROUPS[group]
    join: sql.Composable = sql.SQL("")
    grp: sql.Composable = sql.SQL("''")
    if axis in _SHARES:
        kept = sql.Literal(f"{axis}s")
        join = sql.SQL("CROSS JOIN jsonb_each(kept.contribution->{}) AS s (label, share)").format(
            kept
        )
        grp = sql.SQL("s.label")
    elif group:
        grp = sql.SQL("kept.contribution->'dims'->>{}").format(sql.Literal(_DIMENSIONS[column]))
    where, filters = _named(*filter_sql.where(narrow))
    values = {**params, **filters, "first_day": (frame.start - timedelta(days=1)).date()}
    parts = {"group": grp, "parsed": _PARSED, "join": join, "where": where}

    def sums(names: list[str]) -> sql.Composable:
        columns = [_raw_column(name, _SHARES.get(axis, {})) for name in names]
        return sql.SQL(_RAW).format(columns=sql.SQL(", ").join(columns), **parts)

    return Source(values, sums, sql.SQL(_RAW_BUCKETS).format(**parts))


def _named(condition: str, given: list[Any]) -> tuple[sql.Composable, dict[str, Any]]:
    """Give the parameters of a filter names: the statement around it has named ones."""
    pieces = condition.split("%s")
    names = [f"filter_{number}" for number in range(len(given))]
    named = "".join(f"{piece}%({name})s" for piece, name in zip(pieces, names, strict=False))
    return sql.SQL(named + pieces[-1]), dict(zip(names, given, strict=True))


def _raw_column(name: str, shares: Mapping[str, int]) -> sql.Composed:
    """Return a counter out of a trace's contribution; costs become dollars."""
    if name in shares:
        value = sql.SQL("(s.share->>{})::numeric").format(sql.Literal(shares[name]))
    elif name == "calls":
        value = sql.SQL(
            "(SELECT sum((v->>0)::numeric)"
            " FROM jsonb_each(kept.contribution->'models') AS m (k, v))"
        ).format()
    else:
        key = sql.Literal(_WHOLE.get(name, name))
        value = sql.SQL("(kept.contribution->'all'->>{})::numeric").format(key)
    scale = sql.SQL(" * 1e-10" if name in rollup.MONEY else "")
    return sql.SQL("coalesce({}, 0){} AS {}").format(value, scale, sql.Identifier(name))
