"""Waiting for the database no longer than promised, and trying again what it could not do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from tracehub.projects.conflicts import CONFLICTS, TRIES

T = TypeVar("T")
_abandoned: set[asyncio.Task[Any]] = set()


async def within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` gives. Raises TimeoutError after `seconds`, whatever `work` does then.

    `asyncio.timeout` would wait for psycopg, which on cancelling asks the server to cancel the
    query and waits up to 10 s for its answer: of a server that hangs, there is none.
    """
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if done:
        return task.result()
    task.cancel()
    _abandoned.add(task)
    task.add_done_callback(_forget)
    raise TimeoutError(f"The database did not answer within {seconds:g} s.")


async def settled(transaction: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Return what a transaction gives, tried at most TRIES times while others stand in its way."""
    for _ in range(TRIES - 1):
        try:
            return await transaction()
        except CONFLICTS:
            continue
    return await transaction()


def _forget(task: asyncio.Task[Any]) -> None:
    _abandoned.discard(task)
    if not task.cancelled():
        task.exception()  # its sender was told long ago
