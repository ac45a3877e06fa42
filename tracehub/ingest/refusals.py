"""What was turned away and why, for the Connect page. Rate-limited and bounded."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from tracehub.ingest.errors import Refused
from tracehub.projects import keys

logger = logging.getLogger(__name__)

EVERY = 1.0  # seconds between two rows, so that a broken sender costs no disk

_ADD = """
    INSERT INTO traces_refusal (project_id, at, path, status, reason)
    VALUES ((SELECT project_id FROM projects_apikey WHERE public_id = %s), now(), %s, %s, %s)
"""


class Log:
    """Writes refusals in the background; what comes faster than EVERY is dropped."""

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self.pool = pool
        self._last = -EVERY
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, path: str, refused: Refused, headers: Mapping[str, str]) -> None:
        now = time.monotonic()
        if now - self._last < EVERY:
            return
        self._last = now
        key = keys.parse(keys.presented(headers) or "")
        public_id = key.public_id if key else None
        row = (public_id, path, refused.status, refused.message[:300])
        task = asyncio.create_task(self._write(row))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write(self, row: tuple[Any, ...]) -> None:
        try:
            async with self.pool.connection(timeout=1) as conn:
                await conn.execute(_ADD, row)
        except (psycopg.Error, PoolTimeout) as error:
            logger.info("A refusal was not recorded (%s).", type(error).__name__)
