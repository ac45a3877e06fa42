"""Doing erasures, a batch in one transaction, so that they can be killed.

A pass reads a person's traces newest first and deletes those that nobody works on. Passes follow
each other until one finds nothing, and until the worker has looked at all that came before the
request: only then it is known whose those traces are.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from tracehub.digest import life
from tracehub.digest.actions import TRIES
from tracehub.digest.erasure import actions, elsewhere, store
from tracehub.digest.models import Erasure
from tracehub.digest.store import driver_cursor
from tracehub.projects.actions import audit
from tracehub.projects.models import User
from tracehub.traces import listing

logger = logging.getLogger(__name__)

BATCH = 200  # traces in one transaction
SECONDS = 20.0  # for finding a batch


def work(*, seconds: float) -> int:
    """Go on with open jobs until they are done, wait, or the time is up; return how many ended."""
    end, ended, waiting = time.monotonic() + seconds, 0, set[int]()
    while time.monotonic() < end:
        life.sign()
        with transaction.atomic():
            rows = Erasure.objects.select_for_update(skip_locked=True, of=("self",))
            rows = rows.filter(finished_at=None).exclude(pk__in=waiting)
            job = rows.select_related("project").order_by("pk").first()
            if job is None:
                break
            if not _turn(job):
                waiting.add(job.pk)
        ended += job.finished_at is not None
    return ended


def _turn(job: Erasure) -> bool:
    """Do one batch; tell whether there was one. A fault is noted, and the batch tried again."""
    try:
        with transaction.atomic():
            went_on = _step(job)
    except Exception:
        logger.exception("Erasure %s stopped; it is tried again.", job.pk)
        job.refresh_from_db()
        job.error = "A fault of TraceHub stopped it. It is tried again; the log tells more."
        job.save(update_fields=["error"])
        return False
    job.error = ""
    job.save()
    return went_on


def _step(job: Erasure) -> bool:
    if job.kind == Erasure.Kind.TRACES:
        traces = [UUID(hex=one) for one in job.wanted]
        gone = _erase(job, traces)
        job.again = store.left(driver_cursor(), job.project_id, traces) > 0
    else:
        page = listing.read(
            actions.everything(job.project),
            actions.Wanted(job.kind, tuple(job.wanted)).filter,
            cursor=job.cursor,
            limit=BATCH,
            seconds=SECONDS,
        )
        column = "user_id" if job.kind == Erasure.Kind.USER else "session_id"
        traces = [row.trace_id for row in page.traces if getattr(row, column) in job.wanted]
        job.again |= bool(traces)
        gone = _erase(job, traces)
        job.cursor = page.following or ""
        if job.cursor:
            return True
    if job.again or store.unseen(driver_cursor(), job.project_id, TRIES, job.created_at):
        job.again = False
        return gone > 0
    _finish(job)
    return True


def _erase(job: Erasure, traces: Sequence[UUID]) -> int:
    """Erase what may go of these traces, and what was said about them; return how many went."""
    if not traces:
        return 0
    cursor = driver_cursor()
    held = store.hold(cursor, job.project_id, traces, TRIES)
    by = User.objects.filter(email=job.by).first()
    which = traces if job.kind == Erasure.Kind.TRACES else sorted(held)
    counts = elsewhere.erase(job.project, which, by=by)
    gone = store.delete_held(cursor, job.project_id, held)
    counts["traces"] = len(held)
    counts["spans"] = sum(row["span_count"] for row in gone)
    job.groups = sorted({*job.groups, *(one for row in gone for one in row["failures"])})
    _add(job, counts)
    return len(held)


def _add(job: Erasure, counts: Counter[str]) -> None:
    job.counts = dict(sorted((Counter(job.counts) + counts).items()))


def _finish(job: Erasure) -> None:
    """Erase what is not found by a trace, forget the ids and leave the receipt."""
    cursor = driver_cursor()
    project, own = job.project, job.wanted if job.kind != Erasure.Kind.TRACES else []
    counts = elsewhere.erase_written(project, own)
    if job.kind == Erasure.Kind.USER:
        counts["seen_in_failures"] = store.forget_users(cursor, job.project_id, own)
    empty = store.empty_groups(cursor, job.project_id, job.groups) if job.groups else []
    counts["failure_titles"] = elsewhere.erase_groups(project, empty)
    counts["export_files"] = elsewhere.erase_files(project)
    store.forget_values(cursor, job.project_id)
    _add(job, counts)
    job.wanted, job.groups, job.cursor, job.finished_at = [], [], "", timezone.now()
    told = {f"deleted_{kind}": count for kind, count in job.counts.items()}
    by = User.objects.filter(email=job.by).first()
    audit("data.erased", by=by, project=project, object=str(job), kind=job.kind, **told)
