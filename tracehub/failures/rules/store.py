"""Statements of the second pass: rules of a project, what waits, what was found, what is usual."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.db import connection

from tracehub.core import span_facts
from tracehub.core.query import terms
from tracehub.core.signals.base import Asked
from tracehub.core.signals.custom import CustomRule
from tracehub.core.signals.rules import Baseline, Rules, ScoreLimit
from tracehub.core.trace import Signal
from tracehub.failures.models import SecondLook

# Four look-ups by project in one journey; all of it together is some KB.
RULES = """
    SELECT
        (SELECT coalesce(jsonb_agg(jsonb_build_array(kind, "on", threshold)), '[]')
            FROM failures_signalsetting WHERE project_id = %(project)s),
        (SELECT coalesce(jsonb_agg(jsonb_build_array(name, at_most, labels)), '[]')
            FROM failures_scoresetting WHERE project_id = %(project)s),
        (SELECT coalesce(jsonb_agg(jsonb_build_array(key, calls, duration_ns, cost, tokens)), '[]')
            FROM failures_callbaseline WHERE project_id = %(project)s)
"""
CUSTOM = """
    SELECT slug, name, severity, q, field, pattern FROM failures_customsignal
    WHERE project_id = %s AND "on" ORDER BY id
"""
# Sorted, so that two workers never wait for each other in a circle.
ASK = """
    INSERT INTO second_looks (project_id, trace_id, day, asked_at)
    SELECT %s, t, %s, now() FROM unnest(%s::uuid[]) AS t ORDER BY t
    ON CONFLICT (project_id, trace_id) DO UPDATE SET day = excluded.day
"""
# By the index on age; a row that another worker holds is skipped.
WAITING = """
    SELECT project_id, trace_id, day FROM second_looks ORDER BY asked_at LIMIT %s
    FOR UPDATE SKIP LOCKED
"""
DONE = """
    DELETE FROM second_looks USING unnest(%s::int8[], %s::uuid[]) AS done (p, t)
    WHERE project_id = p AND trace_id = t
"""
LAG = "SELECT count(*), min(asked_at) FROM second_looks WHERE project_id = %s"
FOUND = "SELECT trace_id, signals FROM late_signals WHERE project_id = %s AND trace_id = ANY(%s)"
# By key; no row while the worker has not done all that it has to do with the trace.
SETTLED = """
    SELECT coalesce((SELECT l.signals FROM late_signals l
        WHERE l.project_id = a.project_id AND l.trace_id = a.trace_id), '[]')
    FROM arrivals a
    WHERE a.project_id = %(project)s AND a.trace_id = %(trace)s AND a.dirty_seq IS NULL
        AND NOT EXISTS (SELECT FROM second_looks w
            WHERE w.project_id = a.project_id AND w.trace_id = a.trace_id)
"""
KEEP = """
    INSERT INTO late_signals (project_id, trace_id, day, signals)
    SELECT %s, t, %s, s::jsonb FROM unnest(%s::uuid[], %s::text[]) AS sent (t, s) ORDER BY t
    ON CONFLICT (project_id, trace_id) DO UPDATE
    SET signals = excluded.signals, day = excluded.day
"""
FORGET = "DELETE FROM late_signals WHERE project_id = %s AND trace_id = ANY(%s)"
FORGET_BEFORE = "DELETE FROM late_signals WHERE day < %s"
# By primary key; what began in no session asks nothing.
SESSIONS = """
    SELECT trace_id, session_id, started_at FROM traces
    WHERE project_id = %s AND day = %s AND trace_id = ANY(%s) AND session_id IS NOT NULL
"""
# The newest questions of sessions before moments, all in one: near traces by the index on terms,
# their texts by key. Without the fence the planner walks the index on start for each.
EARLIER = """
    WITH near AS MATERIALIZED (
        SELECT day, trace_id, session_id, started_at FROM traces
        WHERE project_id = %(project)s AND day >= %(day)s AND started_at >= %(start)s
            AND started_at < %(end)s AND terms && %(terms)s::int8[]
            AND session_id = ANY(%(sessions)s::text[])
    )
    SELECT asked.trace_id, said.trace_id, said.input
    FROM unnest(%(traces)s::uuid[], %(sessions)s::text[], %(moments)s::timestamptz[])
        AS asked (trace_id, session_id, at)
    CROSS JOIN LATERAL (
        SELECT near.trace_id, near.started_at, x.input FROM near
        JOIN trace_texts x ON x.project_id = %(project)s AND x.day = near.day
            AND x.trace_id = near.trace_id AND x.input <> ''
        WHERE near.session_id = asked.session_id AND near.started_at < asked.at
            AND near.started_at >= asked.at - %(within)s
        ORDER BY near.started_at DESC LIMIT %(most)s
    ) AS said ORDER BY asked.trace_id, said.started_at DESC
"""
TEXTS = """
    SELECT trace_id, {column} FROM trace_texts
    WHERE project_id = %s AND day = ANY(%s) AND trace_id = ANY(%s)
"""
# Once an hour and project: the newest traces by the index on start, their spans by key.
BASELINES = f"""
    WITH newest AS (
        SELECT day, trace_id FROM traces
        WHERE project_id = %(project)s AND day >= %(day)s AND started_at >= %(start)s
        ORDER BY started_at DESC LIMIT %(traces)s
    ), calls AS (
        SELECT left(coalesce(
                'prompt ' || split_part(s.facts ->> '{span_facts.DIGEST["prompt"]}', '@', 1),
                'span ' || s.name), 320) AS key, s.duration_ns, s.cost, s.total_tokens
        FROM newest n JOIN spans s
            ON s.project_id = %(project)s AND s.day = n.day AND s.trace_id = n.trace_id
        WHERE s.kind = 'llm' AND NOT s.error AND s.duration_ns IS NOT NULL
    )
    INSERT INTO failures_callbaseline (project_id, key, calls, duration_ns, cost, tokens, at)
    SELECT %(project)s, key, count(*),
        percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ns),
        percentile_cont(0.95) WITHIN GROUP (ORDER BY cost),
        percentile_cont(0.95) WITHIN GROUP (ORDER BY total_tokens), now()
    FROM calls GROUP BY key HAVING count(*) >= %(enough)s ORDER BY count(*) DESC LIMIT 500
    ON CONFLICT (project_id, key) DO UPDATE SET calls = excluded.calls,
        duration_ns = excluded.duration_ns, cost = excluded.cost, tokens = excluded.tokens,
        at = excluded.at
"""  # noqa: S608 our own names
# Projects with as many traces as a percentile needs calls, and whose percentiles are of few so far.
# By the hourly counts and the baselines: some hundred rows a project.
YOUNG = """
    SELECT p.id FROM projects_project p
    WHERE (SELECT coalesce(max(calls), 0) FROM failures_callbaseline b WHERE b.project_id = p.id)
            < %(many)s
        AND EXISTS (
            SELECT FROM term_counts c WHERE c.project_id = p.id AND c.key = %(all)s
                AND c.bucket >= %(start)s
            HAVING sum(c.traces) >= %(enough)s
        )
    ORDER BY p.id
"""
# Reviewed traces by the index on terms; people review thousands, not millions.
AGREED = """
    SELECT kind, count(*) FILTER (WHERE verdict = 'fail'), count(*)
    FROM traces, unnest(signal_kinds) AS kind
    WHERE project_id = %s AND day >= %s AND started_at >= %s AND started_at < %s
        AND terms && %s::int8[] AND verdict IN ('fail', 'pass')
    GROUP BY kind
"""
USUAL_TRACES = 5_000
USUAL_FOR = timedelta(days=7)
SESSION = timedelta(hours=1)  # how far back a question counts as asked before
EARLIER_TRACES = 5


class Waiting(NamedTuple):
    """A trace that waits for the second pass."""

    project_id: int
    trace_id: UUID
    day: date


def rules_of(project_id: int) -> Rules:
    """Return what a project wants of the detectors. One small query."""
    with connection.cursor() as cursor:
        cursor.execute(RULES, {"project": project_id})
        settings, scores, baselines = (orjson.loads(value) for value in cursor.fetchone())
    return Rules(
        off=frozenset(kind for kind, on, _ in settings if not on),
        thresholds={kind: limit for kind, _, limit in settings if limit is not None},
        scores={
            name: ScoreLimit(at_most, frozenset(str(label).lower() for label in labels))
            for name, at_most, labels in scores
        },
        baselines={key: Baseline(*values) for key, *values in baselines},
    )


def custom_of(project_id: int) -> list[CustomRule]:
    """Return a project's own rules that are on."""
    with connection.cursor() as cursor:
        cursor.execute(CUSTOM, [project_id])
        return [CustomRule(*row) for row in cursor.fetchall()]


def ask(project_id: int, day: date, traces: Sequence[UUID]) -> None:
    """Ask for a second look at these traces, in the caller's transaction."""
    if traces:
        with connection.cursor() as cursor:
            cursor.execute(ASK, [project_id, day, list(traces)])


def waiting(limit: int) -> list[Waiting]:
    """Return traces that waited longest and hold them until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(WAITING, [limit])
        return [Waiting(*row) for row in cursor.fetchall()]


def done(looked_at: Sequence[Waiting]) -> None:
    """Take traces out of the queue."""
    with connection.cursor() as cursor:
        cursor.execute(DONE, [[w.project_id for w in looked_at], [w.trace_id for w in looked_at]])


def lag(project_id: int) -> tuple[int, datetime | None]:
    """Return how many traces of a project wait for the second pass, and since when."""
    with connection.cursor() as cursor:
        cursor.execute(LAG, [project_id])
        count, since = cursor.fetchone()
    return count, since


def among(project_id: int, traces: Sequence[UUID]) -> set[UUID]:
    """Return those of these traces that wait for the second pass."""
    rows = SecondLook.objects.filter(project_id=project_id, trace_id__in=list(traces))
    return set(rows.values_list("trace_id", flat=True))


def found(project_id: int, traces: Sequence[UUID]) -> dict[UUID, list[Signal]]:
    """Return what the second pass found in these traces."""
    with connection.cursor() as cursor:
        cursor.execute(FOUND, [project_id, list(traces)])
        return {
            trace: [Signal(**signal) for signal in orjson.loads(signals)]
            for trace, signals in cursor.fetchall()
        }


def settled(project_id: int, trace_id: UUID) -> list[Signal] | None:
    """Return what the second pass found in a trace; None while the worker is not done with it."""
    with connection.cursor() as cursor:
        cursor.execute(SETTLED, {"project": project_id, "trace": trace_id})
        row = cursor.fetchone()
    return None if row is None else [Signal(**signal) for signal in orjson.loads(row[0])]


def keep(project_id: int, day: date, signals: Mapping[UUID, Sequence[Signal]]) -> None:
    """Store what was found; a trace without signals loses its row."""
    rows = {trace: one for trace, one in signals.items() if one}
    texts = [orjson.dumps([asdict(signal) for signal in one]).decode() for one in rows.values()]
    with connection.cursor() as cursor:
        if rows:
            cursor.execute(KEEP, [project_id, day, list(rows), texts])
        if empty := [trace for trace in signals if trace not in rows]:
            cursor.execute(FORGET, [project_id, empty])


def forget_before(day: date) -> None:
    """Drop what was found in traces that are no longer kept."""
    with connection.cursor() as cursor:
        cursor.execute(FORGET_BEFORE, [day])


class InSession(NamedTuple):
    """A trace and when it began, in which session."""

    trace_id: UUID
    session: str
    at: datetime


def sessions(project_id: int, day: date, traces: Sequence[UUID]) -> list[InSession]:
    """Return those of the traces of one partition that are part of a session."""
    with connection.cursor() as cursor:
        cursor.execute(SESSIONS, [project_id, day, list(traces)])
        return [InSession(*row) for row in cursor.fetchall()]


def earlier(project_id: int, asked: Sequence[InSession]) -> dict[UUID, list[Asked]]:
    """Return what was asked in each session in the hour before its trace, newest first."""
    if not asked:
        return {}
    start, end = min(each.at for each in asked) - SESSION, max(each.at for each in asked)
    days = [start.date() + timedelta(days=n) for n in range((end.date() - start.date()).days + 1)]
    pairs = [("session", session) for session in {each.session for each in asked}]
    values: dict[str, Any] = {
        "project": project_id,
        "day": start.date() - timedelta(days=1),
        "start": start,
        "end": end,
        "terms": terms.searched(project_id, days, pairs),
        "traces": [each.trace_id for each in asked],
        "sessions": [each.session for each in asked],
        "moments": [each.at for each in asked],
        "within": SESSION,
        "most": EARLIER_TRACES,
    }
    found: dict[UUID, list[Asked]] = {}
    with connection.cursor() as cursor:
        cursor.execute(EARLIER, values)
        for trace, before, text in cursor.fetchall():
            found.setdefault(trace, []).append(Asked(before.hex, text))
    return found


def agreed(project_id: int, start: datetime, end: datetime) -> dict[str, tuple[int, int]]:
    """Return, by kind of signal, how many reviewed traces with it failed, of how many."""
    days = [start.date() + timedelta(days=n) for n in range((end.date() - start.date()).days + 1)]
    wanted = terms.searched(project_id, days, [("is", "reviewed")])
    values: list[Any] = [project_id, start.date() - timedelta(days=1), start, end, wanted]
    with connection.cursor() as cursor:
        cursor.execute(AGREED, values)
        return {kind: (failed, reviewed) for kind, failed, reviewed in cursor.fetchall()}


def texts(
    project_id: int, days: Iterable[date], traces: Sequence[UUID], field: str
) -> dict[UUID, str]:
    """Return `input`, `output` or `error` of traces, as far as search reads them."""
    if field not in ("input", "output", "error"):
        raise ValueError(f"field must be input, output or error. Got {field!r}.")
    with connection.cursor() as cursor:
        values: list[Any] = [project_id, sorted(set(days)), list(traces)]
        cursor.execute(TEXTS.format(column=field), values)
        return dict(cursor.fetchall())


def young(now: datetime, enough: int, many: int) -> list[int]:
    """Return the projects that have `enough` traces of late and no baseline of `many` calls yet."""
    values: dict[str, Any] = {
        "all": terms.ALL,
        "start": now - USUAL_FOR,
        "enough": enough,
        "many": many,
    }
    with connection.cursor() as cursor:
        cursor.execute(YOUNG, values)
        return [row[0] for row in cursor.fetchall()]


def refresh_baselines(project_id: int, now: datetime, enough: int) -> None:
    """Work out anew what the calls of a project usually take."""
    start = now - USUAL_FOR
    values: dict[str, Any] = {
        "project": project_id,
        "day": start.date() - timedelta(days=1),
        "start": start,
        "traces": USUAL_TRACES,
        "enough": enough,
    }
    with connection.cursor() as cursor:
        cursor.execute(BASELINES, values)
