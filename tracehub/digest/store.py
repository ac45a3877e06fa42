"""Trace rows out: the statements that the worker runs, in batches of one project and day.

The worker takes no lock on `arrivals` while it computes, so ingestion never waits for it: an
advisory lock per shard keeps two workers apart, and a trace whose `dirty_seq` moved meanwhile
simply stays dirty.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import psycopg
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads

from tracehub.core.packing import decompress
from tracehub.core.stored import SpanRow, content_in
from tracehub.core.supplements import Supplement
from tracehub.traces.payloads.objects import whole
from tracehub.traces.payloads.store import rewritten
from tracehub.traces.store import UPSERT_SPANS as REWRITE_SPANS
from tracehub.traces.store import span_columns

# Of the traces, by their ids. A worker takes half of them at a time, so two can work at once.
SHARDS = ((0, 1, 2, 3), (4, 5, 6, 7))
_LOCK = 7425  # first key of the advisory locks of digest shards

CLAIM = """
    SELECT project_id, trace_id, day, dirty_seq FROM arrivals
    WHERE dirty_seq IS NOT NULL AND dirty_seq <= %s AND tries < %s
        AND (get_byte(uuid_send(trace_id), 15) & 7) = ANY(%s)
    ORDER BY dirty_seq LIMIT %s
"""
LOAD_SPANS = """
    SELECT trace_id, span_id, parent_id, name, kind, start_ns, duration_ns, error, provider, model,
        input_tokens, output_tokens, total_tokens, cost, facts
    FROM spans WHERE project_id = %s AND day = %s AND trace_id = ANY(%s)
"""
LOAD_TRACES = """
    SELECT project_id, day, trace_id, digest_hash, contribution, started_at, finished, failing,
        status, verdict, retries, fallbacks, timeouts, promoted, streaming, signal_kinds, prompts,
        models, environment, cohort, failure_modes, tags, cardinality(terms) > 0 AS counted,
        failures, user_id, release, tools
    FROM traces WHERE project_id = %s AND day = %s AND trace_id = ANY(%s)
"""
LOAD_PAYLOADS = """
    SELECT trace_id, span_id, payload
    FROM spans WHERE project_id = %s AND day = %s
        AND (trace_id, span_id) IN (SELECT * FROM unnest(%s::uuid[], %s::int8[]))
"""
# Most projects send none: one probe of an empty index. FOR UPDATE, since ingestion may be
# replacing the span at this moment.
LOAD_SUPPLEMENTS = """
    SELECT trace_id, span_id, kind, body FROM span_supplements
    WHERE project_id = %s AND trace_id = ANY(%s) ORDER BY id
"""
LOCK_SPANS = """
    SELECT project_id, trace_id, span_id, name, start_ns, duration_ns, payload, rank
    FROM spans WHERE project_id = %s AND day = %s
        AND (trace_id, span_id) IN (SELECT * FROM unnest(%s::uuid[], %s::int8[]))
    ORDER BY trace_id, span_id FOR UPDATE
"""
# The next traces of a project's day, by the primary key of its partition.
DAY_TRACES = """
    SELECT trace_id FROM traces WHERE project_id = %s AND day = %s AND trace_id > %s
    ORDER BY trace_id LIMIT %s
"""
# Calls that nobody sent a cost for; held until the transaction ends, in the order of ingestion.
LOCK_CALLS = """
    SELECT trace_id, span_id, parent_id, name, kind, start_ns, duration_ns, error, provider, model,
        input_tokens, output_tokens, total_tokens, cost, facts
    FROM spans WHERE project_id = %s AND day = %s AND trace_id = ANY(%s) AND model IS NOT NULL
        AND (cost IS NULL OR cost_computed)
    ORDER BY trace_id, span_id FOR UPDATE
"""
SET_COSTS = """
    UPDATE spans AS s SET cost = new.cost, cost_computed = new.cost IS NOT NULL
    FROM unnest(%s::uuid[], %s::int8[], %s::numeric[]) AS new (trace_id, span_id, cost)
    WHERE s.project_id = %s AND s.day = %s AND s.trace_id = new.trace_id
        AND s.span_id = new.span_id
"""
# Sorted, so that two workers and ingestion lock arrivals in one order.
CLEAN = """
    WITH mine AS (
        SELECT a.project_id, a.trace_id FROM arrivals a
        JOIN unnest(%s::int8[], %s::uuid[], %s::int8[]) AS done (p, t, seq)
            ON a.project_id = p AND a.trace_id = t AND a.dirty_seq = seq
        ORDER BY 1, 2 FOR UPDATE OF a
    )
    UPDATE arrivals a SET dirty_seq = NULL, dirty_at = NULL, tries = 0 FROM mine
    WHERE a.project_id = mine.project_id AND a.trace_id = mine.trace_id
"""
WAITS = """
    SELECT EXISTS (
        SELECT FROM arrivals WHERE dirty_seq IS NOT NULL AND tries < %s
    ) AS waits
"""
FAILED = """
    UPDATE arrivals SET tries = tries + 1 WHERE project_id = %s AND trace_id = %s
    RETURNING tries
"""

# (column, type) in the order of `TraceRow`.
COLUMNS: tuple[tuple[str, str], ...] = (
    ("project_id", "int8"),
    ("day", "date"),
    ("trace_id", "uuid"),
    ("started_at", "timestamptz"),
    ("duration_ns", "int8"),
    ("name", "text"),
    ("provisional", "bool"),
    ("status", "text"),
    ("finished", "bool"),
    ("environment", "text"),
    ("release", "text"),
    ("cohort", "text"),
    ("service", "text"),
    ("session_id", "text"),
    ("user_id", "text"),
    ("tags", "text[]"),
    ("metadata", "jsonb"),
    ("models", "text[]"),
    ("providers", "text[]"),
    ("prompts", "text[]"),
    ("tools", "text[]"),
    ("agents", "text[]"),
    ("finish_reasons", "text[]"),
    ("input_tokens", "int8"),
    ("output_tokens", "int8"),
    ("cached_tokens", "int8"),
    ("reasoning_tokens", "int8"),
    ("total_tokens", "int8"),
    ("cost", "numeric"),
    ("ttft_ns", "int8"),
    ("retries", "int4"),
    ("fallbacks", "int4"),
    ("timeouts", "int4"),
    ("streaming", "bool"),
    ("outcome", "text"),
    ("span_count", "int4"),
    ("error_count", "int4"),
    ("root_present", "bool"),
    ("input_preview", "text"),
    ("output_preview", "text"),
    ("signals", "jsonb"),
    ("signal_kinds", "text[]"),
    ("severity", "text"),
    ("feedback", "jsonb"),
    ("verdict", "text"),
    ("failure_modes", "text[]"),
    ("reviewers", "text[]"),
    ("failing", "bool"),
    ("promoted", "bool"),
    ("failures", "int8[]"),
    ("contribution", "json"),
    ("digest_hash", "int8"),
    ("span_kinds", "text[]"),
    ("span_names", "text[]"),
    ("terms", "int8[]"),
)
_KEY = {"project_id", "day", "trace_id"}
# Rows travel as one JSON array: arrays of arrays cannot go through unnest, and one parameter
# costs less to bind than fifty. Measured: 45 us a row, of which 20 are the index and the heap.
WRITE_TRACES = sql.SQL(
    """
    INSERT INTO traces ({names})
    SELECT {names} FROM json_to_recordset(%s::json) AS sent ({typed})
    ORDER BY project_id, day, trace_id
    ON CONFLICT (project_id, day, trace_id) DO UPDATE SET ({changed}) = ({new})
    """
).format(
    names=sql.SQL(", ").join(sql.Identifier(name) for name, _ in COLUMNS),
    typed=sql.SQL(", ").join(
        sql.SQL("{} " + kind).format(sql.Identifier(name)) for name, kind in COLUMNS
    ),
    changed=sql.SQL(", ").join(sql.Identifier(name) for name, _ in COLUMNS if name not in _KEY),
    new=sql.SQL(", ").join(
        sql.Identifier("excluded", name) for name, _ in COLUMNS if name not in _KEY
    ),
)


class Claimed(NamedTuple):
    """A trace whose row the worker should look at, as it stood at `dirty_seq`."""

    project_id: int
    trace_id: UUID
    day: date
    dirty_seq: int


Cursor = psycopg.Cursor[Any]


def driver_cursor() -> Cursor:
    """Return a psycopg cursor of Django's connection, with rows as dicts and jsonb by orjson."""
    connection.ensure_connection()
    cursor: Cursor = connection.connection.cursor(row_factory=dict_row)
    # Of this cursor only: Django's JSONField must go on getting text from the connection.
    set_json_loads(orjson.loads, cursor)
    return cursor


def high_mark(cursor: Cursor) -> int:
    """Return the newest `dirty_seq` handed out: one cycle works up to it, no further."""
    row = cursor.execute("SELECT last_value FROM arrivals_dirty_seq").fetchone()
    return int(row["last_value"]) if row else 0


def try_shards(cursor: Cursor, shards: Sequence[int]) -> list[int]:
    """Take shards for this transaction; return those that no other worker holds."""
    rows = cursor.execute(
        "SELECT s FROM unnest(%s::int[]) AS s WHERE pg_try_advisory_xact_lock(%s, s)",
        (list(shards), _LOCK),
    ).fetchall()
    return [row["s"] for row in rows]


def claim(
    cursor: Cursor, shards: Sequence[int], *, up_to: int, limit: int, tries: int
) -> list[Claimed]:
    """Return dirty traces of shards, oldest first. Reads the partial index on dirty rows."""
    rows = cursor.execute(CLAIM, (up_to, tries, list(shards), limit)).fetchall()
    return [Claimed(r["project_id"], r["trace_id"], r["day"], r["dirty_seq"]) for r in rows]


def load_spans(
    cursor: Cursor, project_id: int, day: date, traces: Sequence[UUID]
) -> list[dict[str, Any]]:
    """Return the narrow part of all spans of these traces. Touches no payload."""
    return cursor.execute(LOAD_SPANS, (project_id, day, list(traces))).fetchall()


def load_supplements(
    cursor: Cursor, project_id: int, traces: Sequence[UUID]
) -> dict[tuple[UUID, int], list[Supplement]]:
    """Return what came apart from its span for these traces, by (trace, span number)."""
    found: dict[tuple[UUID, int], list[Supplement]] = {}
    for row in cursor.execute(LOAD_SUPPLEMENTS, (project_id, list(traces))).fetchall():
        body = orjson.loads(decompress(row["body"]))
        found.setdefault((row["trace_id"], row["span_id"]), []).append(
            Supplement(row["kind"], body)
        )
    return found


def lock_spans(
    cursor: Cursor, project_id: int, day: date, spans: Sequence[tuple[UUID, int]]
) -> list[dict[str, Any]]:
    """Return what was received of single spans and hold them until the transaction ends."""
    ids = ([trace for trace, _ in spans], [span for _, span in spans])
    return whole(cursor.execute(LOCK_SPANS, (project_id, day, *ids)).fetchall())


def rewrite_spans(cursor: Cursor, day: date, rows: Sequence[SpanRow]) -> None:
    """Replace spans that were normalised anew."""
    columns = span_columns([(row.project_id, day, *row[1:]) for row in rows])
    cursor.execute(REWRITE_SPANS, columns)
    rewritten(cursor, [(row.project_id, day, row.trace_id, row.span_id) for row in rows])


def day_traces(cursor: Cursor, project_id: int, day: date, after: UUID, most: int) -> list[UUID]:
    """Return the next traces of a day, in the order of their ids."""
    rows = cursor.execute(DAY_TRACES, (project_id, day, after, most)).fetchall()
    return [row["trace_id"] for row in rows]


def lock_calls(
    cursor: Cursor, project_id: int, day: date, traces: Sequence[UUID]
) -> list[dict[str, Any]]:
    """Return the calls whose cost is computed or not known, and hold them."""
    return cursor.execute(LOCK_CALLS, (project_id, day, list(traces))).fetchall()


def set_costs(
    cursor: Cursor, project_id: int, day: date, costs: Sequence[tuple[UUID, int, Decimal | None]]
) -> None:
    """Store costs of single spans (trace, span number, US dollars)."""
    columns = [list(column) for column in zip(*costs, strict=True)]
    cursor.execute(SET_COSTS, (*columns, project_id, day))


def load_traces(
    cursor: Cursor, project_id: int, day: date, traces: Sequence[UUID]
) -> dict[UUID, dict[str, Any]]:
    """Return what the stored rows of these traces were made from, by trace."""
    rows = cursor.execute(LOAD_TRACES, (project_id, day, list(traces))).fetchall()
    return {row["trace_id"]: row for row in rows}


def load_payloads(
    cursor: Cursor, project_id: int, day: date, spans: Sequence[tuple[UUID, int]]
) -> dict[tuple[UUID, int], dict[str, Any]]:
    """Return the contents of single spans, by (trace, span number)."""
    if not spans:
        return {}
    ids = ([trace for trace, _ in spans], [span for _, span in spans])
    rows = whole(cursor.execute(LOAD_PAYLOADS, (project_id, day, *ids)).fetchall())
    return {(row["trace_id"], row["span_id"]): content_in(row["payload"]) for row in rows}


def write_traces(cursor: Cursor, rows: Sequence[dict[str, Any]]) -> None:
    """Insert or replace trace rows in one statement; each dict has every key of COLUMNS."""
    if rows:
        text = orjson.dumps(rows, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
        cursor.execute(WRITE_TRACES, (text,))


def clean(cursor: Cursor, done: Sequence[Claimed]) -> None:
    """Mark traces as up to date, unless they were touched since they were claimed."""
    if done:
        cursor.execute(
            CLEAN,
            (
                [c.project_id for c in done],
                [c.trace_id for c in done],
                [c.dirty_seq for c in done],
            ),
        )


def failed(cursor: Cursor, project_id: int, trace_id: UUID) -> int:
    """Count a failed digest and return how many there were."""
    row = cursor.execute(FAILED, (project_id, trace_id)).fetchone()
    return int(row["tries"]) if row else 0


def lag(cursor: Cursor) -> tuple[int, datetime | None]:
    """Return how many traces wait for the worker and since when the oldest does."""
    row = cursor.execute(
        "SELECT count(*) AS waiting, min(dirty_at) AS since FROM arrivals"
        " WHERE dirty_seq IS NOT NULL"
    ).fetchone()
    return (row["waiting"], row["since"]) if row else (0, None)


def waiting(cursor: Cursor, tries: int) -> bool:
    """Tell whether a trace waits for the worker; one that failed `tries` times does not."""
    row = cursor.execute(WAITS, (tries,)).fetchone()
    return bool(row and row["waits"])


def pending_migrations() -> int:
    """Return how many migrations this database has not had yet."""
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def received() -> int:
    """Return how many traces came since the statistics of the database began."""
    return _number(
        "SELECT coalesce(sum(n_tup_ins), 0) FROM pg_stat_user_tables WHERE relname = 'arrivals'"
    )


def unfolded() -> int:
    """Return how many changes the rollups still merge. A scan of a table that is mostly empty."""
    return _number("SELECT count(*) FROM rollup_deltas")


def database_size() -> int:
    """Return the size of the database in bytes."""
    return _number("SELECT pg_database_size(current_database())")


def _number(query: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(query)
        row = cursor.fetchone()
    return int(row[0]) if row else 0
