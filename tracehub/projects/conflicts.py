"""Two transactions that stood in each other's way: Postgres ended one of them, which begins again.

Deadlocks (40P01) and serialization failures (40001) are nobody's fault and seldom come twice, so
what met one is done at most TRIES times, and then told as "busy".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from django.db import transaction
from psycopg.errors import DeadlockDetected, SerializationFailure

from tracehub.projects.store import driver_error

TRIES = 3
CONFLICTS = (DeadlockDetected, SerializationFailure)
_WRITES = re.compile(r"\b(?:INSERT|UPDATE|DELETE|COPY)\b")

T = TypeVar("T")


class Commits:
    """Notes on a connection whether anything was committed since `begin`.

    What was committed must not be done a second time.
    """

    def __init__(self) -> None:
        self.any = False

    def __call__(self, execute: Any, statement: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(statement, params, many, context)
        if not self.any and _WRITES.search(str(statement)):
            transaction.on_commit(self._note)
        return result

    def _note(self) -> None:
        self.any = True


def begin() -> None:
    """Start noting commits of this thread's connection anew."""
    if (noted := _noted()) is None:
        transaction.get_connection().execute_wrappers.append(Commits())
    else:
        noted.any = False


def lost(error: BaseException | None) -> bool:
    """Tell whether a statement failed since another transaction stood in its way."""
    return isinstance(driver_error(error), CONFLICTS)


def again(error: Exception, work: Callable[[], T]) -> T:
    """Do anew what failed with `error` after `begin`, while that may help; else raise it."""
    noted = _noted()
    for _ in range(TRIES - 1):
        if noted is None or noted.any or not lost(error):
            break
        try:
            return work()
        except Exception as newer:
            error = newer
    raise error


def settled(work: Callable[[], T]) -> T:
    """Do `work`, and again after a conflict unless it had committed something by then."""
    begin()
    try:
        return work()
    except Exception as error:
        return again(error, work)


def _noted() -> Commits | None:
    wrappers = transaction.get_connection().execute_wrappers
    return next((wrapper for wrapper in wrappers if isinstance(wrapper, Commits)), None)
