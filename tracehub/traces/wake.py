"""Wake a worker. The message holds nothing: what is to do stands in `arrivals`."""

from __future__ import annotations

import logging

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


def wake() -> None:
    """Ask for a digest run now. Without a broker the sweep finds the work within 5 s."""
    try:
        current_app.send_task("tracehub.digest", expires=5, retry=False, ignore_result=True)
    except (OperationalError, OSError) as error:
        logger.warning("The broker did not take a wake-up (%s). The sweep will.", error)


def wake_on_commit() -> None:
    """Wake a worker once the current transaction has committed."""
    transaction.on_commit(wake)
