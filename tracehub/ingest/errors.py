"""A refusal, whatever stage of ingestion it comes from."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg.errors import ReadOnlySqlTransaction
from psycopg_pool import PoolTimeout

# What a statement raises when the database is away, hangs, or takes no writes for now, as while it
# fails over. psycopg counts the last among internal errors.
AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    ReadOnlySqlTransaction,
    PoolTimeout,
    OSError,
)


@dataclass(eq=False)
class Refused(Exception):
    """A request that is not taken: HTTP status, what to say, the field, headers to add.

    `close` ends the connection after the answer, since the body was not read to its end.
    """

    status: int
    message: str
    field: str | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    close: bool = False

    def __str__(self) -> str:
        return self.message


def busy(message: str, seconds: int = 1) -> Refused:
    """Return a 503 that every OTLP client retries. Older Python exporters drop a batch on 429."""
    return Refused(503, message, headers=((b"retry-after", str(seconds).encode()),))
