"""Celery's side of the digest. Messages only wake a worker; `arrivals` says what is to do."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from celery import shared_task
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

from tracehub.digest import actions, life, repricing, second, weekly
from tracehub.digest.bulk import actions as bulk_actions
from tracehub.digest.bulk import work as bulk_work
from tracehub.digest.erasure import work as erasures
from tracehub.digest.remasking import work as remasking
from tracehub.failures.rules import store as second_pass
from tracehub.projects.models import SignInLink
from tracehub.projects.store import prune_audit
from tracehub.review import queueing
from tracehub.traces import partitions, saved
from tracehub.traces.media import keeping
from tracehub.traces.models import Refusal
from tracehub.traces.payloads import moving

REFUSALS_KEPT = timedelta(days=7)
BULK_SECONDS = 1.0  # of jobs at a time, every 2 s by beat: digests come in between
BULK_MOST = 20.0  # seconds of one message, when nothing else is to do
PAYLOAD_SECONDS = 5.0  # of moving payloads at a time, every 10 s by beat
RUN_SECONDS = 5.0  # of one message, so that others get their turn; the next one goes on
JOB_SECONDS = 9.0  # of a job that beat asks for every 10 s


@shared_task(name="tracehub.digest")  # type: ignore[untyped-decorator]  # celery ships no types
def digest() -> None:
    """Bring trace rows up to date. Safe to run twice, and at once on several workers."""
    life.sign()
    actions.digest_all(seconds=RUN_SECONDS)


@shared_task(name="tracehub.prune")  # type: ignore[untyped-decorator]
def prune() -> None:
    """Drop the partitions whose time is over, make those of the coming days, tidy up."""
    now = datetime.now(UTC)
    partitions.ensure_ahead(now.date())
    partitions.drop_before(now.date() - timedelta(days=settings.RETENTION_DAYS))
    queueing.close_lost()
    Refusal.objects.filter(at__lt=now - REFUSALS_KEPT).delete()
    SignInLink.objects.filter(expires_at__lt=now - REFUSALS_KEPT).delete()
    prune_audit()
    bulk_actions.forget_old()
    call_command("clearsessions")
    second_pass.forget_before(now.date() - timedelta(days=settings.RETENTION_DAYS))
    second.refresh_baselines()


@shared_task(name="tracehub.weekly")  # type: ignore[untyped-decorator]
def send_weekly() -> None:
    """Note the weekly mails that are due. Safe to run twice, and to be killed."""
    weekly.send_due(timezone.now())


@shared_task(name="tracehub.usual")  # type: ignore[untyped-decorator]
def first_baselines() -> None:
    """Tell new projects soon what their calls usually take; `prune` does it for all, hourly."""
    second.first_baselines()


@shared_task(name="tracehub.reprice")  # type: ignore[untyped-decorator]
def reprice() -> None:
    """Go on with jobs that price stored calls anew. Safe to run twice, and to be killed."""
    repricing.work(seconds=JOB_SECONDS)


@shared_task(name="tracehub.erase")  # type: ignore[untyped-decorator]
def erase() -> None:
    """Go on with erasures of a person's data. Safe to run twice, and to be killed."""
    erasures.work(seconds=JOB_SECONDS)


@shared_task(name="tracehub.bulk")  # type: ignore[untyped-decorator]
def bulk() -> None:
    """Go on with jobs on many stored traces, masking too. Safe to run twice, and to be killed.

    For BULK_SECONDS at a time, in turns with the traces that they and senders change; when these
    are more than the same time can digest, jobs wait.
    """
    end = time.monotonic() + BULK_MOST
    jobs = (bulk_work.work, remasking.work)
    while any(work(seconds=BULK_SECONDS) for work in jobs) and time.monotonic() < end:
        if not actions.digest_dirty(seconds=2 * BULK_SECONDS):
            break


@shared_task(name="tracehub.payloads")  # type: ignore[untyped-decorator]
def payloads() -> None:
    """Move large payloads and media to object storage, and delete what nothing speaks of."""
    end = time.monotonic() + PAYLOAD_SECONDS
    while moving.work() == moving.BATCH and time.monotonic() < end:
        pass
    while keeping.work() == keeping.BATCH and time.monotonic() < end:
        pass


@shared_task(name="tracehub.views")  # type: ignore[untyped-decorator]
def count_views() -> None:
    """Count what some saved views hold."""
    saved.recount(now=timezone.now())
