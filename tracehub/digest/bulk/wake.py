"""Wake a worker for jobs. The message holds nothing: what is to do stands in `bulk_jobs`."""

from __future__ import annotations

import logging

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


def now() -> None:
    """Ask for a run now. Without a broker beat's own message comes within 2 s."""
    try:
        current_app.send_task("tracehub.bulk", expires=2, retry=False, ignore_result=True)
    except (OperationalError, OSError) as error:
        logger.warning("The broker did not take a wake-up (%s). Beat's message will do.", error)


def on_commit() -> None:
    transaction.on_commit(now)
