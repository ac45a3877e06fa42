"""Look at past traces again when a contract or a rule changed: a job that can be killed.

A batch marks traces for the worker and moves the job on in one transaction. Whole batches are
handed over when the worker has nothing else to do, so that new traces go first and how far the job
is tells how far the worker is; under traffic that never ends, SHARE traces every TURN seconds are.
A batch that is done twice changes nothing.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from tracehub.core.query import parse
from tracehub.digest import store
from tracehub.failures.models import Recheck
from tracehub.failures.rules import store as second_pass
from tracehub.projects.models import Project
from tracehub.traces import partitions
from tracehub.traces.models import Trace
from tracehub.traces.querysets import TooSlow, TraceQuerySet, bounded
from tracehub.traces.store import mark_dirty
from tracehub.traces.wake import wake_on_commit

BATCH = 500  # traces in one transaction
SHARE = 50  # of them while other traces wait,
TURN = timedelta(seconds=2)  # and at most so often: 25 traces a second at the least
DAYS = 14
COUNTED = 2.0  # seconds that counting the traces may take


@transaction.atomic
def start(
    project: Project, reason: str, *, q: str = "", second: bool = False, days: int = DAYS
) -> Recheck:
    """Ask for the traces of the last days once more; an open job for the same ones begins anew.

    What that one had still to do is done as well, however far it goes back.
    """
    until = timezone.now().date() + timedelta(days=1)
    kept = min((each.day for each in partitions.existing()), default=until)
    since = min(max(until - timedelta(days=days + 1), kept), until)
    waiting = Recheck.objects.select_for_update().filter(project=project, finished_at=None)
    for job in waiting.filter(q=q):
        second, since = second or job.second, min(since, job.day)
        job.finished_at = timezone.now()
        job.save(update_fields=["finished_at"])
    job = Recheck(
        project=project,
        reason=reason[:160],
        q=q,
        second=second,
        since=since,
        until=until,
        day=since,
    )
    try:
        with bounded(COUNTED):
            job.total = _traces(job).filter(day__gte=since, day__lte=until).count()
    except TooSlow:
        job.total = None
    job.save()
    wake_on_commit()
    return job


def step() -> int:
    """Hand some traces of the oldest open job to the worker; return how many, if it was idle."""
    with transaction.atomic():
        jobs = Recheck.objects.select_for_update(skip_locked=True).filter(finished_at=None)
        job = jobs.order_by("pk").first()
        if job is None:
            return 0
        if not store.lag(store.driver_cursor())[0]:
            return _hand_over(job, BATCH)
        if job.handed_at is None or timezone.now() - job.handed_at >= TURN:
            _hand_over(job, SHARE)
        return 0


def _hand_over(job: Recheck, limit: int) -> int:
    rows = _traces(job).filter(day=job.day, trace_id__gt=job.after).order_by("trace_id")
    traces = list(rows.values_list("trace_id", flat=True)[:limit])
    if traces:
        mark_dirty(job.project_id, traces)
        if job.second:
            second_pass.ask(job.project_id, job.day, traces)
        job.after = traces[-1]
        job.traces += len(traces)
    if len(traces) < limit:
        job.day, job.after = job.day + timedelta(days=1), UUID(int=0)
        if job.day > job.until:
            job.finished_at = timezone.now()
    job.handed_at = timezone.now()
    job.save()
    return len(traces) or int(job.finished_at is None)


def _traces(job: Recheck) -> TraceQuerySet:
    """Return the traces of a job, of any day. A day is walked by the key of its partition."""
    rows = Trace.objects.filter(project_id=job.project_id)
    return rows.matching(parse(job.q)) if job.q else rows


def newest(project: Project) -> Recheck | None:
    """Return the job that a page tells of: an open one, else the last one of this hour."""
    jobs = Recheck.objects.filter(project=project)
    found = jobs.filter(finished_at=None).order_by("pk").first()
    recent = timezone.now() - timedelta(hours=1)
    return found or jobs.filter(finished_at__gte=recent).order_by("-finished_at").first()
