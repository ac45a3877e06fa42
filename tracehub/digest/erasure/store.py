"""Statements of erasure: traces go with all they say, their sums stay for the charts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from tracehub.digest.store import Cursor
from tracehub.failures.store import user_hash
from tracehub.traces import rollup as term_counts
from tracehub.traces.sampling import store as sampling

# Held until the transaction ends: spans that come meanwhile wait here, and then find the mark. The
# worker looks at a trace that is dirty first, unless it has given up on it.
HOLD = """
    SELECT trace_id, day FROM arrivals
    WHERE project_id = %s AND trace_id = ANY(%s) AND (dirty_seq IS NULL OR tries >= %s)
        AND NOT dropped
    ORDER BY trace_id FOR UPDATE SKIP LOCKED
"""
LEFT = """
    SELECT count(*) AS n FROM arrivals
    WHERE project_id = %s AND trace_id = ANY(%s) AND NOT dropped
"""
# By the partial index on dirty rows.
UNSEEN = """
    SELECT EXISTS (
        SELECT FROM arrivals
        WHERE dirty_seq IS NOT NULL AND project_id = %s AND tries < %s AND dirty_at <= %s
    ) AS waits
"""
FORGET_DIRTY = """
    UPDATE arrivals SET dirty_seq = NULL, dirty_at = NULL, tries = 0
    WHERE project_id = %s AND trace_id = ANY(%s)
"""
COUNTERS = (*sampling.COUNTERS, "failing", "errors", "review_fail")
DELETE_ROWS = f"""
    WITH gone AS (
        DELETE FROM traces WHERE project_id = %s AND day = %s AND trace_id = ANY(%s) RETURNING *
    ), summed AS (
        INSERT INTO erased_hours AS kept (project_id, hour, {", ".join(COUNTERS)})
        SELECT project_id, date_trunc('hour', started_at, 'UTC'), count(*), sum(span_count),
            count(*) FILTER (WHERE finished),
            count(*) FILTER (WHERE finished AND NOT failing
                AND coalesce(outcome, 'answered') IN ('answered', 'clarified')),
            sum(retries), sum(fallbacks), sum(timeouts), coalesce(sum(input_tokens), 0),
            coalesce(sum(output_tokens), 0), coalesce(sum(cost), 0),
            count(*) FILTER (WHERE failing), count(*) FILTER (WHERE status = 'error'),
            count(*) FILTER (WHERE verdict = 'fail')
        FROM gone GROUP BY 1, 2 ORDER BY 1, 2
        ON CONFLICT (project_id, hour) DO UPDATE
        SET {", ".join(f"{c} = kept.{c} + excluded.{c}" for c in COUNTERS)}
    )
    SELECT gone.*, cardinality(terms) > 0 AS counted FROM gone
"""  # noqa: S608 our own text
# A count that is back at zero has nothing but its value, which may be a person's.
FORGET_VALUES = "DELETE FROM term_counts WHERE project_id = %s AND traces <= 0 AND failing <= 0"
FORGET_USERS = """
    DELETE FROM failures_failureuser u USING failures_failure f
    WHERE u.failure_id = f.id AND f.project_id = %s AND u."user" = ANY(%s)
"""
# Groups that no stored trace is in: by the index on failures.
EMPTY_GROUPS = """
    SELECT g AS id FROM unnest(%s::int8[]) AS g WHERE NOT EXISTS (
        SELECT FROM traces WHERE project_id = %s AND failures @> ARRAY[g] AND failures <> '{}'
    )
"""


def hold(cursor: Cursor, project_id: int, traces: Sequence[UUID], tries: int) -> dict[UUID, date]:
    """Return those that may go now, with their partitions, and keep ingestion off them."""
    rows = cursor.execute(HOLD, (project_id, list(traces), tries)).fetchall()
    return {row["trace_id"]: row["day"] for row in rows}


def delete(cursor: Cursor, project_id: int, day: date, traces: Sequence[UUID]) -> list[Any]:
    """Delete held traces of a partition, keep their sums, and return their rows as they were."""
    key = (project_id, day, list(traces))
    gone = cursor.execute(DELETE_ROWS, key).fetchall()
    sampling.delete_content(cursor, project_id, day, traces)
    cursor.execute(FORGET_DIRTY, (project_id, list(traces)))
    return gone


def delete_held(cursor: Cursor, project_id: int, held: Mapping[UUID, date]) -> list[Any]:
    """Delete held traces of any partitions and take them out of the hourly counts."""
    by_day: dict[date, list[UUID]] = defaultdict(list)
    for trace, day in held.items():
        by_day[day].append(trace)
    gone = [
        row for day, some in sorted(by_day.items()) for row in delete(cursor, project_id, day, some)
    ]
    changes = [term_counts.Change(row if row["counted"] else None, None) for row in gone]
    term_counts.change(cursor, changes)
    return gone


def left(cursor: Cursor, project_id: int, traces: Sequence[UUID]) -> int:
    """Return how many of these traces are still stored."""
    row = cursor.execute(LEFT, (project_id, list(traces))).fetchone()
    return int(row["n"]) if row else 0


def unseen(cursor: Cursor, project_id: int, tries: int, before: datetime) -> bool:
    """Tell whether something that came before a moment was not yet looked at by the worker."""
    row = cursor.execute(UNSEEN, (project_id, tries, before)).fetchone()
    return bool(row and row["waits"])


def forget_values(cursor: Cursor, project_id: int) -> None:
    """Delete the hourly counts of values that no stored trace has."""
    cursor.execute(FORGET_VALUES, (project_id,))


def forget_users(cursor: Cursor, project_id: int, users: Sequence[str]) -> int:
    """Delete that these users were seen in failures; return in how many of them."""
    cursor.execute(FORGET_USERS, (project_id, [user_hash(user) for user in users]))
    return cursor.rowcount


def empty_groups(cursor: Cursor, project_id: int, groups: Sequence[int]) -> list[int]:
    """Return those of these failures that have no stored trace. One look for each."""
    rows = cursor.execute(EMPTY_GROUPS, (sorted(set(groups)), project_id)).fetchall()
    return [row["id"] for row in rows]
