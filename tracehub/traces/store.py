"""Spans in: the statements that ingestion runs. One transaction per group of requests.

Everything works through PgBouncer in transaction mode: no temporary table, no session state.
docs/design/storage.md explains the shape; docs/design/ingestion.md where the time goes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from math import inf
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.conf import settings
from django.db import connection
from psycopg import AsyncConnection, AsyncCursor, sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row
from psycopg.types.json import set_json_dumps, set_json_loads

from tracehub.core.stored import SpanRow
from tracehub.traces.payloads import objects
from tracehub.traces.payloads import store as payloads

COLUMNS = (
    "project_id",
    "day",
    "trace_id",
    "span_id",
    "parent_id",
    "started_at",
    "start_ns",
    "duration_ns",
    "name",
    "kind",
    "error",
    "provider",
    "model",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cost",
    "rank",
    "facts",
    "payload",
    "cost_computed",
)
TYPES = (
    "int8",
    "date",
    "uuid",
    "int8",
    "int8",
    "timestamptz",
    "int8",
    "int8",
    "text",
    "text",
    "bool",
    "text",
    "text",
    "int8",
    "int8",
    "int8",
    "numeric",
    "int4",
    "json",
    "bytea",
    "bool",
)
# JSON travels as its text: as bytea it goes through untouched, in C.
COPY_TYPES = tuple("bytea" if name == "json" else name for name in TYPES)
_CHANGED = COLUMNS[4:]
_names = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))

# Cost at 100 spans a request: one index probe and one narrow insert per trace, 4 us each.
ARRIVE = """
    INSERT INTO arrivals (project_id, trace_id, day)
    SELECT p, t, %s FROM unnest(%s::int8[], %s::uuid[]) AS seen (p, t) ORDER BY p, t
    ON CONFLICT (project_id, trace_id) DO UPDATE
    SET dirty_seq = CASE WHEN NOT arrivals.dropped THEN nextval('arrivals_dirty_seq') END,
        dirty_at = CASE WHEN NOT arrivals.dropped THEN coalesce(arrivals.dirty_at, now()) END
    RETURNING project_id, trace_id, day, xmax = 0, dropped
"""
# Of traces that sampling has dropped; in the hour of their arrival.
COUNT_LATE = """
    INSERT INTO dropped_hours AS kept (project_id, hour, late_spans)
    SELECT p, date_trunc('hour', now(), 'UTC'), n FROM unnest(%s::int8[], %s::int8[])
        AS seen (p, n) ORDER BY p
    ON CONFLICT (project_id, hour) DO UPDATE
    SET late_spans = kept.late_spans + excluded.late_spans
"""
COPY_SPANS = sql.SQL("COPY spans ({}) FROM STDIN (FORMAT BINARY)").format(_names)
# A finished span beats a pending one, then more attributes win, then the later arrival; the same
# bytes again change nothing, so a retry leaves no dead tuple.
UPSERT_SPANS = sql.SQL(
    """
    INSERT INTO spans ({names})
    SELECT * FROM unnest({arrays}) AS sent ORDER BY 1, 2, 3, 4
    ON CONFLICT (project_id, day, trace_id, span_id) DO UPDATE SET ({changed}) = ({new})
    WHERE excluded.rank > spans.rank
        OR (excluded.rank = spans.rank AND excluded.payload <> spans.payload)
    """
).format(
    names=_names,
    arrays=sql.SQL(", ").join(sql.SQL("%s::" + name + "[]") for name in TYPES),
    changed=sql.SQL(", ").join(map(sql.Identifier, _CHANGED)),
    new=sql.SQL(", ").join(sql.Identifier("excluded", name) for name in _CHANGED),
)
MARK_DIRTY = """
    UPDATE arrivals SET dirty_seq = nextval('arrivals_dirty_seq'),
        dirty_at = coalesce(dirty_at, now()), tries = 0
    WHERE project_id = %s AND trace_id = ANY(%s) AND NOT dropped
"""


# `xmax = 0` is true for a row that was inserted; a score that came again changes nothing.
ADD_FEEDBACK = """
    INSERT INTO traces_feedback
        (project_id, trace_id, span_id, key, name, value, label, comment, source, created_at)
    SELECT p, t, s, k, n, v::jsonb, l, c, o, now()
    FROM unnest(%s::int8[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[],
        %s::text[], %s::text[], %s::text[]) AS sent (p, t, s, k, n, v, l, c, o) ORDER BY p, k
    ON CONFLICT (project_id, key) DO NOTHING RETURNING project_id, trace_id
"""


# Touches every trace of the supplements, seen before or not, so that the worker looks at it.
ADD_SUPPLEMENTS = """
    INSERT INTO span_supplements (project_id, trace_id, span_id, day, kind, digest, body)
    SELECT * FROM unnest(%s::int8[], %s::uuid[], %s::int8[], %s::date[], %s::text[], %s::bytea[],
        %s::bytea[]) AS sent ORDER BY 1, 2, 3, 6
    ON CONFLICT (project_id, trace_id, span_id, digest) DO NOTHING
"""


SPANS = """
    SELECT trace_id, span_id, parent_id, name, kind, start_ns, duration_ns, error, provider, model,
        input_tokens, output_tokens, total_tokens, cost, cost_computed, facts, payload
    FROM spans WHERE project_id = %s AND day = %s AND trace_id = ANY(%s)
    ORDER BY trace_id, start_ns, span_id LIMIT %s
"""
RECEIVED = """
    SELECT span_id, name, payload FROM spans
    WHERE project_id = %s AND day = %s AND trace_id = %s
    ORDER BY start_ns, span_id LIMIT %s
"""
REGISTER = """
    INSERT INTO traces_promptversion
        (project_id, name, version, template, author, message, first_seen_at, created_at)
    SELECT %s, n, v, '', '', '', at, now()
    FROM unnest(%s::text[], %s::text[], %s::timestamptz[]) AS seen (n, v, at) ORDER BY n, v
    ON CONFLICT (project_id, name, version) DO UPDATE
    SET first_seen_at = least(traces_promptversion.first_seen_at, excluded.first_seen_at)
    WHERE traces_promptversion.first_seen_at IS NULL
        OR traces_promptversion.first_seen_at > excluded.first_seen_at
"""


class SupplementRow(NamedTuple):
    """Log records or a patch of one span; `body` is zstd of JSON, `digest` a hash of the JSON."""

    project_id: int
    trace_id: UUID
    span_id: int
    kind: str
    digest: bytes
    body: bytes


class FeedbackRow(NamedTuple):
    """One score. `value` is JSON text; `key` makes it idempotent in its project."""

    project_id: int
    trace_id: UUID
    span_id: str
    key: str
    name: str
    value: str
    label: str
    comment: str
    source: str


class Written(NamedTuple):
    """What one transaction stored: traces seen for the first time, and all traces touched.

    Spans of traces that sampling has dropped are counted apart and not among these.
    """

    new_traces: int
    traces: int
    spans: int


def conninfo(**extra: Any) -> str:
    """Return the libpq address of the database that Django uses, for connections of our own."""
    db = settings.DATABASES["default"]
    options = {k: v for k, v in db["OPTIONS"].items() if k not in {"pool", "connect_timeout"}}
    return make_conninfo(
        **{
            "dbname": db["NAME"],
            "user": db["USER"],
            "password": db["PASSWORD"],
            "host": db["HOST"],
            "port": db["PORT"],
            "connect_timeout": 3,
            **options,
            **extra,
        }
    )


def prepare(conn: AsyncConnection[Any]) -> None:
    """Set a connection up for `write`: payloads come as JSON text and go through untouched."""
    set_json_dumps(lambda text: text, conn)
    conn.prepare_threshold = None


def fold(rows: Iterable[SpanRow]) -> list[SpanRow]:
    """Return one row per span, the one that `UPSERT_SPANS` would keep.

    Two versions in one group cannot both go into one statement.
    """
    kept: dict[tuple[int, UUID, int], SpanRow] = {}
    for row in rows:
        key = (row.project_id, row.trace_id, row.span_id)
        known = kept.get(key)
        if known is None or row.rank >= known.rank:
            kept[key] = row
    return list(kept.values())


def span_columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    """Return full rows of `spans` as the arrays that `UPSERT_SPANS` takes."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    at = TYPES.index("json")
    columns[at] = [text.decode() for text in columns[at]]
    return columns


async def write(conn: AsyncConnection[Any], rows: Sequence[SpanRow], today: date) -> Written:
    """Store spans inside the caller's transaction and mark their traces dirty.

    Spans of new traces go by COPY, since nobody else can hold them before we commit; spans of
    known traces by an upsert, whose arrival rows are locked by then.
    """
    rows = fold(rows)
    cursor = conn.cursor()
    days = await _arrive(cursor, {(row.project_id, row.trace_id) for row in rows}, today)
    fresh: list[tuple[Any, ...]] = []
    known: list[tuple[Any, ...]] = []
    late: Counter[int] = Counter()
    large: list[payloads.Key] = []
    least = settings.PAYLOAD_BYTES if settings.PAYLOADS_URL else inf
    for row in rows:
        place = days.get((row.project_id, row.trace_id))
        if place is None:
            late[row.project_id] += 1
            continue
        day, new = place
        (fresh if new else known).append((row.project_id, day, *row[1:]))
        if row.size > least:
            large.append((row.project_id, day, row.trace_id, row.span_id))
    if fresh:
        async with cursor.copy(COPY_SPANS) as copy:
            copy.set_types(COPY_TYPES)
            for values in fresh:
                await copy.write_row(values)
    if known:
        await cursor.execute(UPSERT_SPANS, span_columns(known))
    if large:
        await cursor.execute(payloads.PUT_UP, payloads.put_up(large))
    if late:
        await cursor.execute(COUNT_LATE, [list(late), list(late.values())])
    new_traces = sum(new for _, new in days.values())
    return Written(new_traces, len(days), len(fresh) + len(known))


async def _arrive(
    cursor: AsyncCursor[Any], traces: Iterable[tuple[int, UUID]], today: date
) -> dict[tuple[int, UUID], tuple[date, bool]]:
    """Mark traces dirty; return the day of each and whether it is new, without dropped ones."""
    keys = sorted(traces)
    await cursor.execute(ARRIVE, (today, [p for p, _ in keys], [t for _, t in keys]))
    return {
        (project_id, trace_id): (day, new)
        for project_id, trace_id, day, new, dropped in await cursor.fetchall()
        if not dropped
    }


async def add_supplements(
    conn: AsyncConnection[Any], rows: Sequence[SupplementRow], today: date
) -> None:
    """Store supplements in the caller's transaction and mark their traces dirty."""
    if not rows:
        return
    known = await _arrive(conn.cursor(), {(row.project_id, row.trace_id) for row in rows}, today)
    distinct = {
        (row.project_id, row.trace_id, row.span_id, row.digest): row
        for row in rows
        if (row.project_id, row.trace_id) in known
    }
    if not distinct:
        return
    columns = [list(c) for c in zip(*distinct.values(), strict=True)]
    columns.insert(3, [today] * len(distinct))
    await conn.execute(ADD_SUPPLEMENTS, columns)


async def add_feedback(conn: AsyncConnection[Any], rows: Sequence[FeedbackRow]) -> int:
    """Store scores in the caller's transaction, mark their traces dirty, return how many are new.

    A score may come before its trace: it waits and is found when the trace arrives.
    """
    if not rows:
        return 0
    columns = [list(column) for column in zip(*rows, strict=True)]
    cursor = await conn.execute(ADD_FEEDBACK, columns)
    new = await cursor.fetchall()
    for project_id in sorted({project_id for project_id, _ in new}):
        traces = sorted({trace for owner, trace in new if owner == project_id})
        await conn.execute(MARK_DIRTY, (project_id, traces))
    return len(new)


async def ensure_partitions(conn: AsyncConnection[Any], first: date, last: date) -> None:
    """Make the partitions of these days if they are missing (at most 10 at once)."""
    await conn.execute("SELECT tracehub_ensure_partitions(%s, %s)", (first, last))


def mark_dirty(project_id: int, trace_ids: Iterable[UUID]) -> None:
    """Ask the worker to look at these traces again, in the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(MARK_DIRTY, (project_id, sorted(set(trace_ids))))


def spans_of(
    project_id: int, day: date, traces: Sequence[UUID], limit: int
) -> list[dict[str, Any]]:
    """Return whole rows of traces' spans, payloads included, by trace and start.

    Reads one partition, and at most `limit` spans of all of them together.
    """
    connection.ensure_connection()
    with connection.connection.cursor(row_factory=dict_row) as cursor:
        set_json_loads(orjson.loads, cursor)  # of this cursor only: JSONField wants text
        rows: list[dict[str, Any]] = cursor.execute(
            SPANS, (project_id, day, list(traces), limit)
        ).fetchall()
    return objects.whole(rows)


def received_of(project_id: int, day: date, trace_id: UUID, limit: int) -> list[dict[str, Any]]:
    """Return `span_id` (a number), `name` and `payload` of a trace's spans, by start."""
    connection.ensure_connection()
    with connection.connection.cursor(row_factory=dict_row) as cursor:
        set_json_loads(orjson.loads, cursor)
        rows: list[dict[str, Any]] = cursor.execute(
            RECEIVED, (project_id, day, trace_id, limit)
        ).fetchall()
    return objects.whole(rows)


def register_prompts(project_id: int, seen: Mapping[tuple[str, str], datetime]) -> None:
    """Keep prompt versions with the earliest start they were seen at."""
    with connection.cursor() as cursor:
        cursor.execute(
            REGISTER,
            (project_id, [n for n, _ in seen], [v for _, v in seen], list(seen.values())),
        )
