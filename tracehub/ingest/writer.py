"""Group commit: what waits while a transaction runs is written together in the next one.

One writer per process. An answer leaves after its commit. The queue is bounded in bytes, so that
memory stays flat whatever arrives; beyond the bound requests are told to come again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
from psycopg import AsyncConnection

from tracehub.core.stored import SpanRow
from tracehub.ingest.errors import AWAY, Refused, busy
from tracehub.ingest.patience import settled, within
from tracehub.traces import store
from tracehub.traces.media import store as media

logger = logging.getLogger(__name__)

MAX_SPANS = 5_000  # in one transaction
MAX_WAITING = 32 * 1024 * 1024  # bytes of rows in the queue
GROUP_SECONDS = 4.0  # a server that hangs costs its senders this long, then 503
WAIT_SECONDS = 4.5  # the same, for who waits behind such a group
SPANS_PER_SECOND = 2_000  # added time for groups that are large on a slow disk
BYTES_PER_SECOND = 10_000_000  # the same, for media


@dataclass(slots=True)
class Job:
    """The rows of one request and who waits for them."""

    rows: Sequence[SpanRow]
    said: media.Said
    done: asyncio.Future[None]
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = sum(row.size for row in self.rows) + self.said.size


class Writer:
    """Owns one connection and writes groups of requests in transactions of their own."""

    def __init__(self, conninfo: str, on_commit: Callable[[], None]) -> None:
        self.conninfo = conninfo
        self.on_commit = on_commit
        self.waiting: deque[Job] = deque()
        self.size = 0  # bytes of the rows that wait
        self.spans = 0  # that wait
        self._more = asyncio.Event()
        self._conn: AsyncConnection[Any] | None = None
        self._partitions_of = date.min
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="tracehub-writer")

    async def stop(self) -> None:
        """Write what waits, then end."""
        while self.waiting:
            await asyncio.wait([job.done for job in self.waiting])
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._drop()

    async def store(self, rows: Sequence[SpanRow], said: media.Said) -> None:
        """Return when the rows are committed, with the media that they speak of.

        Raises Refused (503) when that cannot be now.
        """
        if not rows:
            return
        job = Job(rows, said, asyncio.get_running_loop().create_future())
        if self.size + job.size > MAX_WAITING and self.waiting:
            raise busy("The server is behind. Send again.", 2)
        self.waiting.append(job)
        self.size += job.size
        self.spans += len(rows)
        self._more.set()
        done, _ = await asyncio.wait(
            {job.done}, timeout=WAIT_SECONDS + self.spans / SPANS_PER_SECOND
        )
        if not done:  # behind a group that hangs
            job.done.cancel()
            raise busy("The database does not answer. Send again.")
        job.done.result()

    async def _run(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            while self.waiting:
                if group := self._take():
                    await self._write_group(group)

    def _take(self) -> list[Job]:
        """Return the next group: whole requests, at most MAX_SPANS spans unless one has more."""
        group = [self.waiting.popleft()]
        spans = len(group[0].rows)
        while self.waiting and spans + len(self.waiting[0].rows) <= MAX_SPANS:
            group.append(self.waiting.popleft())
            spans += len(group[-1].rows)
        self.size -= sum(job.size for job in group)
        self.spans -= spans
        return [job for job in group if not job.done.done()]

    async def _write_group(self, group: list[Job]) -> None:
        """Commit a group; when it fails for a reason of its own, try each request alone."""
        try:
            rows = [row for job in group for row in job.rows]
            said = media.Said.empty()
            for job in group:
                said.more(job.said)
            seconds = GROUP_SECONDS + len(rows) / SPANS_PER_SECOND + said.size / BYTES_PER_SECOND
            await within(seconds, settled(lambda: self._commit(rows, said)))
        except AWAY as error:
            logger.warning("Spans could not be written: %s", type(error).__name__)
            self._fail(group, busy("The database is away. Send again."))
            await self._drop()
        except psycopg.Error as error:
            await self._drop()
            if len(group) > 1:
                for job in group:
                    await self._write_group([job])
                return
            logger.error("A request could not be stored: %s", error)
            self._fail(group, _refusal(error))
        except Exception as error:  # the loop must live; the senders learn of it and try again
            logger.exception("The writer met something unexpected.")
            await self._drop()
            self._fail(group, busy(f"The server could not store this ({type(error).__name__})."))
        else:
            for job in group:
                if not job.done.done():
                    job.done.set_result(None)
            self.on_commit()

    async def _commit(self, rows: list[SpanRow], said: media.Said) -> None:
        conn = await self._connection()
        today = datetime.now(UTC).date()
        async with conn.transaction():
            if today != self._partitions_of:  # also when the clock was set back
                await store.ensure_partitions(conn, today, today + timedelta(days=1))
            await store.write(conn, rows, today)
            await media.write(conn, said, today)
        self._partitions_of = today  # not before: what is rolled back has made none

    async def _connection(self) -> AsyncConnection[Any]:
        if self._conn is None or self._conn.closed:
            self._conn = await AsyncConnection.connect(self.conninfo, autocommit=True)
            store.prepare(self._conn)
        return self._conn

    async def _drop(self) -> None:
        """Close the connection; the next group opens a new one."""
        conn, self._conn = self._conn, None
        if conn is not None:
            await conn.close()

    @staticmethod
    def _fail(group: list[Job], error: Refused) -> None:
        for job in group:
            if not job.done.done():
                job.done.set_exception(error)


def _refusal(error: psycopg.Error) -> Refused:
    """Say what a request did wrong; what is wrong with the database may be mended meanwhile."""
    if not isinstance(error, (psycopg.DataError, psycopg.IntegrityError)):
        return busy("The database cannot take spans now. Send again.")
    detail = (error.diag.message_primary or type(error).__name__)[:200]
    return Refused(400, f"The database refused this request: {detail}.")
