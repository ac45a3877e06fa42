"""A day's partitions: made and dropped beside reads and writes, and like those of other days."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import psycopg
import pytest
from django.db import connection

from tracehub.traces import partitions
from tracehub.traces.partitions import TABLES

DAY = date(2027, 3, 14)
PREFIX = {"trace_texts": "texts", "trace_attributes": "attributes"}
# Each index of a table: its text without names, its options, and what it is a part of.
INDEXES = """
    SELECT regexp_replace(pg_get_indexdef(i.indexrelid), ' INDEX .* USING', ' USING'),
        c.reloptions, i.indisprimary, p.inhparent::regclass::text
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    LEFT JOIN pg_inherits p ON p.inhrelid = i.indexrelid
    WHERE i.indrelid = %s::regclass ORDER BY 1
"""
COLUMNS = """
    SELECT attname, atttypid::regtype, attnotnull, attstorage, attcompression, attstattarget,
        pg_get_expr(adbin, adrelid), reloptions
    FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attname
"""

WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"


def make(link: psycopg.Connection, day: date) -> None:
    link.execute("SELECT tracehub_ensure_partitions(%s, %s)", (day, day))


def part_of(table: str, day: date) -> str:
    return f"{PREFIX.get(table, table)}_{day:%Y%m%d}"


def test_a_day_is_made_beside_reads_and_writes_that_do_not_end(database_url):
    with psycopg.connect(database_url) as busy, psycopg.connect(database_url) as other:
        make(other, date.today())
        other.commit()
        for table in TABLES:
            busy.execute(f"SELECT count(*) FROM {table}")
        busy.execute("DELETE FROM traces")
        busy.execute("DELETE FROM spans")
        other.execute("SET lock_timeout = '2s'")
        make(other, DAY)
        busy.execute("SELECT count(*) FROM spans")  # nor does this wait for the other
        other.commit()
    with psycopg.connect(database_url) as link:
        for table in TABLES:
            found = link.execute(
                "SELECT inhparent::regclass::text FROM pg_inherits WHERE inhrelid = %s::regclass",
                (part_of(table, DAY),),
            ).fetchall()
            assert found == [(table,)]


def test_while_a_day_that_is_over_goes_row_by_row_others_read_and_write(
    committed_db, database_url, wait_for, monkeypatch
):
    monkeypatch.setattr(partitions, "LOCK_TIMEOUT", "60s")
    old = date(2020, 1, 5)
    with psycopg.connect(database_url, autocommit=True) as link:
        make(link, old)
        link.execute(
            "INSERT INTO arrivals (project_id, trace_id, day) VALUES (1, gen_random_uuid(), %s)",
            (old,),
        )
        with ThreadPoolExecutor(1) as pool, psycopg.connect(database_url) as late:
            late.execute("SELECT FROM arrivals FOR UPDATE")  # a span of that day comes in
            dropping = pool.submit(drop_in_thread, old)
            wait_for(lambda: link.execute(WAITING).fetchone()[0], why="retention to wait for it")
            link.execute("SET lock_timeout = '2s'")
            for table in TABLES:
                link.execute(f"DELETE FROM {table}")
            late.rollback()
            assert sorted(dropping.result()) == sorted(part_of(table, old) for table in TABLES)
        assert link.execute("SELECT count(*) FROM arrivals").fetchone() == (0,)


def drop_in_thread(old: date) -> list[str]:
    try:
        return partitions.drop_before(old + timedelta(days=1))
    finally:
        connection.close()


@pytest.mark.parametrize("table", TABLES)
def test_each_index_of_a_table_has_one_part_on_each_day(database_url, table):
    with psycopg.connect(database_url) as link:
        make(link, DAY)
        wholes = link.execute(INDEXES, (table,)).fetchall()
        parts = link.execute(INDEXES, (part_of(table, DAY),)).fetchall()
        assert [index[:3] for index in wholes] == [index[:3] for index in parts]
        assert len({of for *_, of in parts} - {None}) == len(parts)
        columns = [
            link.execute(COLUMNS, (name,)).fetchall() for name in (table, part_of(table, DAY))
        ]
        assert columns[0] == columns[1]
