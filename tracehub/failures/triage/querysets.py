"""The list of failures by impact, under a filter. Hand-written SQL; values are parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection

from tracehub.core.query import Filter
from tracehub.core.query.tree import Absent, And, Node, Not, Or, Pattern, Term, Value
from tracehub.failures.models import RECENT_DAYS, Failure
from tracehub.failures.querysets import NEW_FOR, days_of
from tracehub.failures.store import first_day
from tracehub.projects.models import Project
from tracehub.traces import facets
from tracehub.traces.filter_sql import Sql, like

TABS = ("all", "triage", "new", "regressed", "ongoing", "resolved", "ignored")
TRIAGE = ("new", "regressed")  # what needs a decision
SEVERITY_WEIGHT = "CASE severity WHEN 'critical' THEN 8 WHEN 'high' THEN 4 ELSE 2 END"
# Time passes without an event: what is new grows old, and an ignored group shows again.
SHOWN = """
    CASE WHEN status = 'ignored' AND (ignored_until <= %(now)s OR ignored_events <= events)
            THEN 'ongoing'
        WHEN status = 'new' AND first_seen < %(old)s THEN 'ongoing' ELSE status END
"""
LISTED = """
    project_id = %(project)s AND merged_into_id IS NULL AND (events > 0 OR status <> 'new')
"""
TABS_SQL = f"SELECT {SHOWN} AS shown, count(*) FROM failures_failure f WHERE {LISTED}"  # noqa: S608 our own expressions
# The sum of what `recent` holds from the start of the list on: plain subscripts, NULL past its end,
# since a subquery per group would cost more than all the rest.
RECENT = " + ".join(
    f"coalesce(recent[greatest(0, %(since)s::date - recent_from) + {i}], 0)"
    for i in range(1, RECENT_DAYS + 2)
)
# Of a longer range: one walk down the primary key of the days for each group.
OLDER = """
    coalesce((SELECT sum(d.events) FROM failures_failureday d
        WHERE d.failure_id = f.id AND d.day >= %(since)s), 0)
"""
# Reads the groups of the project once and nothing else: 200 pages at 5,000 groups
# (bench/failures.py). One that was last seen before the range has no counts in it.
LIST = f"""
    WITH merged AS (
        SELECT merged_into_id AS id, sum({{recent}}) AS events, max(last_seen) AS last_seen
        FROM failures_failure f
        WHERE project_id = %(project)s AND merged_into_id IS NOT NULL AND last_seen >= %(since)s
        GROUP BY 1
    ), shown AS MATERIALIZED (
        SELECT id, number, last_seen, {SHOWN} AS shown, {SEVERITY_WEIGHT} AS weight,
            CASE WHEN last_seen >= %(since)s THEN {{recent}} ELSE 0 END AS events, {{by}} AS by
        FROM failures_failure f WHERE {LISTED} {{condition}}
    ), summed AS (
        SELECT s.*, s.events + coalesce(m.events, 0) AS recent,
            greatest(s.last_seen, m.last_seen) AS seen
        FROM shown s LEFT JOIN merged m USING (id)
    )
    SELECT s.id, s.shown, s.recent, s.recent * s.weight AS impact, {{cluster}} FROM summed s
    WHERE %(status)s = '' OR s.shown = ANY(string_to_array(%(status)s, ','))
    ORDER BY {{order}} LIMIT %(limit)s OFFSET %(offset)s
"""  # noqa: S608 our own expressions
ORDERS = {
    "impact": "impact DESC, s.seen DESC, s.number",
    "last_seen": "s.seen DESC, s.number",
    "first_seen": "s.number DESC",
    "events": "s.recent DESC, s.number",
    "number": "s.number",
}
# What groups can stand together under, with the one that weighs most first.
BY = {
    "signal": "f.kind",
    "span": "f.span",
    "prompt": "f.since",
    "assignee": "coalesce(f.assignee_id::text, '')",
}
CLUSTER = "s.by, count(*) OVER same, sum(s.recent * s.weight) OVER same"
# By the partial index on `failures`, and the one on terms where the filter is rare.
GROUPS = "SELECT DISTINCT unnest(traces.failures) FROM traces WHERE {condition}"
VALUES = """
    SELECT {column}, count(*) FROM failures_failure f
    WHERE {listed} AND {column} ILIKE %(begun)s GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %(limit)s
"""
OFFERED = {"signal": "NULLIF(f.kind, 'review')", "span": "f.span", "severity": "f.severity"}


class Cluster(NamedTuple):
    """Failures with one value of what the list is grouped by, and how many they are."""

    value: str
    groups: int


class Row(NamedTuple):
    """A group as a list shows it, with its traces by day since the start of the list's range."""

    failure: Failure
    shown: str
    days: Mapping[date, int]
    cluster: Cluster | None = None

    @property
    def recent(self) -> int:
        """Traces in the range."""
        return sum(self.days.values())


class Asked(NamedTuple):
    """Which groups a list is about: a filter on them, and the ids that one on traces left."""

    own: Filter = Filter()
    ids: Sequence[int] | None = None
    me: int | None = None  # the person whom `assignee:me` means


EVERY = Asked()


def tab_counts(project: Project, now: datetime, asked: Asked = EVERY) -> dict[str, int]:
    """Return how many groups each tab has."""
    condition, values = _condition(asked)
    values |= {"project": project.pk, "now": now, "old": now - NEW_FOR}
    with connection.cursor() as cursor:
        cursor.execute(f"{TABS_SQL} {condition} GROUP BY 1", values)
        found = dict(cursor.fetchall())
    counts = {tab: found.get(tab, 0) for tab in TABS}
    counts["all"] = sum(found.values())
    counts["triage"] = sum(found.get(tab, 0) for tab in TRIAGE)
    return counts


def page(
    project: Project,
    *,
    now: datetime,
    since: date,
    status: str = "",
    asked: Asked = EVERY,
    order: str = "impact",
    by: str = "",
    limit: int = 50,
    offset: int = 0,
) -> list[Row]:
    """Return groups with what they counted since a day. `status` is a tab or empty.

    `by` is one of BY: groups that share its value follow each other. Their order adds up what was
    merged, though a trace in two of these groups counts once in what a row says.
    """
    condition, values = _condition(asked)
    wanted = ",".join(TRIAGE) if status == "triage" else "" if status == "all" else status
    values |= {
        "project": project.pk, "now": now, "old": now - NEW_FOR, "since": since, "status": wanted,
        "limit": limit, "offset": offset,
    }  # fmt: skip
    window = " WINDOW same AS (PARTITION BY s.by)" if by else ""
    statement = LIST.format(
        recent=RECENT if since >= first_day(now) else OLDER,
        by=BY.get(by, "''"),
        condition=condition,
        cluster=CLUSTER if by else "NULL, 0, 0",
        order=f"7 DESC, s.by, {ORDERS[order]}" if by else ORDERS[order],
    )
    with connection.cursor() as cursor:
        cursor.execute(statement.replace(" ORDER BY", f"{window} ORDER BY"), values)
        found = cursor.fetchall()
    rows = Failure.objects.filter(pk__in=[row[0] for row in found])
    by_id = rows.select_related("assignee").prefetch_related("merged").in_bulk()
    days = days_of(list(by_id.values()), since)
    return [
        Row(by_id[pk], shown, days[pk], Cluster(value, groups) if by else None)
        for pk, shown, *_, value, groups, _ in found
        if pk in by_id
    ]


def with_traces(within: facets.Range, wanted: Filter) -> list[int]:
    """Return the ids of the groups with a trace in the range that matches, in no order."""
    source = facets.source(within, wanted)
    condition = f"{source.condition} AND traces.failures <> '{{}}'"
    with connection.cursor() as cursor:
        cursor.execute(GROUPS.format(condition=condition), source.params)
        return [row[0] for row in cursor.fetchall()]


def values_of(project: Project, key: str, begun: str, limit: int) -> list[tuple[str, int]]:
    """Return values of a key of OFFERED that hold the text `begun`, with their groups."""
    statement = VALUES.format(column=OFFERED[key], listed=LISTED)
    given: dict[str, Any] = {"project": project.pk, "begun": like(("", begun, "")), "limit": limit}
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        return list(cursor.fetchall())


def _condition(asked: Asked) -> tuple[str, dict[str, Any]]:
    """Return what follows WHERE for the filter of a list, with its parameters by name."""
    parts: list[str] = ["TRUE"]
    params: list[Any] = []
    if asked.own.root is not None:
        sql, params = _node(asked.own.root, asked.me)
        parts.append(sql)
    values: dict[str, Any] = {f"own{i}": value for i, value in enumerate(params)}
    condition = " AND ".join(parts) % tuple(f"%(own{i})s" for i in range(len(params)))
    if asked.ids is not None:
        condition += (
            " AND (f.id = ANY(%(ids)s) OR f.id IN (SELECT one.merged_into_id"
            " FROM failures_failure one WHERE one.id = ANY(%(ids)s)))"
        )
        values["ids"] = list(asked.ids)
    return f"AND {condition}", values


def _node(node: Node, me: int | None) -> Sql:
    match node:
        case And() | Or():
            found = [_node(inner, me) for inner in node.nodes]
            joined = (" AND " if isinstance(node, And) else " OR ").join(sql for sql, _ in found)
            return f"({joined})", [param for _, params in found for param in params]
        case Not():
            sql, params = _node(node.node, me)
            return f"NOT coalesce({sql}, FALSE)", params
        case Term():
            found = [_value(node.key, value, me) for value in node.values]
            joined = " OR ".join(sql for sql, _ in found)
            return f"({joined})", [param for _, params in found for param in params]
    pattern = like(("", node.words, ""))
    columns = ("f.title", "f.span", "f.kind", "'TH-' || f.number")
    return f"({' OR '.join(f'{column} ILIKE %s' for column in columns)})", [pattern] * len(columns)


def _value(key: str, value: Value, me: int | None) -> Sql:
    if isinstance(value, Absent):
        return _absent(key), []
    parts = value.parts if isinstance(value, Pattern) else (str(value),)
    if key == "assignee":
        if parts == ("me",):
            return "f.assignee_id = %s", [me]
        person = "SELECT u.id FROM projects_user u WHERE u.name ILIKE %s OR u.email ILIKE %s"
        return f"f.assignee_id IN ({person})", [like(("", *parts, ""))] * 2
    if key == "failure":
        number = int(parts[0].removeprefix("TH-"))
        merged = (
            "SELECT one.merged_into_id FROM failures_failure one"
            " WHERE one.project_id = f.project_id AND one.number = %s"
        )
        return f"(f.number = %s OR f.id IN ({merged}))", [number, number]
    return f"{OFFERED[key]} ILIKE %s", [like(parts)]


def _absent(key: str) -> str:
    """A failing review has no signal; a failure of a whole trace has no span."""
    if key == "assignee":
        return "f.assignee_id IS NULL"
    return {"signal": "f.kind = 'review'", "span": "f.span = ''"}.get(key, "FALSE")


def since_day(now: datetime, days: int) -> date:
    """Return the first of the last `days` days, today included."""
    return now.astimezone(UTC).date() - timedelta(days=days - 1)
