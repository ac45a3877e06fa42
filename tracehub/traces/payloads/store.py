"""`payload_objects`: spans whose payload waits to be moved, and every object that may exist.

A row with a key is committed before its object is written, so no object is ever unknown, and goes
after the object. What no span refers to any more is found by looking at each row once a day, and
at once where something is deleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from tracehub.traces.payloads.objects import stub

QUIET = timedelta(minutes=10)  # a payload is moved when its span had time to change
LEASE = timedelta(minutes=15)  # until another worker takes what one began
AGAIN = timedelta(days=1)

PUT_UP = """
    INSERT INTO payload_objects (project_id, day, trace_id, span_id, key, due_at)
    SELECT p, d, t, s, '', now() + %s
    FROM unnest(%s::int8[], %s::date[], %s::uuid[], %s::int8[]) AS seen (p, d, t, s)
    ORDER BY 1, 2, 3, 4
    ON CONFLICT (project_id, day, trace_id, span_id, key) DO UPDATE SET due_at = excluded.due_at
"""
CLAIM = """
    UPDATE payload_objects o SET due_at = %s FROM (
        SELECT project_id, day, trace_id, span_id, key FROM payload_objects
        WHERE due_at <= %s ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED
    ) AS due
    WHERE (o.project_id, o.day, o.trace_id, o.span_id, o.key)
        = (due.project_id, due.day, due.trace_id, due.span_id, due.key)
    RETURNING o.project_id, o.day, o.trace_id, o.span_id, o.key
"""
_SPAN = "project_id = %s AND day = %s AND trace_id = %s AND span_id = %s"
PAYLOAD = f"SELECT payload FROM spans WHERE {_SPAN}"  # noqa: S608 our own text
BEGIN = f"UPDATE payload_objects SET key = %s WHERE {_SPAN} AND key = ''"  # noqa: S608
# Unless the span changed since it was read.
REFER = f"UPDATE spans SET payload = %s WHERE {_SPAN} AND payload = %s"  # noqa: S608
REFERRED = f"SELECT FROM spans WHERE {_SPAN} AND payload = %s"
LATER = f"UPDATE payload_objects SET due_at = %s WHERE {_SPAN} AND key = %s"  # noqa: S608
FORGET = f"DELETE FROM payload_objects WHERE {_SPAN} AND key = %s"  # noqa: S608
RELEASE = """
    UPDATE payload_objects SET due_at = now() WHERE project_id = %s AND trace_id = ANY(%s)
"""
# Of spans that were moved and now hold their payload again.
REWRITTEN = """
    WITH old AS (
        UPDATE payload_objects SET due_at = now()
        WHERE (project_id, day, trace_id, span_id) IN (
            SELECT * FROM unnest(%s::int8[], %s::date[], %s::uuid[], %s::int8[])) AND key <> ''
        RETURNING project_id, day, trace_id, span_id
    )
    INSERT INTO payload_objects (project_id, day, trace_id, span_id, key, due_at)
    SELECT DISTINCT project_id, day, trace_id, span_id, '', now() + %s FROM old
    ON CONFLICT (project_id, day, trace_id, span_id, key) DO NOTHING
"""
RELEASE_DAY = "UPDATE payload_objects SET due_at = now() WHERE day = %s"


Key = tuple[int, date, UUID, int]


class Item(NamedTuple):
    """A span and the key of an object of it; without a key its payload waits to be moved."""

    project_id: int
    day: date
    trace_id: UUID
    span_id: int
    key: str

    @property
    def span(self) -> Key:
        return self[:4]


def put_up(spans: Sequence[Key]) -> tuple[Any, ...]:
    """Return the parameters of PUT_UP."""
    return (QUIET, *(list(column) for column in zip(*spans, strict=True)))


def claim(now: datetime, limit: int) -> list[Item]:
    """Take what is due, for LEASE: what a worker that dies leaves is due again."""
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, (now + LEASE, now, limit))
        return [Item(*row) for row in cursor.fetchall()]


def payload(item: Item) -> bytes | None:
    """Return the payload of a span as it is in its row."""
    with connection.cursor() as cursor:
        cursor.execute(PAYLOAD, item.span)
        row = cursor.fetchone()
    return None if row is None else bytes(row[0])


def begin(item: Item, key: str) -> bool:
    """Note the key of an object that is about to be written; False when the row is gone."""
    return _changed(BEGIN, (key, *item.span))


def refer(item: Item, key: str, payload: bytes) -> bool:
    """Let the span refer to its object; False when it changed meanwhile."""
    return _changed(REFER, (stub(key), *item.span, payload))


def wait(item: Item) -> None:
    """Put a span up once more."""
    _changed(PUT_UP, put_up([item.span]))


def referred(item: Item) -> bool:
    """Tell whether the span refers to the object."""
    return _changed(REFERRED, (*item.span, stub(item.key)))


def later(item: Item, due: datetime) -> None:
    """Look at a row again at a time."""
    _changed(LATER, (due, *item))


def forget(item: Item) -> None:
    """Delete a row whose object is gone, or that needs none."""
    _changed(FORGET, item)


def release(cursor: Any, project_id: int, traces: Iterable[UUID]) -> None:
    """Have the objects of traces that are deleted here looked at, and so deleted, at once."""
    cursor.execute(RELEASE, (project_id, list(traces)))


def rewritten(cursor: Any, spans: Sequence[Key]) -> None:
    """Have spans that were written anew moved again, and their old objects deleted at once."""
    if spans:
        *columns, quiet = (*zip(*spans, strict=True), QUIET)
        cursor.execute(REWRITTEN, (*map(list, columns), quiet))


def _changed(statement: str, values: Sequence[Any]) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return bool(cursor.rowcount)
