"""A day's partitions: made while others read and write, and like those of every other day."""

from __future__ import annotations

from datetime import date

import psycopg
import pytest

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
