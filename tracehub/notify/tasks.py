"""Celery's side of notify. Messages only wake a worker; tables say what is to do."""

from __future__ import annotations

import time

from celery import shared_task
from django.utils import timezone

from tracehub.notify import alerting, sending

RUN_SECONDS = 10.0  # of one message: a receiver that is slow must not hold up the lists


@shared_task(name="tracehub.notify")  # type: ignore[untyped-decorator]  # celery ships no types
def notify() -> None:
    """Carry out what waits. Safe to run twice, and to be killed."""
    until = time.monotonic() + RUN_SECONDS
    alerting.check_all(timezone.now())
    while sending.distribute(timezone.now()) and time.monotonic() < until:
        pass
    sending.deliver_due(until=until)


@shared_task(name="tracehub.prune_events")  # type: ignore[untyped-decorator]
def prune_events() -> None:
    """Forget old events and their deliveries."""
    sending.prune(timezone.now())
