"""The texts of traces. The worker stores them with the rows; their words follow when it is idle.

So search never delays a list: a text is found some seconds after its trace shows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from django.db import connection, transaction

from tracehub.core.query.words import ERROR, INPUT, NAME, OUTPUT, lexemes

BATCH = 500  # texts indexed in one transaction
# 30 us a text of 2 KB. A text that did not change keeps its words.
WRITE = """
    INSERT INTO trace_texts AS kept
        (project_id, day, trace_id, started_at, name, input, output, error)
    SELECT * FROM unnest(%s::int8[], %s::date[], %s::uuid[], %s::timestamptz[], %s::text[],
        %s::text[], %s::text[], %s::text[]) AS sent ORDER BY 1, 2, 3
    ON CONFLICT (project_id, day, trace_id) DO UPDATE
    SET started_at = excluded.started_at, name = excluded.name, input = excluded.input,
        output = excluded.output, error = excluded.error, words = NULL
    WHERE (kept.started_at, kept.name, kept.input, kept.output, kept.error) IS DISTINCT FROM
        (excluded.started_at, excluded.name, excluded.input, excluded.output, excluded.error)
"""
# The partial index on rows without words; a row that another worker holds is skipped.
WAITING = """
    SELECT project_id, day, trace_id, name, input, output, error FROM trace_texts
    WHERE words IS NULL LIMIT %s FOR UPDATE SKIP LOCKED
"""
INDEX = """
    UPDATE trace_texts SET words = array_to_tsvector(string_to_array(sent.words, ' '))
    FROM unnest(%s::int8[], %s::date[], %s::uuid[], %s::text[]) AS sent (p, d, t, words)
    WHERE project_id = p AND day = d AND trace_id = t
"""
# By the index on words of each partition; newest first, for the list that asks.
FIND = """
    SELECT started_at, day, trace_id FROM {table}
    WHERE project_id = %s AND day = ANY(%s) AND words @@ %s::tsquery
        AND started_at >= %s AND started_at < %s
    LIMIT %s
"""
READ = """
    SELECT trace_id, input, output FROM trace_texts
    WHERE project_id = %s AND day = ANY(%s) AND trace_id = ANY(%s)
"""


Table = Literal["trace_texts", "trace_attributes"]


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
    """Store texts in the caller's transaction; their words follow."""
    if rows:
        cursor.execute(WRITE, [list(column) for column in zip(*rows, strict=True)])


def index_some(limit: int = BATCH) -> int:
    """Index the words of some texts that wait, in a transaction; return how many those were."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(WAITING, [limit])
        rows = cursor.fetchall()
        if rows:
            keys = [list(column) for column in zip(*(row[:3] for row in rows), strict=True)]
            words = [" ".join(_words(*row[3:])) for row in rows]
            cursor.execute(INDEX, [*keys, words])
        return len(rows)


def _words(name: str, said: str, answered: str, error: str) -> Iterable[str]:
    fields = ((NAME, name), (INPUT, said), (OUTPUT, answered), (ERROR, error))
    return (word for field, text in fields for word in lexemes(field, text))


def find(
    project_id: int,
    days: Collection[date],
    query: str,
    start: datetime,
    end: datetime,
    *,
    limit: int,
    table: Table = "trace_texts",
) -> list[Hit] | None:
    """Return where the words of a query stand, newest first; None when in more than `limit`."""
    statement = FIND.format(table=table)  # one of our two names
    with connection.cursor() as cursor:
        cursor.execute(statement, [project_id, sorted(days), query, start, end, limit + 1])
        rows = cursor.fetchall()
    return None if len(rows) > limit else sorted((Hit(*row) for row in rows), reverse=True)


def read(
    project_id: int, days: Collection[date], traces: Collection[UUID]
) -> dict[UUID, tuple[str, str]]:
    """Return input and output of single traces, as far as they are searched."""
    with connection.cursor() as cursor:
        cursor.execute(READ, [project_id, sorted(days), list(traces)])
        return {trace: (said, answered) for trace, said, answered in cursor.fetchall()}
