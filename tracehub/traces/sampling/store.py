"""Sampling's statements: what waits to be judged, what goes, and what is remembered of it.

Every trace of a project that samples is put up once, when its row is first written, unless it is
in the share. `digest.sampling` judges; docs/design/storage.md says why nothing is counted twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from tracehub.core.query import Filter
from tracehub.core.query.terms import ALL
from tracehub.core.share import QUIET, Kept
from tracehub.traces import rollup
from tracehub.traces.attributes import store as attributes
from tracehub.traces.extent import Range
from tracehub.traces.facets import source
from tracehub.traces.media import store as media
from tracehub.traces.payloads import store as payloads

ONE_IN = "SELECT one_in FROM samplings WHERE project_id = %s"
# Nothing in the row of such a trace speaks for it.
UNMARKED = """
    NOT failing AND status <> 'error' AND error_count = 0 AND verdict IS NULL
    AND reviewers = '{}' AND NOT promoted AND failures = '{}' AND feedback = '[]'::jsonb
"""
PUT_UP = """
    INSERT INTO sampling_waiting (project_id, trace_id, day, due_at)
    SELECT %s, t, %s, %s FROM unnest(%s::uuid[]) AS seen (t) ORDER BY t
    ON CONFLICT (project_id, trace_id) DO UPDATE SET due_at = excluded.due_at
"""
PUT_OFF = """
    UPDATE sampling_waiting SET due_at = %s WHERE project_id = %s AND trace_id = ANY(%s)
"""
# Oldest first, by the index on due_at; what another worker judges is skipped.
DUE = """
    SELECT project_id, trace_id, day FROM sampling_waiting WHERE due_at <= %s
    ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED
"""
JUDGED = """
    DELETE FROM sampling_waiting w USING unnest(%s::int8[], %s::uuid[]) AS done (p, t)
    WHERE w.project_id = p AND w.trace_id = t
"""
# Held until the traces are gone: spans that come meanwhile wait here, and then find the mark.
# A trace that is dirty is none of them: the worker looks at it first.
HOLD = """
    SELECT trace_id FROM arrivals
    WHERE project_id = %s AND trace_id = ANY(%s) AND dirty_seq IS NULL AND NOT dropped
    ORDER BY trace_id FOR UPDATE SKIP LOCKED
"""
WITHOUT_MARK = f"""
    SELECT trace_id FROM traces
    WHERE project_id = %s AND day = %s AND trace_id = ANY(%s) AND {UNMARKED}
"""  # noqa: S608 our own text
COUNTERS = (
    "traces", "spans", "finished", "successes", "retries", "fallbacks", "timeouts",
    "input_tokens", "output_tokens", "cost",
)  # fmt: skip
# The rows go and their sums stay, in one statement. `spans` go by the key of their partition.
DELETE_ROWS = f"""
    WITH gone AS (
        DELETE FROM traces WHERE project_id = %s AND day = %s AND trace_id = ANY(%s) RETURNING *
    ), summed AS (
        INSERT INTO dropped_hours AS kept (project_id, hour, {", ".join(COUNTERS)})
        SELECT project_id, date_trunc('hour', started_at, 'UTC'), count(*), sum(span_count),
            count(*) FILTER (WHERE finished),
            count(*) FILTER (WHERE finished
                AND coalesce(outcome, 'answered') IN ('answered', 'clarified')),
            sum(retries), sum(fallbacks), sum(timeouts), coalesce(sum(input_tokens), 0),
            coalesce(sum(output_tokens), 0), coalesce(sum(cost), 0)
        FROM gone GROUP BY 1, 2 ORDER BY 1, 2
        ON CONFLICT (project_id, hour) DO UPDATE
        SET {", ".join(f"{c} = kept.{c} + excluded.{c}" for c in COUNTERS)}
    )
    SELECT gone.*, cardinality(terms) > 0 AS counted FROM gone
"""  # noqa: S608 our own text
DELETE_SPANS = "DELETE FROM spans WHERE project_id = %s AND day = %s AND trace_id = ANY(%s)"
DELETE_TEXTS = "DELETE FROM trace_texts WHERE project_id = %s AND day = %s AND trace_id = ANY(%s)"
DELETE_SUPPLEMENTS = "DELETE FROM span_supplements WHERE project_id = %s AND trace_id = ANY(%s)"
MARK = "UPDATE arrivals SET dropped = true WHERE project_id = %s AND trace_id = ANY(%s)"
FORGET = "DELETE FROM dropped_hours WHERE hour < %(before)s"
FORGET_ERASED = "DELETE FROM erased_hours WHERE hour < %(before)s"
DROPPED = """
    SELECT coalesce(sum(traces), 0)::int8, coalesce(sum(spans), 0)::int8,
        coalesce(sum(late_spans), 0)::int8
    FROM dropped_hours WHERE project_id = %s AND hour >= %s AND hour < %s
"""
SUMMARY = """
    SELECT (SELECT count(*) FROM samplings WHERE one_in > 1),
        (SELECT coalesce(sum(traces), 0)::int8 FROM dropped_hours WHERE hour >= %s)
"""
OVERDUE = "SELECT count(*), min(due_at) FROM sampling_waiting WHERE due_at < %s"


class Due(NamedTuple):
    """A trace whose ten minutes are over."""

    project_id: int
    trace_id: UUID
    day: date


class Droppable(NamedTuple):
    """How many traces of all nothing speaks for."""

    traces: int
    total: int
    estimated: bool


class Dropped(NamedTuple):
    """What sampling deleted, and what came for it afterwards."""

    traces: int
    spans: int
    late_spans: int


def one_in(project_id: int) -> int:
    """Return the share that a project keeps: 1 of so many."""
    with connection.cursor() as cursor:
        cursor.execute(ONE_IN, [project_id])
        row = cursor.fetchone()
    return int(row[0]) if row else 1


def put_up(cursor: Any, project_id: int, day: date, now: datetime, new: Sequence[UUID]) -> None:
    """Have new traces of a partition judged when they were quiet for QUIET."""
    if new:
        cursor.execute(PUT_UP, (project_id, day, now + QUIET, list(new)))


def put_off(cursor: Any, project_id: int, now: datetime, changed: Sequence[UUID]) -> None:
    """Begin the time of quiet anew for traces that wait and changed. A probe of a small key."""
    if changed:
        cursor.execute(PUT_OFF, (now + QUIET, project_id, list(changed)))


def due(cursor: Any, now: datetime, limit: int) -> list[Due]:
    """Return traces to judge and hold their places until the transaction ends."""
    return [Due(**row) for row in cursor.execute(DUE, (now, limit)).fetchall()]


def judged(cursor: Any, done: Sequence[Due]) -> None:
    """Take traces off the list for good."""
    if done:
        cursor.execute(JUDGED, ([d.project_id for d in done], [d.trace_id for d in done]))


def hold(cursor: Any, project_id: int, traces: Sequence[UUID]) -> list[UUID]:
    """Return those that nothing new came for, and keep ingestion off them."""
    rows = cursor.execute(HOLD, (project_id, list(traces))).fetchall()
    return [row["trace_id"] for row in rows]


def unmarked(cursor: Any, project_id: int, day: date, traces: Sequence[UUID]) -> set[UUID]:
    """Return those whose rows say neither failing nor error, feedback, review, group or case."""
    rows = cursor.execute(WITHOUT_MARK, (project_id, day, list(traces))).fetchall()
    return {row["trace_id"] for row in rows}


def delete(cursor: Any, project_id: int, day: date, traces: Sequence[UUID]) -> list[dict[str, Any]]:
    """Delete traces of a partition, remember that, and return their rows as they were."""
    key = (project_id, day, list(traces))
    gone: list[dict[str, Any]] = cursor.execute(DELETE_ROWS, key).fetchall()
    delete_content(cursor, project_id, day, traces)
    return gone


def delete_content(cursor: Any, project_id: int, day: date, traces: Sequence[UUID]) -> None:
    """Delete what traces of a partition say, and keep spans that come for them later away."""
    key = (project_id, day, list(traces))
    cursor.execute(DELETE_SPANS, key)
    cursor.execute(DELETE_TEXTS, key)
    attributes.delete(cursor, project_id, day, traces)
    cursor.execute(DELETE_SUPPLEMENTS, (project_id, list(traces)))
    payloads.release(cursor, project_id, traces)
    media.release(cursor, project_id, traces)
    cursor.execute(MARK, (project_id, list(traces)))


def forget(cursor: Any, before: datetime) -> None:
    """Forget the hours that the charts have forgotten."""
    for statement in (FORGET, FORGET_ERASED):
        cursor.execute(statement, {"before": before})


def dropped(project_id: int, start: datetime, end: datetime) -> Dropped:
    """Return what was dropped of the hours that touch [start, end)."""
    with connection.cursor() as cursor:
        cursor.execute(DROPPED, [project_id, rollup.floor(start), end])
        return Dropped(*cursor.fetchone())


def kept(within: Range) -> Kept | None:
    """Return the share that is stored of a range, by whole hours; None when that is all of it."""
    gone = dropped(within.project.pk, within.start, within.end).traces
    if not gone:
        return None
    first, last = rollup.floor(within.start), rollup.ceiling(within.end)
    stored = rollup.totals(within.project.pk, [ALL], first, last)
    return Kept(stored.get((ALL, ""), (0, 0))[0], gone)


def droppable(within: Range) -> Droppable:
    """Count the traces of a range that nothing speaks for, stored or dropped already.

    One scan of the range, or of a sample of it.
    """
    rows = source(within, Filter())
    statement = (
        f"SELECT count(*) FILTER (WHERE {UNMARKED}), count(*)"  # noqa: S608 our own text
        f" FROM {rows.table} WHERE {rows.condition}"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, rows.params)
        found, total = map(rows.times, cursor.fetchone())
    gone = dropped(within.project.pk, within.start, within.end).traces
    return Droppable(found + gone, total + gone, rows.factor > 1)


def overdue(now: datetime, late: timedelta) -> tuple[int, datetime | None]:
    """Return how many traces should have been judged `late` ago, and since when the oldest."""
    with connection.cursor() as cursor:
        cursor.execute(OVERDUE, [now - late])
        count, since = cursor.fetchone()
    return int(count), since


def summary(since: datetime) -> str:
    """Say in a line how many projects sample and what that dropped, for an operator."""
    with connection.cursor() as cursor:
        cursor.execute(SUMMARY, [since])
        projects, traces = cursor.fetchone()
    if not projects:
        return "off in every project"
    return f"on in {projects} project{'s'[: projects > 1]}, {traces} traces dropped in 24 h"
