"""Attributes of spans, a row a trace. The second pass writes them, since it reads whole spans."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import connection

from tracehub.core.query.attributes import JOIN, SEPARATOR, beginning, split
from tracehub.traces.filter_sql import like

# One insert a trace, with its part of the index; the same words again write nothing.
WRITE = """
    INSERT INTO trace_attributes AS kept (project_id, day, trace_id, started_at, words)
    SELECT %(project)s, %(day)s, t, at, array_to_tsvector(string_to_array(w, %(join)s))
    FROM unnest(%(traces)s::uuid[], %(starts)s::timestamptz[], %(words)s::text[]) AS s (t, at, w)
    ORDER BY t
    ON CONFLICT (project_id, day, trace_id) DO UPDATE
    SET started_at = excluded.started_at, words = excluded.words
    WHERE (kept.started_at, kept.words) IS DISTINCT FROM (excluded.started_at, excluded.words)
"""
DELETE = """
    DELETE FROM trace_attributes WHERE project_id = %s AND day = %s AND trace_id = ANY(%s)
"""
# A few hundred traces at most, by key; some sixty words each.
KEYS = """
    SELECT l.lexeme, count(*) FROM trace_attributes a, unnest(a.words) l
    WHERE a.project_id = %s AND a.day = ANY(%s) AND a.trace_id = ANY(%s)
        AND strpos(l.lexeme, %s) = 0 AND l.lexeme ILIKE %s
    GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %s
"""
VALUES = """
    SELECT l.lexeme, count(*) FROM trace_attributes a, unnest(a.words) l
    WHERE a.project_id = %s AND a.day = ANY(%s) AND a.trace_id = ANY(%s)
        AND starts_with(l.lexeme, %s) AND l.lexeme ILIKE %s
    GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %s
"""


def write(project_id: int, day: date, found: Mapping[UUID, tuple[datetime, Sequence[str]]]) -> None:
    """Store starts and words of traces of one partition, in the caller's transaction."""
    if found:
        given: dict[str, Any] = {
            "project": project_id,
            "day": day,
            "join": JOIN,
            "traces": list(found),
            "starts": [start for start, _ in found.values()],
            "words": [JOIN.join(words) for _, words in found.values()],
        }
        with connection.cursor() as cursor:
            cursor.execute(WRITE, given)


def delete(cursor: Any, project_id: int, day: date, traces: Sequence[UUID]) -> None:
    """Delete the attributes of traces of one partition."""
    cursor.execute(DELETE, (project_id, day, list(traces)))


def keys(
    project_id: int, days: Collection[date], traces: Collection[UUID], begun: str, limit: int
) -> list[tuple[str, int]]:
    """Return the keys that hold the text `begun`, commonest first, with their traces."""
    given: list[Any] = [
        project_id,
        sorted(days),
        list(traces),
        SEPARATOR,
        like(("", begun, "")),
        limit,
    ]
    with connection.cursor() as cursor:
        cursor.execute(KEYS, given)
        return [(str(key), count) for key, count in cursor.fetchall()]


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
        cursor.execute(VALUES, [project_id, sorted(days), list(traces), start, form, limit])
        return [(split(word)[1] or "", count) for word, count in cursor.fetchall()]
