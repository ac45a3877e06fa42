"""Attributes of spans, a row a trace. The second pass writes them, since it reads whole spans."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import connection

from tracehub.core.query.attributes import HELD, JOIN, SEPARATOR, Sought, beginning, kept, split
from tracehub.core.query.names import full
from tracehub.traces.filter_sql import attribute, like
from tracehub.traces.texts.store import Hit, hits

# One insert a trace, with its part of the index; the same again writes nothing.
WRITE = """
    INSERT INTO trace_attributes AS kept (project_id, day, trace_id, started_at, pairs)
    SELECT %(project)s, %(day)s, t, at, p
    FROM unnest(%(traces)s::uuid[], %(starts)s::timestamptz[], %(pairs)s::text[]) AS s (t, at, p)
    ORDER BY t
    ON CONFLICT (project_id, day, trace_id) DO UPDATE
    SET started_at = excluded.started_at, pairs = excluded.pairs, words = NULL
    WHERE (kept.started_at, kept.pairs) IS DISTINCT FROM (excluded.started_at, excluded.pairs)
"""
DELETE = """
    DELETE FROM trace_attributes WHERE project_id = %s AND day = %s AND trace_id = ANY(%s)
"""
# By the index of each partition; `{held}` are conditions of ours.
FIND = """
    SELECT started_at, day, trace_id FROM trace_attributes held
    WHERE project_id = %s AND day = ANY(%s) AND started_at >= %s AND started_at < %s AND {held}
    LIMIT %s
"""
POINTS = "tracehub_attribute_buckets(held.pairs) @> tracehub_attribute_buckets(%s)"
# Of a few hundred traces at most, by key; some sixty parts each.
KEYS = """
    SELECT split_part(part, %s, 1), count(DISTINCT trace_id)
    FROM trace_attributes, string_to_table(pairs, %s) part
    WHERE project_id = %s AND day = ANY(%s) AND trace_id = ANY(%s) AND part <> ''
    GROUP BY 1
"""
VALUES = """
    SELECT part, count(*) FROM trace_attributes, string_to_table(pairs, %s) part
    WHERE project_id = %s AND day = ANY(%s) AND trace_id = ANY(%s)
        AND starts_with(part, %s) AND part ILIKE %s
    GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %s
"""


def write(project_id: int, day: date, found: Mapping[UUID, tuple[datetime, Sequence[str]]]) -> None:
    """Store starts and words of traces of one partition, in the caller's transaction."""
    if found:
        given: dict[str, Any] = {
            "project": project_id,
            "day": day,
            "traces": list(found),
            "starts": [start for start, _ in found.values()],
            "pairs": [kept(words) for _, words in found.values()],
        }
        with connection.cursor() as cursor:
            cursor.execute(WRITE, given)


def delete(cursor: Any, project_id: int, day: date, traces: Sequence[UUID]) -> None:
    """Delete the attributes of traces of one partition."""
    cursor.execute(DELETE, (project_id, day, list(traces)))


def find(
    project_id: int,
    days: Collection[date],
    asked: Sequence[Sequence[Sought]],
    start: datetime,
    end: datetime,
    *,
    limit: int,
) -> list[Hit] | None:
    """Return where one of each list is, newest first; None when in more than `limit`."""
    each, given = [], []
    for several in asked:
        ways = []
        for one in several:
            condition, params = attribute("held.pairs", one)
            ways.append(f"({POINTS} AND {condition})")
            given += [one.bucket, *params]
        each.append(f"({' OR '.join(ways)})")
    statement = FIND.format(held=" AND ".join(each))
    with connection.cursor() as cursor:
        cursor.execute(statement, [project_id, sorted(days), start, end, *given, limit + 1])
        return hits(cursor.fetchall(), limit)


def keys(
    project_id: int, days: Collection[date], traces: Collection[UUID], begun: str, limit: int
) -> list[tuple[str, int]]:
    """Return the keys that hold the text `begun`, commonest first, with their traces."""
    with connection.cursor() as cursor:
        cursor.execute(KEYS, [SEPARATOR, JOIN, project_id, sorted(days), list(traces)])
        named = [(full(code), count) for code, count in cursor.fetchall()]
    found = [one for one in named if begun.lower() in one[0].lower()]
    return sorted(found, key=lambda one: (-one[1], one[0]))[:limit]


def values(
    project_id: int,
    days: Collection[date],
    traces: Collection[UUID],
    key: str,
    begun: str,
    limit: int,
) -> list[tuple[str, int]]:
    """Return values of a key that hold the text `begun`, commonest first, with their traces."""
    start = beginning(key)
    form = like((start, begun, ""))
    with connection.cursor() as cursor:
        cursor.execute(VALUES, [JOIN, project_id, sorted(days), list(traces), start, form, limit])
        found = [(split(part)[1] or "", count) for part, count in cursor.fetchall()]
    return [one for one in found if one[0] != HELD]
