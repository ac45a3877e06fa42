"""Fill the tables with copies of what is stored, under new ids: millions of spans in minutes."""

from __future__ import annotations

import psycopg

SPANS = 5
CHUNK = 20_000  # traces in one statement
IDS = """
    CREATE TEMP TABLE ids ON COMMIT DROP AS
    SELECT project_id, trace_id, day, gen_random_uuid() AS fresh
    FROM arrivals, generate_series(1, %s) ORDER BY random() LIMIT %s
"""
COPIED = ("arrivals", "spans", "traces", "trace_texts", "trace_attributes")


def fill(url: str, spans: int) -> int:
    """Copy traces until there are so many spans; return how many there are. `url` is an admin's."""
    with psycopg.connect(url, autocommit=True) as link:
        names = {
            table: [
                name
                for (name,) in link.execute(
                    "SELECT column_name FROM information_schema.columns WHERE table_name = %s"
                    " AND table_schema = 'public' AND column_name NOT IN ('dirty_seq', 'dirty_at')",
                    (table,),
                )
            ]
            for table in COPIED
        }
        have = _count(link)
        while have < spans:
            traces = min(CHUNK, -(-(spans - have) // SPANS))
            with link.transaction():
                stored = link.execute("SELECT count(*) FROM arrivals").fetchone()[0]
                link.execute(IDS, (-(-traces // max(1, stored)), traces))
                for table, columns in names.items():
                    _copy(link, table, columns)
            have = _count(link)
        link.execute("VACUUM (ANALYZE) spans, traces, arrivals, trace_texts, trace_attributes")
    return have


def _count(link: psycopg.Connection) -> int:
    return int(link.execute("SELECT count(*) FROM spans").fetchone()[0])


def _copy(link: psycopg.Connection, table: str, columns: list[str]) -> None:
    given = ", ".join(f'"{name}"' for name in columns)
    taken = ", ".join("ids.fresh" if name == "trace_id" else f't."{name}"' for name in columns)
    link.execute(
        f"INSERT INTO {table} ({given}) SELECT {taken} FROM ids JOIN {table} t"
        " ON t.project_id = ids.project_id AND t.trace_id = ids.trace_id"
        + ("" if table == "arrivals" else " AND t.day = ids.day")
    )
