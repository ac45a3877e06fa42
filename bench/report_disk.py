"""Where the bytes of a span lie: tables, what is moved out of their rows, and each index."""

from __future__ import annotations

from typing import NamedTuple

import psycopg

PER_TRACE = ("spans", "traces", "trace_texts", "trace_attributes", "arrivals")
# Bytes of a table and of all its partitions by part. Work that waits (`second_looks`) comes and
# goes; rollups grow with minutes and series, not with traces.
SIZES = """
    WITH tables AS (
        SELECT t AS name, c.oid, c.reltoastrelid FROM unnest(%s::text[]) AS t
        CROSS JOIN LATERAL (SELECT t::regclass AS relid UNION  -- a plain table has no tree
            SELECT relid FROM pg_partition_tree(t::regclass)) AS p
        JOIN pg_class c ON c.oid = p.relid
    )
    SELECT name, 'rows', sum(pg_table_size(oid) - coalesce(pg_total_relation_size(
        nullif(reltoastrelid, 0)), 0)) FROM tables GROUP BY 1
    UNION ALL
    SELECT name, 'apart from rows', sum(coalesce(pg_total_relation_size(
        nullif(reltoastrelid, 0)), 0)) FROM tables GROUP BY 1
    UNION ALL
    SELECT name, 'index (' || a.columns || ')', sum(pg_relation_size(i.indexrelid))
    FROM tables JOIN pg_index i ON i.indrelid = oid CROSS JOIN LATERAL (
        SELECT string_agg(pg_get_indexdef(i.indexrelid, n, true), ', ') AS columns
        FROM generate_series(1, i.indnatts) AS n) AS a GROUP BY 1, 2
"""


def _for_search(table: str, part: str) -> bool:
    """Tell what search alone reads: the report has a row with it and one without."""
    return "tracehub_text_words" in part or table == "trace_attributes"


class Disk(NamedTuple):
    """Bytes a span by (table, part)."""

    parts: dict[tuple[str, str], float]

    def total(self, *, search: bool = False) -> float:
        """Return bytes a span, without what search alone reads unless `search`."""
        return sum(size for key, size in self.parts.items() if search or not _for_search(*key))


def by_table(url: str) -> Disk:
    """Measure the tables as they are; deleted rows and lists that wait count as well."""
    with psycopg.connect(url) as link:
        spans = link.execute("SELECT count(*) FROM spans").fetchone()[0]
        rows = link.execute(SIZES, (list(PER_TRACE),)).fetchall()
    return Disk({(name, part): float(size) / max(1, spans) for name, part, size in rows})


def show(disk: Disk) -> None:
    """Print every part of at least a byte a span, and the sum of each table."""
    print("\n| table | part | bytes a span |\n|---|---|---|")
    for name in PER_TRACE:
        parts = {part: size for (table, part), size in disk.parts.items() if table == name}
        for part, size in sorted(parts.items(), key=lambda one: -one[1]):
            if size >= 1:
                print(f"| {name} | {part} | {size:.0f} |")
        print(f"| {name} | all | {sum(parts.values()):.0f} |")
    print(f"| all | without the indexes of search | {disk.total():.0f} |")
    print(f"| all | with them | {disk.total(search=True):.0f} |")
