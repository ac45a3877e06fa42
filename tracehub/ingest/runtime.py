"""The running state of ingestion in one process: its connections, its writer, its limits."""

from __future__ import annotations

import asyncio
import gc
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from tracehub.ingest import body, refusals
from tracehub.ingest.access import Grant, Keyring
from tracehub.ingest.admission import Admission
from tracehub.ingest.errors import AWAY, Refused, busy
from tracehub.ingest.patience import settled, within
from tracehub.ingest.writer import Writer
from tracehub.projects import masking
from tracehub.projects import store as project_store
from tracehub.traces import store
from tracehub.traces.media import store as media
from tracehub.traces.wake import wake

WAKE_EVERY = 0.3  # seconds between two wake-ups of the worker
DISK_EVERY = 1.0  # seconds between two looks at the free space
DATABASE_SECONDS = 3.0  # for one statement of ours that is not a group of spans


class Ingest:
    """The running state of ingestion in one process."""

    def __init__(self) -> None:
        self.limit = settings.MAX_BODY_MB * body.MB
        self.row_turn = asyncio.Lock()  # of who makes rows of more spans than a step has
        self._committed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._free_until = 0.0
        self._masked: dict[int, Counter[str]] = {}
        self._disk_low = False

    async def start(self) -> None:
        # A batch of spans makes many objects and no cycles: looking for them took an eighth.
        gc.freeze()
        gc.set_threshold(20_000, 20, 50)
        conninfo = store.conninfo(application_name="tracehub-ingest")
        # Prepares nothing, since a pool in transaction mode gives each transaction another server.
        # Opens without waiting: the server comes up when the database is away, and says 503.
        options = {"autocommit": True, "prepare_threshold": None}
        self.pool = AsyncConnectionPool(
            conninfo, min_size=1, max_size=4, open=False, kwargs=options, timeout=2
        )
        await self.pool.open(wait=False)
        self.keyring = Keyring(self.pool)
        self.admission = Admission(self.limit)
        self.writer = Writer(conninfo, self._committed.set)
        self.writer.start()
        self.refusals = refusals.Log(self.pool)
        self._tasks = [asyncio.create_task(self._wake_worker(), name="tracehub-wake")]

    async def stop(self) -> None:
        await self.writer.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.pool.close(timeout=2)

    async def supplement(self, rows: Sequence[store.SupplementRow], said: media.Said) -> None:
        """Return when supplements are committed. Raises Refused (503) when that cannot be now."""
        if not rows:
            return
        today = datetime.now(UTC).date()

        async def both(conn: AsyncConnection[Any]) -> None:
            await store.add_supplements(conn, rows, today)
            await media.write(conn, said, today)

        await self.write(both)
        self.wake()

    async def write(self, work: Callable[[AsyncConnection[Any]], Awaitable[Any]]) -> None:
        """Do `work` in a transaction. Raises Refused (503) when that cannot be now."""

        async def transaction() -> None:
            async with self.pool.connection(timeout=1) as conn, conn.transaction():
                await work(conn)

        try:
            await within(DATABASE_SECONDS, settled(transaction))
        except AWAY:
            raise busy("The database is away. Send again.") from None

    def count_masked(self, grant: Grant, counts: Counter[str]) -> None:
        """Remember how often each rule struck; written with the next wake-up."""
        if counts:
            self._masked.setdefault(grant.project_id, Counter()).update(counts)

    def wake(self) -> None:
        """Have the worker told that something was committed."""
        self._committed.set()

    async def _wake_worker(self) -> None:
        """Tell the worker of new spans, at most every WAKE_EVERY, off the request path."""
        while True:
            await self._committed.wait()
            self._committed.clear()
            await asyncio.to_thread(wake)
            await self._write_counts()
            await asyncio.sleep(WAKE_EVERY)

    async def _write_counts(self) -> None:
        counts, self._masked = self._masked, {}
        if not counts:
            return
        try:
            await self.write(
                lambda conn: conn.execute(project_store.ADD_MASK_COUNTS, masking.columns(counts))
            )
        except Refused:
            for project_id, each in counts.items():
                self._masked.setdefault(project_id, Counter()).update(each)

    def check_disk(self) -> None:
        """Raise Refused (503) while the disk is nearly full, so that Postgres never stops."""
        now = asyncio.get_running_loop().time()
        if now >= self._free_until:
            self._free_until = now + DISK_EVERY
            free = shutil.disk_usage(settings.DATA_DIR).free
            self._disk_low = free < settings.MIN_FREE_MB * body.MB
        if self._disk_low:
            raise busy("The disk of the server is nearly full. Traces are not taken for now.", 5)
