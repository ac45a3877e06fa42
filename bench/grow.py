"""Fill the tables with copies of what is stored, under new ids: millions of spans in minutes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date

import psycopg

SPANS = 5
CHUNK = 20_000  # traces in one statement; as many are copied over and over
WRITERS = 2
POOL = """
    CREATE TEMP TABLE pool AS
    SELECT project_id, trace_id, day FROM arrivals ORDER BY random() LIMIT %s
"""
IDS = """
    CREATE TEMP TABLE ids ON COMMIT DROP AS
    SELECT project_id, trace_id, day, gen_random_uuid() AS fresh
    FROM pool, generate_series(1, %s) LIMIT %s
"""
COPIED = ("arrivals", "spans", "traces", "trace_texts", "trace_attributes")


def fill(url: str, spans: int) -> int:
    """Copy traces until there are so many spans; return how many there are. `url` is an admin's."""
    with psycopg.connect(url, autocommit=True) as link:
        lacking = max(0, -(-(spans - _count(link)) // SPANS))
        with ThreadPoolExecutor(WRITERS) as pool:
            shares = [lacking // WRITERS + (n < lacking % WRITERS) for n in range(WRITERS)]
            list(pool.map(lambda traces: _fill(url, traces), shares))
        link.execute(f"VACUUM (ANALYZE) {', '.join(COPIED)}")
        return _count(link)


def _fill(url: str, traces: int) -> None:
    """Copy so many traces, a chunk in a transaction, as looked at: their rows are copied too."""
    with psycopg.connect(url, autocommit=True) as link:
        link.execute("SET synchronous_commit = off")
        names = {table: _columns(link, table) for table in COPIED}
        known = link.execute(POOL, (CHUNK,)).rowcount
        while traces > 0:
            some = min(CHUNK, traces)
            with link.transaction():
                link.execute(IDS, (-(-some // known), some))
                for table, columns in names.items():
                    _copy(link, table, columns)
            traces -= some


def _columns(link: psycopg.Connection, table: str) -> list[str]:
    rows = link.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s"
        " AND table_schema = 'public' AND column_name <> 'id'",
        (table,),
    )
    return [name for (name,) in rows]


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


# Copies begin in the minute of their original, so that they count in the same buckets of every
# chart and facet: what the worker would count for them is what it has counted, once more.
COPIES = """
    CREATE TEMP TABLE copies AS
    SELECT project_id, trace_id, day, gen_random_uuid() AS fresh,
        floor(extract(epoch FROM date_trunc('minute', started_at) - started_at) * 1000000
            + random() * 59999999)::int8 AS later
    FROM traces, generate_series(2, %s) WHERE day = %s
"""
LATER = {
    "trace_id": "copies.fresh",
    "started_at": "t.started_at + copies.later * interval '1 microsecond'",
    "start_ns": "t.start_ns + copies.later * 1000",
}
# Without what only a second look would have found.
DIGESTED = ("arrivals", "spans", "traces", "trace_texts", "review_review")
# (table, columns that add up)
SUMS = (
    ("term_counts", ("traces", "failing")),
    ("failures_failureday", ("events",)),
    ("failures_failureuser", ("events",)),
    ("failures_failure", ("events",)),
    ("rollup_histograms", ("count",)),
)
RECENT = "UPDATE failures_failure SET recent = (SELECT array_agg(n * %s) FROM unnest(recent) AS n)"
KEYS_OF_ROLLUPS = ("project_id", "resolution", "bucket", "series")


def multiply(url: str, times: int) -> None:
    """Make `times` traces of each one, with all that the worker keeps of them. `url`: an admin's.

    Nothing may wait to be folded or looked at.
    """
    with psycopg.connect(url, autocommit=True) as link:
        days = [day for (day,) in link.execute("SELECT DISTINCT day FROM traces ORDER BY day")]
        counters = [name for name in _columns(link, "rollups") if name not in KEYS_OF_ROLLUPS]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda day: _copy_day(url, times, day), days))
    with psycopg.connect(url, autocommit=True) as link:
        for table, columns in (*SUMS, ("rollups", counters)):
            sets = ", ".join(f"{name} = {name} * {times}" for name in columns)
            link.execute(f"UPDATE {table} SET {sets}")
        link.execute(RECENT, (times,))


def _copy_day(url: str, times: int, day: date) -> None:
    with psycopg.connect(url) as link:
        link.execute("SET synchronous_commit = off")
        link.execute(COPIES, (times, day))
        link.execute("ANALYZE copies")
        for table in DIGESTED:
            columns = _columns(link, table)
            given = ", ".join(f'"{name}"' for name in columns)
            taken = ", ".join(LATER.get(name, f't."{name}"') for name in columns)
            of_day = "" if table == "review_review" else f" AND t.day = '{day}'"
            link.execute(
                f"INSERT INTO {table} ({given}) SELECT {taken} FROM copies JOIN {table} t"
                f" ON t.project_id = copies.project_id AND t.trace_id = copies.trace_id{of_day}"
            )
