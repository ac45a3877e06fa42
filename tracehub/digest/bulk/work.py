"""Doing jobs on all matching traces, a batch in one transaction, so that they can be killed.

A batch makes its reviews, items or cases, notes them in `bulk_changes` and moves the job on in one
transaction. The cursor is a keyset, newest first: what the batch changes about its own traces
moves none of those that follow.
"""

from __future__ import annotations

import errno
import logging
import time
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from tracehub.core.query import FilterError, parse
from tracehub.digest import life, trace_files
from tracehub.digest.bulk import deleting, files
from tracehub.digest.models import BulkChange, BulkJob
from tracehub.evals import actions as evals
from tracehub.evals import promoting
from tracehub.evals.models import Case, EvalSet
from tracehub.projects import outbox
from tracehub.projects.actions import ActionError
from tracehub.review import actions as reviews
from tracehub.review import picking, querysets
from tracehub.review.models import Queue
from tracehub.traces import listing
from tracehub.traces.extent import Range
from tracehub.traces.models import Trace
from tracehub.traces.querysets import Page, TooSlow

logger = logging.getLogger(__name__)

BATCH = {
    "review": 200,
    "queue": 200,
    "promote": 20,
    "export": 100,
    "delete": 200,
    "search": 200,
}  # in one transaction
SECONDS = 20.0  # for finding a batch
_GONE = "It is not there any more. Undo what was done, or let it be."


def work(*, seconds: float) -> bool:
    """Go on with open jobs in turns until the time is up; tell whether some are left."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        life.sign()
        with transaction.atomic():
            rows = BulkJob.objects.select_for_update(skip_locked=True, of=("self",))
            due = rows.filter(finished_at=None, turn_at__lte=timezone.now())
            job = due.order_by("turn_at").first()
            if job is None:
                return False
            _turn(job)
    return True


def _turn(job: BulkJob) -> None:
    """Do one batch; a job that cannot go on stops and says why."""
    step = _take_back if job.state == BulkJob.State.UNDOING else _step
    try:
        with transaction.atomic():
            step(job)
    except (ActionError, FilterError) as error:
        _stop(job, str(error))
    except TooSlow:
        _stop(job, f"Finding traces took over {SECONDS:g} s. Choose a shorter range.")
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        _stop(job, "The disk is full." if full else f"The file cannot be written: {error}")
    except Exception:
        logger.exception("Job %s stopped.", job.pk)
        _stop(job, "A fault of TraceHub stopped it. The log of the worker tells more.")
    job.turn_at = max(job.turn_at, timezone.now())  # some rest until then
    job.save()


def _stop(job: BulkJob, why: str) -> None:
    """End a job with what it has done: the batch that failed is rolled back, fields included."""
    job.refresh_from_db()
    job.error = why[:500]
    if job.state == BulkJob.State.UNDOING:
        job.choice["undoing"] = True
    _end(job, BulkJob.State.STOPPED)


def _end(job: BulkJob, state: str) -> None:
    job.state, job.finished_at = state, timezone.now()
    if job.notifies and job.by is not None:
        ended = "stopped" if state == BulkJob.State.STOPPED else "done"
        words = f"{job.get_kind_display()}: {job.traces:,} of {job.expected:,} traces, {ended}"
        told = {"message": words, "lines": [job.error], "place": "traces/jobs"}
        outbox.emit(job.project_id, "job.ended", {**told, "emails": [job.by.email]})


def _step(job: BulkJob) -> None:
    if "traces" in job.choice:
        if deleting.chosen(job):
            _end(job, BulkJob.State.DONE)
        return
    page = listing.read(
        Range(job.project, job.since, job.until),
        parse(job.q),
        cursor=job.cursor,
        limit=BATCH[job.kind],
        seconds=SECONDS,
    )
    if job.kind == BulkJob.Kind.SEARCH:
        _found(job, page)
        return
    if job.kind == BulkJob.Kind.DELETE:
        if deleting.matching(job, [row.trace_id for row in page.traces], page.following or ""):
            _end(job, BulkJob.State.DONE)
        return
    if job.kind == BulkJob.Kind.EXPORT:
        fmt = job.choice["format"]
        pieces = trace_files.pieces(fmt, job.project, page.traces, head=not job.cursor)
        job.size = files.append(job, pieces)
        job.changed += len(page.traces)
    elif page.traces:
        made = _made(job, page.traces)
        BulkChange.objects.bulk_create(BulkChange(job=job, made=one) for one in made)
        job.changed += len(made)
    job.traces += len(page.traces)
    job.cursor = page.following or ""
    if not job.cursor:
        if job.kind == BulkJob.Kind.EXPORT:
            job.size = files.finish(job)
        _end(job, BulkJob.State.DONE)


def _found(job: BulkJob, page: Page) -> None:
    """Note the traces of a page, which may be a part of one that took its time."""
    job.choice["found"] += [row.hex for row in page.traces]
    job.choice["found"] = job.choice["found"][: BulkJob.NOTED]
    job.changed += len(page.traces)
    job.cursor = page.following or ""
    last = page.reached or (page.traces[-1].started_at if page.traces else job.since)
    whole = max((job.until - job.since).total_seconds(), 1)
    job.traces = round(job.expected * (job.until - last).total_seconds() / whole)
    if not job.cursor:
        job.traces = job.expected
        _end(job, BulkJob.State.DONE)


def _made(job: BulkJob, rows: list[Trace]) -> list[int]:
    """Do what was chosen to some traces; return the ids of what that made."""
    traces = [row.trace_id for row in rows]
    if job.by is None:
        raise ActionError("Who started it has no account any more.")
    if job.kind == BulkJob.Kind.REVIEW:
        modes = [job.choice["mode"]] if "mode" in job.choice else []
        verdict = job.choice["verdict"]
        # Everybody reads what a job says of its traces, and of a blind queue that must be nothing.
        sealing = querysets.sealing(job.project, traces)
        traces = [trace for trace in traces if trace not in sealing]
        made = reviews.submit_reviews(job.project, traces, verdict, author=job.by, modes=modes)
        return [review.pk for review in made]
    if job.kind == BulkJob.Kind.QUEUE:
        queue = Queue.objects.filter(project=job.project, slug=job.choice["queue"]).first()
        if queue is None:
            raise ActionError(_GONE)
        return picking.add_traces(queue, traces, by=job.by)
    return _promoted(job, traces)


def _promoted(job: BulkJob, traces: list[UUID]) -> list[int]:
    """Add the traces to a draft; near-duplicates are left out unless the choice keeps them."""
    eval_set = EvalSet.objects.filter(project=job.project, slug=job.choice["set"]).first()
    if eval_set is None:
        raise ActionError(_GONE)
    keeps = job.choice.get("near") == "keep"
    near = [] if keeps else promoting.near_duplicates(eval_set, traces)
    left_out = {one.trace_id for one in near}
    made = []
    for trace in (one for one in traces if one not in left_out):
        try:
            [(case, new)] = promoting.add_all(eval_set, [promoting.Promotion(trace)])
        except ActionError as error:
            if error.field == "from_trace":  # retention took it meanwhile
                continue
            raise
        if new:
            made.append(case.pk)
    return made


def _take_back(job: BulkJob) -> None:
    """Undo one batch, the newest first, and forget that it was done."""
    some = list(job.changes.order_by("-id")[: BATCH[job.kind]])
    ids = [change.made for change in some]
    if job.kind == BulkJob.Kind.REVIEW:
        reviews.withdraw_all(job.project, ids)
    elif job.kind == BulkJob.Kind.QUEUE:
        picking.remove_items(job.project, ids)
    else:
        cases = Case.objects.filter(project=job.project, pk__in=ids, removed_in=None)
        for case in cases.select_related("eval_set"):
            evals.remove_case(case.eval_set, case.number)
    BulkChange.objects.filter(pk__in=[change.pk for change in some]).delete()
    job.changed -= len(some)
    if len(some) < BATCH[job.kind]:
        _end(job, BulkJob.State.UNDONE)
