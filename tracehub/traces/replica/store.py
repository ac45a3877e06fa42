"""Lists and charts read a streaming replica while it is fresh; docs/scaling.md says when.

A replica that is more than MAX_LAG behind, or does not answer, is left alone and the primary asked.
Who changed something reads the primary for STICKY seconds, which is longer than MAX_LAG, and so
sees it. A trace of its own page always comes from the primary.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Concatenate, ParamSpec, TypeVar

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.http import HttpRequest
from psycopg_pool import PoolTimeout

logger = logging.getLogger(__name__)

ALIAS = "replica"
COOKIE = settings.COOKIE_PREFIX + "wrote"
MAX_LAG = 2.0  # seconds: what lists may lag by the contract
STICKY = 5  # seconds
LOOK = 1.0  # seconds between two looks at the replica
AWAY = 5.0  # seconds until a replica that failed is looked at again

WRITTEN = "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"
REPLAYED = "SELECT pg_last_wal_replay_lsn() - '0/0'::pg_lsn"

First = TypeVar("First")
Rest = ParamSpec("Rest")
Answer = TypeVar("Answer")


class Follower:
    """How far the replica is behind, by what the primary had written when: no clock is compared."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._written: deque[tuple[float, int]] = deque(maxlen=600)
        self._next = 0.0
        self._fresh = False

    def fresh(self) -> bool:
        """Tell whether the replica has what the primary had MAX_LAG ago. Asks once a second."""
        with self._lock:
            now = time.monotonic()
            if now >= self._next:
                self._next = now + LOOK
                try:
                    self._fresh = self._lag(now) <= MAX_LAG
                except (Error, PoolTimeout) as error:
                    self._away(error)
            return self._fresh

    def failed(self, error: Exception) -> None:
        """Leave the replica alone for a while."""
        with self._lock:
            self._away(error)

    def _away(self, error: Exception) -> None:
        logger.warning("The replica is left alone for %g s: %s", AWAY, error)
        self._fresh, self._next = False, time.monotonic() + AWAY

    def _lag(self, now: float) -> float:
        """Return seconds, at most so many; infinite when it lacks all that is known."""
        self._written.append((now, _number(DEFAULT_DB_ALIAS, WRITTEN)))
        replayed = _number(ALIAS, REPLAYED)
        if replayed >= self._written[-1][1]:
            self._written.clear()
            return 0.0
        known = [at for at, position in self._written if position <= replayed]
        return now - known[-1] if known else float("inf")


follower = Follower()


def _number(alias: str, statement: str) -> int:
    with connections[alias].cursor() as cursor:
        cursor.execute(statement)
        return int(cursor.fetchone()[0])


@contextmanager
def reading() -> Iterator[None]:
    """Have every statement of this thread go to the replica during the block."""
    primary = connections[DEFAULT_DB_ALIAS]
    connections[DEFAULT_DB_ALIAS] = connections[ALIAS]
    try:
        yield
    finally:
        connections[DEFAULT_DB_ALIAS] = primary


def reads(
    view: Callable[Concatenate[First, Rest], Answer],
) -> Callable[Concatenate[First, Rest], Answer]:
    """Let a view of a page or of the API, which changes nothing, read the replica."""

    @functools.wraps(view)
    def routed(first: First, /, *args: Rest.args, **more: Rest.kwargs) -> Answer:
        if ALIAS not in settings.DATABASES or _wrote(first) or not follower.fresh():
            return view(first, *args, **more)
        try:
            with reading():
                return view(first, *args, **more)
        except (Error, PoolTimeout) as error:
            follower.failed(error)
            return view(first, *args, **more)

    return routed


def _wrote(asked: object) -> bool:
    if not isinstance(asked, HttpRequest):
        return False
    bool(asked.user)  # who asks is looked up in the primary: a session may just have ended
    return COOKIE in asked.COOKIES
