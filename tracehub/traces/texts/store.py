"""The texts of traces with the words that search finds, stored by the worker with the rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from tracehub.core.query.words import ERROR, INPUT, NAME, OUTPUT, Inside, are_plain, lexemes
from tracehub.traces.filter_sql import TEXT_WORDS, like
from tracehub.traces.partitions import create_index

# A row is written once: to add the words later would leave a dead row for each. Words that the
# index works out of the texts are not stored.
WRITE = """
    INSERT INTO trace_texts AS kept
        (project_id, day, trace_id, started_at, name, input, output, error, words)
    SELECT p, d, t, s, n, i, o, e, array_to_tsvector(string_to_array(w, ' '))
    FROM unnest(%s::int8[], %s::date[], %s::uuid[], %s::timestamptz[], %s::text[],
        %s::text[], %s::text[], %s::text[], %s::text[]) AS sent (p, d, t, s, n, i, o, e, w)
    ORDER BY 1, 2, 3
    ON CONFLICT (project_id, day, trace_id) DO UPDATE
    SET started_at = excluded.started_at, name = excluded.name, input = excluded.input,
        output = excluded.output, error = excluded.error, words = excluded.words
    WHERE (kept.started_at, kept.name, kept.input, kept.output, kept.error) IS DISTINCT FROM
        (excluded.started_at, excluded.name, excluded.input, excluded.output, excluded.error)
"""
# By the index on words of each partition; newest first, for the list that asks.
FIND = f"""
    SELECT started_at, day, trace_id FROM trace_texts said
    WHERE project_id = %s AND day = ANY(%s) AND {TEXT_WORDS} @@ %s::tsquery
        AND started_at >= %s AND started_at < %s
    LIMIT %s
"""  # noqa: S608 a name of ours
FIND_INSIDE = """
    SELECT started_at, day, trace_id FROM trace_texts
    WHERE project_id = %s AND day = ANY(%s) AND started_at >= %s AND started_at < %s
        AND ({condition})
    LIMIT %s
"""
TRIGRAMS = "trace_texts_trigrams"
TRIGRAM_COLUMNS = (
    "USING gin (name gin_trgm_ops, input gin_trgm_ops, output gin_trgm_ops, error gin_trgm_ops)"
)
READ = """
    SELECT trace_id, input, output FROM trace_texts
    WHERE project_id = %s AND day = ANY(%s) AND trace_id = ANY(%s)
"""

# By the key of `arrivals`, and of the partitions that it names.
NAMED = """
    SELECT t.started_at, t.day, t.trace_id FROM arrivals a
    JOIN traces t ON t.project_id = a.project_id AND t.day = a.day AND t.trace_id = a.trace_id
    WHERE a.project_id = %s AND a.trace_id = ANY(%s::uuid[])
        AND t.started_at >= %s AND t.started_at < %s
"""


class TextRow(NamedTuple):
    """What a trace says, cut to what is searched."""

    project_id: int
    day: date
    trace_id: UUID
    started_at: datetime
    name: str
    input: str
    output: str
    error: str


class Hit(NamedTuple):
    started_at: datetime
    day: date
    trace_id: UUID


def write(cursor: Any, rows: Sequence[TextRow]) -> None:
    """Store texts and their words in the caller's transaction."""
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        words = [None if are_plain(row[4:]) else words_of(*row[4:]) for row in rows]
        cursor.execute(WRITE, [*columns, words])


def words_of(name: str, said: str, answered: str, error: str) -> str:
    """Return what the index holds of the texts of a trace, with spaces between."""
    fields = ((NAME, name), (INPUT, said), (OUTPUT, answered), (ERROR, error))
    return " ".join(word for field, text in fields for word in lexemes(field, text))


def find(
    project_id: int,
    days: Collection[date],
    query: str,
    start: datetime,
    end: datetime,
    *,
    limit: int,
) -> list[Hit] | None:
    """Return where the words of a query stand, newest first; None when in more than `limit`."""
    with connection.cursor() as cursor:
        cursor.execute(FIND, [project_id, sorted(days), query, start, end, limit + 1])
        return hits(cursor.fetchall(), limit)


def hits(rows: list[tuple[datetime, date, UUID]], limit: int) -> list[Hit] | None:
    """Return rows as hits, newest first; None when there are more than `limit`."""
    return None if len(rows) > limit else sorted((Hit(*row) for row in rows), reverse=True)


def has_trigrams() -> bool:
    """Tell whether the server has the index that finds text inside words."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [TRIGRAMS])
        return bool(cursor.fetchone()[0])


def ensure_trigrams() -> None:
    """Make that index, without stopping writes, where the extension pg_trgm is in the database.

    Nothing is asked of a server without it. Needs autocommit and the owner of the tables.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_extension WHERE extname = 'pg_trgm'")
        if cursor.fetchone() is not None:
            create_index(cursor, TRIGRAMS, "trace_texts", TRIGRAM_COLUMNS)


def find_inside(
    project_id: int,
    days: Collection[date],
    one: Inside,
    start: datetime,
    end: datetime,
    *,
    limit: int,
) -> list[Hit] | None:
    """Return where a text stands, also inside words, newest first; None when in more than `limit`.

    By the index on trigrams of each partition.
    """
    condition = " OR ".join(f"{column} ILIKE %s" for column in one.columns)
    patterns = [like(("", *one.parts, ""))] * len(one.columns)
    given: list[Any] = [project_id, sorted(days), start, end, *patterns, limit + 1]
    with connection.cursor() as cursor:
        cursor.execute(FIND_INSIDE.format(condition=condition), given)
        rows = cursor.fetchall()
    return None if len(rows) > limit else sorted((Hit(*row) for row in rows), reverse=True)


def named(project_id: int, traces: Sequence[str], start: datetime, end: datetime) -> list[Hit]:
    """Return where traces of these ids are, newest first."""
    with connection.cursor() as cursor:
        cursor.execute(NAMED, [project_id, list(traces), start, end])
        return sorted((Hit(*row) for row in cursor.fetchall()), reverse=True)


def read(
    project_id: int, days: Collection[date], traces: Collection[UUID]
) -> dict[UUID, tuple[str, str]]:
    """Return input and output of single traces, as far as they are searched."""
    with connection.cursor() as cursor:
        cursor.execute(READ, [project_id, sorted(days), list(traces)])
        return {trace: (said, answered) for trace, said, answered in cursor.fetchall()}
