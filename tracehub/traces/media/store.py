"""Statements of media: in with the spans that speak of them, out when no trace does any more.

A medium that comes again takes the lock of its row and puts its look off, so the worker, which
deletes under the same lock, never takes what is just being spoken of.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from psycopg import AsyncConnection

from tracehub.core.media import Aside, Media

AGAIN = timedelta(days=1)
QUIET = timedelta(minutes=10)  # before one is moved to object storage
# Of traces that sampling or erasure dropped nothing is kept. One probe of `arrivals` each.
USE = """
    INSERT INTO media_uses AS kept (project_id, trace_id, hash, day)
    SELECT p, t, h, %s FROM unnest(%s::int8[], %s::uuid[], %s::bytea[]) AS said (p, t, h)
    JOIN arrivals a ON a.project_id = p AND a.trace_id = t AND NOT a.dropped ORDER BY 1, 2, 3
    ON CONFLICT (project_id, trace_id, hash) DO UPDATE SET day = excluded.day
    RETURNING project_id, hash
"""
PUT = """
    INSERT INTO media (project_id, hash, type, size, body, due_at)
    VALUES (%s, %s, %s, %s, %s, now() + %s)
    ON CONFLICT (project_id, hash) DO UPDATE SET due_at = greatest(media.due_at, excluded.due_at)
"""
GET = "SELECT type, size, body, key FROM media WHERE project_id = %s AND hash = %s"
RELEASE = """
    WITH gone AS (
        DELETE FROM media_uses WHERE project_id = %s AND trace_id = ANY(%s)
        RETURNING project_id, hash
    )
    UPDATE media m SET due_at = now() FROM gone
    WHERE m.project_id = gone.project_id AND m.hash = gone.hash
"""
RELEASE_DAY = """
    WITH gone AS (DELETE FROM media_uses WHERE day <= %s RETURNING project_id, hash)
    UPDATE media m SET due_at = now() FROM gone
    WHERE m.project_id = gone.project_id AND m.hash = gone.hash
"""
_ONE = "project_id = %s AND hash = %s"
DUE = """
    SELECT project_id, hash, size, key FROM media WHERE due_at <= %s ORDER BY due_at LIMIT 1
    FOR UPDATE SKIP LOCKED
"""
USED = f"SELECT EXISTS (SELECT FROM media_uses WHERE {_ONE})"  # noqa: S608 our own text
DELETE = f"DELETE FROM media WHERE {_ONE}"  # noqa: S608
LATER = f"UPDATE media SET due_at = %s WHERE {_ONE}"  # noqa: S608
BODY = f"SELECT body FROM media WHERE {_ONE}"  # noqa: S608
MOVED = f"UPDATE media SET key = %s, body = '' WHERE {_ONE}"  # noqa: S608
ALL = "SELECT hash, type FROM media WHERE project_id = %s ORDER BY hash"

Use = tuple[int, UUID, bytes]  # project, trace, hash


class Said(NamedTuple):
    """What the spans of requests speak of: by trace, and the bytes of what came with them."""

    uses: set[Use]
    media: dict[tuple[int, bytes], Media]

    @classmethod
    def empty(cls) -> Said:
        return cls(set(), {})

    @property
    def size(self) -> int:
        return sum(len(medium.body) for medium in self.media.values())

    def add(self, project_id: int, trace_id: UUID, aside: Aside) -> None:
        """Note what was taken out of one record of a trace."""
        self.uses.update((project_id, trace_id, one) for one in aside.named)
        self.media.update({(project_id, one): medium for one, medium in aside.found.items()})

    def more(self, other: Said) -> None:
        """Take in what another request speaks of."""
        self.uses.update(other.uses)
        self.media.update(other.media)


class Kept(NamedTuple):
    """A medium as it is stored; `body` is empty when `key` names its object."""

    type: str
    size: int
    body: bytes
    key: str


class Due(NamedTuple):
    project_id: int
    hash: bytes
    size: int
    key: str


async def write(conn: AsyncConnection[Any], said: Said, today: date) -> None:
    """Store media in the caller's transaction, after the traces that speak of them."""
    if not said.uses:
        return
    columns = [list(column) for column in zip(*sorted(said.uses), strict=True)]
    cursor = await conn.execute(USE, (today, *columns))
    live = {(project_id, bytes(hash_)) for project_id, hash_ in await cursor.fetchall()}
    for place in sorted(live & said.media.keys()):
        medium = said.media[place]
        await conn.execute(PUT, (*place, medium.type, len(medium.body), medium.body, QUIET))


def put(project_id: int, medium: Media) -> None:
    """Store one that traces will speak of within a day: an import."""
    with connection.cursor() as cursor:
        given: tuple[Any, ...] = (
            project_id,
            medium.hash,
            medium.type,
            len(medium.body),
            medium.body,
            AGAIN,
        )
        cursor.execute(PUT, given)


def get(project_id: int, hash_: bytes) -> Kept | None:
    """Return a medium that a trace of the project speaks of."""
    with connection.cursor() as cursor:
        cursor.execute(GET, (project_id, hash_))
        row = cursor.fetchone()
    return None if row is None else Kept(row[0], row[1], bytes(row[2]), row[3])


def names(project_id: int) -> list[tuple[bytes, str]]:
    """Return hash and type of all media of a project."""
    with connection.cursor() as cursor:
        cursor.execute(ALL, (project_id,))
        return [(bytes(hash_), kind) for hash_, kind in cursor.fetchall()]


def release(cursor: Any, project_id: int, traces: Iterable[UUID]) -> None:
    """Forget what traces speak of that are deleted here; what nobody else does goes at once."""
    cursor.execute(RELEASE, (project_id, list(traces)))


def due(now: datetime) -> Due | None:
    """Hold the medium whose look is longest due, until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(DUE, (now,))
        row = cursor.fetchone()
    return None if row is None else Due(row[0], bytes(row[1]), row[2], row[3])


def used(one: Due) -> bool:
    """Tell whether a trace speaks of it."""
    return bool(_one(USED, one)[0])


def body(one: Due) -> bytes:
    """Return the bytes in the row."""
    return bytes(_one(BODY, one)[0])


def delete(one: Due) -> None:
    _do(DELETE, one[:2])


def later(one: Due, at: datetime) -> None:
    """Look at it again at a time."""
    _do(LATER, (at, *one[:2]))


def moved(one: Due, key: str) -> None:
    """Note that the bytes are an object now."""
    _do(MOVED, (key, *one[:2]))


def _one(statement: str, one: Due) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement, one[:2])
        return cursor.fetchone()


def _do(statement: str, values: Sequence[Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
