"""Wake a worker. The message holds nothing: what is to do stands in tables."""

from __future__ import annotations

import logging
from functools import partial

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)
DIGEST = "tracehub.digest"
BULK = "tracehub.bulk"
_EVERY = {DIGEST: 5, BULK: 2}  # seconds between beat's own messages, which do without a broker


def wake(task: str = DIGEST) -> None:
    """Ask for a run of a task now; else beat's next message brings it."""
    try:
        current_app.send_task(task, expires=_EVERY[task], retry=False, ignore_result=True)
    except (OperationalError, OSError) as error:
        logger.warning("The broker did not take a wake-up (%s). Beat's message will do.", error)


def wake_on_commit(task: str = DIGEST) -> None:
    """Wake a worker once the current transaction has committed."""
    transaction.on_commit(partial(wake, task))
