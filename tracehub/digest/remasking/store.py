"""What the masking of stored traces reads and writes, trace by trace in the order of their ids."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import orjson
from django.db import connection
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads

from tracehub.core.stored import SpanRow
from tracehub.traces.payloads.objects import whole
from tracehub.traces.payloads.store import rewritten
from tracehub.traces.store import COLUMNS, TYPES, span_columns

CHUNK = 50  # spans in memory at once
KEY = ("project_id", "day", "trace_id", "span_id")
NEXT = """
    SELECT trace_id, day FROM arrivals WHERE project_id = %s AND trace_id > %s
    ORDER BY trace_id LIMIT %s
"""
COUNT = "SELECT count(*) FROM arrivals WHERE project_id = %s"
SCAN = """
    SELECT trace_id, span_id, parent_id, name, kind, start_ns, duration_ns, error, provider, model,
        input_tokens, output_tokens, total_tokens, cost, cost_computed, facts, payload, rank
    FROM spans WHERE project_id = %s AND day = %s AND trace_id = ANY(%s)
    ORDER BY trace_id, span_id
"""
LOCK = """
    SELECT trace_id, span_id, parent_id, name, kind, start_ns, duration_ns, error, provider, model,
        input_tokens, output_tokens, total_tokens, cost, cost_computed, facts, payload, rank
    FROM spans WHERE project_id = %s AND day = %s
        AND (trace_id, span_id) IN (SELECT * FROM unnest(%s::uuid[], %s::int8[]))
    ORDER BY trace_id, span_id FOR UPDATE
"""
REWRITE = sql.SQL(
    """
    UPDATE spans AS s SET ({names}) = ({new})
    FROM (SELECT * FROM unnest({arrays})) AS new ({all})
    WHERE s.project_id = new.project_id AND s.day = %s AND s.trace_id = new.trace_id
        AND s.span_id = new.span_id
    """
).format(
    names=sql.SQL(", ").join(sql.Identifier(name) for name in COLUMNS if name not in KEY),
    new=sql.SQL(", ").join(sql.Identifier("new", name) for name in COLUMNS if name not in KEY),
    arrays=sql.SQL(", ").join(sql.SQL("%s::" + name + "[]") for name in TYPES),
    all=sql.SQL(", ").join(map(sql.Identifier, COLUMNS)),
)


def next_traces(
    project_id: int, after: UUID, most: int
) -> tuple[UUID | None, dict[date, list[UUID]]]:
    """Return the last of the next traces, None at the end, and all of them by day."""
    with connection.cursor() as cursor:
        cursor.execute(NEXT, (project_id, after, most))
        rows = cursor.fetchall()
    days: dict[date, list[UUID]] = defaultdict(list)
    for trace_id, day in rows:
        days[day].append(trace_id)
    return (rows[-1][0] if rows else None), days


def count(project_id: int) -> int:
    """Return how many traces have come to a project. Reads its part of an index."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT, (project_id,))
        return int(cursor.fetchone()[0])


def scan(project_id: int, day: date, traces: Sequence[UUID]) -> Iterator[dict[str, Any]]:
    """Yield the spans of traces, CHUNK at a time, inside the caller's transaction."""
    connection.ensure_connection()
    with connection.connection.cursor(name="remask", row_factory=dict_row) as cursor:
        set_json_loads(orjson.loads, cursor)
        cursor.itersize = CHUNK
        for row in cursor.execute(SCAN, (project_id, day, list(traces))):
            yield from whole([row])


def lock(project_id: int, day: date, spans: Sequence[tuple[UUID, int]]) -> list[dict[str, Any]]:
    """Return whole spans, and hold them until the transaction ends."""
    connection.ensure_connection()
    ids = ([trace for trace, _ in spans], [span for _, span in spans])
    with connection.connection.cursor(row_factory=dict_row) as cursor:
        set_json_loads(orjson.loads, cursor)
        rows: list[dict[str, Any]] = cursor.execute(LOCK, (project_id, day, *ids)).fetchall()
    return whole(rows)


def rewrite(day: date, rows: Sequence[SpanRow]) -> None:
    """Replace all columns of stored spans but their key; objects that held them are deleted."""
    columns = span_columns([(row.project_id, day, *row[1:]) for row in rows])
    connection.ensure_connection()
    with connection.connection.cursor() as cursor:
        cursor.execute(REWRITE, (*columns, day))
        rewritten(cursor, [(row.project_id, day, row.trace_id, row.span_id) for row in rows])
