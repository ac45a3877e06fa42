"""Celery's side of the digest. Messages only wake a worker; `arrivals` says what is to do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from tracehub.digest import actions
from tracehub.digest.models import Heartbeat
from tracehub.traces import partitions

RUN_SECONDS = 60.0  # of one message; the next message or the sweep goes on


@shared_task(name="tracehub.digest")  # type: ignore[untyped-decorator]  # celery ships no types
def digest() -> None:
    """Bring trace rows up to date. Safe to run twice, and at once on several workers."""
    actions.digest_all(seconds=RUN_SECONDS)
    Heartbeat.objects.update_or_create(name="digest", defaults={"at": timezone.now()})


@shared_task(name="tracehub.prune")  # type: ignore[untyped-decorator]
def prune() -> None:
    """Drop the partitions whose time is over and make those of the coming days."""
    today = datetime.now(UTC).date()
    partitions.ensure_ahead(today)
    partitions.drop_before(today - timedelta(days=settings.RETENTION_DAYS))
