"""Partitions by the day a trace first arrived: made ahead, dropped when their time is over."""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from datetime import date, timedelta
from typing import Any, NamedTuple

from django.db import OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable

from tracehub.traces.media import store as media
from tracehub.traces.payloads.store import RELEASE_DAY

logger = logging.getLogger(__name__)

AHEAD = 3  # days
LOCK_TIMEOUT = "200ms"
TRIES = 3
TABLES = ("spans", "traces", "trace_texts", "trace_attributes")
FORGET_DAY = (
    "DELETE FROM arrivals WHERE day = %s",
    "DELETE FROM sampling_waiting WHERE day = %s",
    "DELETE FROM term_counts WHERE day = %s",
    "DELETE FROM span_supplements WHERE day <= %s",
    RELEASE_DAY,
    media.RELEASE_DAY,
)


class Partition(NamedTuple):
    """One day of one of TABLES; `size` in bytes, with indexes and toast."""

    table: str
    day: date
    size: int


def ensure_ahead(today: date) -> None:
    """Make the partitions of yesterday to three days ahead."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tracehub_ensure_partitions(%s, %s)",
            (today - timedelta(days=1), today + timedelta(days=AHEAD)),
        )


def existing() -> list[Partition]:
    """Return all partitions, oldest first. Reads the catalogue only."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, pg_total_relation_size(c.oid) FROM pg_inherits i"
            " JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = ANY (%s::regclass[]) ORDER BY 1",
            [list(TABLES)],
        )
        rows = cursor.fetchall()
    found = []
    for name, size in rows:
        if match := re.fullmatch(r"(spans|traces|texts|attributes)_(\d{4})(\d\d)(\d\d)", name):
            day = date(int(match[2]), int(match[3]), int(match[4]))
            found.append(Partition(name, day, size))
    return sorted(found, key=lambda p: (p.day, p.table))


def drop_before(day: date) -> list[str]:
    """Drop every partition of an earlier day, with its arrivals; return their names.

    A trace that was dropped and whose spans come again is a new trace. A day that a long read holds
    for all of TRIES goes next time.
    """
    days: dict[date, list[str]] = defaultdict(list)
    for partition in existing():
        if partition.day < day:
            days[partition.day].append(partition.table)
    gone = [tables for old, tables in days.items() if any(_drop(old, tables) for _ in range(TRIES))]
    return [table for tables in gone for table in tables]


def _drop(day: date, tables: list[str]) -> bool:
    """Drop a day, or give up after LOCK_TIMEOUT: all that touches traces queues behind a DROP.

    What goes row by row goes first: from the first DROP to the end nobody else reads or writes.
    """
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", (LOCK_TIMEOUT,))
            for forget in FORGET_DAY:
                cursor.execute(forget, (day,))
            for table in tables:
                cursor.execute("SELECT tracehub_drop_partition(%s)", (table,))
    except OperationalError as error:
        if not isinstance(error.__cause__, LockNotAvailable):
            raise
        logger.warning("%s is in use and is dropped later.", day)
        return False
    return True


def create_index(cursor: Any, name: str, table: str, columns: str) -> None:
    """Build an index of a partitioned table without stopping writes; resumes after a stop.

    Parent first and empty, children concurrently, then attached. Needs autocommit; `columns` is
    what follows the table in CREATE INDEX. All of it is our own text.
    """
    cursor.execute(f"CREATE INDEX IF NOT EXISTS {name} ON ONLY {table} {columns}")
    cursor.execute(_WITHOUT_INDEX, [table, name])
    for (part,) in cursor.fetchall():
        child = f"{part}_{name}"
        cursor.execute(
            "SELECT FROM pg_index WHERE indexrelid = to_regclass(%s) AND NOT indisvalid", [child]
        )
        if cursor.fetchone() is not None:  # left over from a build that was stopped
            cursor.execute(f"DROP INDEX CONCURRENTLY {child}")
        cursor.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {child} ON {part} {columns}")
        cursor.execute(f"ALTER INDEX {name} ATTACH PARTITION {child}")


# Partitions of a table whose part of an index is not attached yet.
_WITHOUT_INDEX = """
    SELECT p.inhrelid::regclass FROM pg_inherits p WHERE p.inhparent = %s::regclass AND NOT EXISTS (
        SELECT FROM pg_index i JOIN pg_inherits a ON a.inhrelid = i.indexrelid
        WHERE i.indrelid = p.inhrelid AND a.inhparent = %s::regclass)
"""
