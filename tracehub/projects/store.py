"""Statements of their own: masking rules and counts, which ingestion runs too, and upkeep."""

from __future__ import annotations

import psycopg
from django.db import InterfaceError, OperationalError, connection
from psycopg.errors import ReadOnlySqlTransaction
from psycopg_pool import PoolTimeout

# What a statement raises when the database is away, or has no connection left.
AWAY = (
    OperationalError,
    InterfaceError,
    PoolTimeout,
    psycopg.OperationalError,
    psycopg.InterfaceError,
)


def away(error: BaseException | None) -> bool:
    """Tell whether a statement failed since the database is away, or takes no writes for now."""
    return isinstance(error, AWAY) or isinstance(driver_error(error), ReadOnlySqlTransaction)


def driver_error(error: BaseException | None) -> BaseException | None:
    """Return psycopg's error behind one of Django's, or itself from a cursor of psycopg's."""
    return error if isinstance(error, psycopg.Error) else getattr(error, "__cause__", None)


MASK_RULES = """
    SELECT name, kind, pattern, action, within FROM projects_maskrule
    WHERE project_id = %s AND "on" ORDER BY id
"""
# Sorted, so that two processes never wait for each other.
ADD_MASK_COUNTS = """
    INSERT INTO projects_maskcount (project_id, rule, day, count)
    SELECT p, left(r, 40), current_date, n
    FROM unnest(%s::int8[], %s::text[], %s::int8[]) AS seen (p, r, n) ORDER BY p, r
    ON CONFLICT (project_id, rule, day)
    DO UPDATE SET count = projects_maskcount.count + excluded.count
"""
Counts = tuple[list[int], list[str], list[int]]  # projects, rules, counts


def wait_for_locks(at_most: str) -> None:
    """Have statements of this connection give up waiting for a lock; "0" waits on, as usual."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [at_most])


def prune_audit() -> None:
    """Delete audit entries of more than 400 days, which no role of the application may itself."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tracehub_prune_audit()")


def mask_rules(project_id: int) -> list[tuple[str, str, str, str, str]]:
    """Return name, kind, pattern, action and place of the rules that are on, in order."""
    with connection.cursor() as cursor:
        cursor.execute(MASK_RULES, [project_id])
        rows: list[tuple[str, str, str, str, str]] = cursor.fetchall()
    return rows


def add_mask_counts(counts: Counts) -> None:
    """Add to the counts of today."""
    with connection.cursor() as cursor:
        cursor.execute(ADD_MASK_COUNTS, counts)
