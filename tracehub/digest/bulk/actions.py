"""Starting a job on all matching traces, and telling it to stop, go on or take itself back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from tracehub.core.query import Filter
from tracehub.digest.bulk import files
from tracehub.digest.models import BulkJob
from tracehub.digest.trace_files import FORMATS
from tracehub.evals.models import EvalSet
from tracehub.projects.actions import ActionError, audit
from tracehub.projects.models import Project, User
from tracehub.review.models import FailureMode, Queue, Verdict
from tracehub.traces import facets
from tracehub.traces.extent import Range
from tracehub.traces.wake import BULK, wake_on_commit

MOST_OPEN = 20  # jobs of one project that are not over
FORGOTTEN_AFTER = timedelta(days=30)


@transaction.atomic
def start(within: Range, wanted: Filter, kind: str, choice: dict[str, Any], *, by: User) -> BulkJob:
    """Ask for `kind` on all traces of a range that match. Raises ActionError naming the field.

    A deletion begins after BulkJob.DELAY, and takes the `traces` of its choice alone.

    Traces that begin later are not part of it: the range ends now at the latest.
    """
    now = timezone.now()
    _check(within.project, kind, choice)
    open_ = BulkJob.objects.filter(project=within.project, finished_at=None).count()
    if open_ >= MOST_OPEN:
        raise ActionError(f"{open_} jobs of this project are under way. Wait, or cancel one.")
    named: list[str] = choice.get("traces", [])
    if kind == BulkJob.Kind.SEARCH:  # so many are looked through; how many match is the question
        found = facets.expected(within), True
    else:
        found = (len(named), False) if named else facets.matching(within, wanted)
    expected, estimated = found
    rest = BulkJob.DELAY if kind == BulkJob.Kind.DELETE else timedelta(0)
    job = BulkJob.objects.create(
        project=within.project, by=by, kind=kind, choice=choice, q=str(wanted), since=within.start,
        until=min(within.end, now), expected=expected, estimated=estimated,
        turn_at=now + rest,
    )  # fmt: skip
    audit(
        f"traces.{kind}", by=by, project=within.project, object=f"job {job.pk}",
        q=str(wanted), expected=expected, **choice,
    )  # fmt: skip
    wake_on_commit(BULK)
    return job


def cancel(job: BulkJob) -> None:
    """Let a running job end with what it has done; the step under way is finished first.

    A deletion that waits is called off so: nothing has gone.
    """
    cancelled = _turn(job, (BulkJob.State.RUNNING,), BulkJob.State.CANCELLED)
    if cancelled and job.kind == BulkJob.Kind.EXPORT:
        files.forget(job)


def undo(job: BulkJob) -> None:
    """Take back what a job made, in steps as it was done."""
    if job.undoable:
        _turn(job, (job.state,), BulkJob.State.UNDOING)


def go_on(job: BulkJob) -> None:
    """Try again from where it stopped, with the work itself or with taking it back."""
    again = BulkJob.State.UNDOING if job.undo_stopped else BulkJob.State.RUNNING
    _turn(job, (BulkJob.State.STOPPED,), again)


@transaction.atomic
def notify(job: BulkJob) -> None:
    """Send who started an open job a mail when it is over, or no longer."""
    locked = BulkJob.objects.select_for_update().get(pk=job.pk)
    if locked.open:
        locked.choice["notify"] = not locked.notifies
        locked.save(update_fields=["choice"])


def forget_old() -> int:
    """Delete files past their time, and jobs that nobody can do anything with any more."""
    now = timezone.now()
    files.sweep(now - BulkJob.KEPT)
    old = BulkJob.objects.filter(finished_at__lt=now - FORGOTTEN_AFTER)
    return old.delete()[0]


@transaction.atomic
def _turn(job: BulkJob, from_: tuple[str, ...], to: str) -> bool:
    """Change the state of a job that is in one of `from_`; False when it is in another."""
    locked = BulkJob.objects.select_for_update().get(pk=job.pk)
    if locked.state not in from_:
        return False
    locked.state, locked.error = to, ""
    locked.finished_at = None if to in BulkJob.OPEN else timezone.now()
    locked.save(update_fields=["state", "error", "finished_at"])
    wake_on_commit(BULK)
    return True


def _check(project: Project, kind: str, choice: dict[str, Any]) -> None:
    """Raise ActionError when the choice of a kind names what is not there."""
    if kind == BulkJob.Kind.REVIEW:
        modes = FailureMode.objects.filter(project=project, archived_at=None)
        fine = choice.get("verdict") in Verdict.values
        fine = fine and ("mode" not in choice or modes.filter(slug=choice["mode"]).exists())
    elif kind == BulkJob.Kind.QUEUE:
        fine = Queue.objects.filter(project=project, slug=choice.get("queue")).exists()
    elif kind == BulkJob.Kind.PROMOTE:
        fine = EvalSet.objects.filter(project=project, slug=choice.get("set")).exists()
    elif kind == BulkJob.Kind.EXPORT:
        fine = choice.get("format") in FORMATS
    elif kind == BulkJob.Kind.SEARCH:
        fine = choice == {"found": []}
    elif kind == BulkJob.Kind.DELETE:
        fine = set(choice) <= {"traces"}
    else:
        raise ActionError(f"kind must be one of {', '.join(BulkJob.Kind.values)}. Got {kind!r}.")
    if not fine:
        told = ", ".join(f"{name} {value!r}" for name, value in choice.items()) or "nothing"
        raise ActionError(f"This project does not have what was chosen: {told}.")
