"""Deleting many traces: what they say goes for good, what people made of them stays.

A job waits ten minutes before its first batch, so that it can be called off whole. Then each batch
is one transaction. Their sums stay in `erased_hours`, so charts go on counting them; cases of eval
sets and reviews stay. Traces that the worker must still look at come in the next round.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from tracehub.digest.actions import TRIES
from tracehub.digest.erasure import elsewhere, store
from tracehub.digest.models import BulkJob
from tracehub.digest.store import driver_cursor
from tracehub.projects.actions import audit
from tracehub.review import talk

PAUSE = timedelta(seconds=5)  # before what the worker was busy with is tried again


def chosen(job: BulkJob) -> bool:
    """Delete the traces that a job names; tell whether all of them are gone."""
    traces = [UUID(hex=one) for one in job.choice["traces"]]
    job.changed += _delete(job, traces)
    busy = store.left(driver_cursor(), job.project_id, traces)
    job.traces = len(traces) - busy
    return _over(job, busy > 0)


def matching(job: BulkJob, traces: Sequence[UUID], following: str) -> bool:
    """Delete a page of what a job's filter finds; tell whether there is nothing left of it."""
    gone = _delete(job, traces)
    job.changed += gone
    job.traces += gone
    busy = job.choice.pop("busy", False) or gone < len(traces)
    job.cursor = following
    if following and busy:
        job.choice["busy"] = True
    return not following and _over(job, busy)


def _delete(job: BulkJob, traces: Sequence[UUID]) -> int:
    cursor = driver_cursor()
    held = store.hold(cursor, job.project_id, traces, TRIES)
    if held:
        elsewhere.forget_work(job.project, list(held))
        elsewhere.loose_ends(job.project, list(held))
        talk.forget(job.project_id, list(held))
        store.delete_held(cursor, job.project_id, held)
    return len(held)


def _over(job: BulkJob, busy: bool) -> bool:
    """Begin another round when some were busy; else say in the audit log what went."""
    if busy:
        job.turn_at = timezone.now() + PAUSE
        return False
    audit("traces.deleted", by=job.by, project=job.project, object=str(job), traces=job.changed)
    return True
