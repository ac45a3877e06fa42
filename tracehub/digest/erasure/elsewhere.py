"""What else there is of a person, outside the traces: by the ids of traces, and by their own id.

Numbers stay: verdicts, modes, severities, counts. Words go.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from uuid import UUID

from django.db.models import Model, Q, QuerySet
from django.utils import timezone

from tracehub.digest.bulk import actions as bulk
from tracehub.digest.bulk import files
from tracehub.digest.models import BulkJob
from tracehub.evals import erasing
from tracehub.failures.models import (
    Activity,
    CustomSignal,
    Failure,
    LateSignals,
    Recheck,
    SecondLook,
)
from tracehub.metrics.models import Dashboard
from tracehub.projects.models import Event, Project, User
from tracehub.review import talk
from tracehub.review.models import (
    FailureMode,
    JudgeRun,
    JudgeTask,
    Queue,
    QueueItem,
    Repeat,
    Review,
    Seat,
    TraceComment,
)
from tracehub.traces.models import Feedback, Parked, SavedView, Waiting

ERASED = "erased"  # stands where an id was
SHORTEST = 4  # characters of an id that is looked for in what people wrote
FILE_GONE = "Its file was deleted when a person's data was erased. Export again."
# What people and jobs wrote down, where an id may stand: the fields, and the way to the project.
WRITTEN: tuple[tuple[type[Model], str, tuple[str, ...]], ...] = (
    (Activity, "failure__project", ("text", "detail")),
    (Review, "project", ("note",)),
    (TraceComment, "project", ("text", "quote")),
    (Queue, "project", ("q", "name")),
    (SavedView, "project", ("q", "name")),
    (Dashboard, "project", ("q", "name")),
    (CustomSignal, "project", ("q",)),
    (BulkJob, "project", ("q",)),
    (JudgeRun, "project", ("q",)),
    (Recheck, "project", ("q", "reason")),
    (Failure, "project", ("title", "span")),
)


def noted(project: Project, traces: Collection[UUID]) -> QuerySet[Review]:
    """Return the reviews of these traces that hold words of somebody."""
    reviews = Review.objects.filter(project=project, trace_id__in=traces)
    return reviews.exclude(note="", has_correction=False)


def preview(project: Project, traces: Collection[UUID], ids: Iterable[str]) -> Counter[str]:
    """Count what `erase` and `erase_written` would change."""
    feedback = Feedback.objects.filter(project=project, trace_id__in=traces)
    cases = erasing.of_traces(project, traces).values()
    return Counter(
        notes=noted(project, traces).count(),
        cases=sum(map(len, cases)),
        feedback=feedback.count(),
        comments=len({row.pk for row, _ in _mentions(project, ids, WRITTEN[:1])}),
    )


def erase(project: Project, traces: Collection[UUID], *, by: User | None) -> Counter[str]:
    """Delete what was said about these traces, in the caller's transaction; count it by kind."""
    of = {"project": project, "trace_id__in": traces}
    told = {"project": project, "body__trace_id__in": [trace.hex for trace in traces]}
    forget_work(project, traces)
    JudgeTask.objects.filter(run__project=project, trace_id__in=traces).exclude(error="").update(
        error=ERASED
    )
    Seat.objects.filter(item__project=project, item__trace_id__in=traces).update(skip_reason="")
    QueueItem.objects.filter(**of).update(title="")
    _forget_examples(project, {trace.hex for trace in traces})
    return Counter(
        notes=noted(project, traces).update(note="", corrected_output=None, has_correction=False)
        + talk.forget(project.pk, list(traces)),
        **loose_ends(project, traces),
        events=Event.objects.filter(**told).delete()[1].get("projects.Event", 0),
        cases=erasing.erase_traces(project, traces, by=by),
    )


def forget_work(project: Project, traces: Collection[UUID]) -> None:
    """Delete what the worker still wanted of these traces, and what it found late."""
    of = {"project_id": project.pk, "trace_id__in": traces}
    for model in (SecondLook, LateSignals, Waiting, Parked):
        model.objects.filter(**of).delete()


def loose_ends(project: Project, traces: Collection[UUID]) -> Counter[str]:
    """Delete what leads nowhere without its trace: feedback, and work that people still had."""
    of = {"project": project, "trace_id__in": traces}
    Repeat.objects.filter(**of, review=None, dropped_at=None).update(dropped_at=timezone.now())
    items = QueueItem.objects.filter(**of, closed_at=None).delete()[1]
    return Counter(
        queue_items=items.get("review.QueueItem", 0),
        feedback=Feedback.objects.filter(**of).delete()[0],
    )


def _forget_examples(project: Project, traces: set[str]) -> None:
    for mode in FailureMode.objects.filter(project=project).exclude(examples=[]):
        kept = [one for one in mode.examples if UUID(one).hex not in traces]
        if kept != mode.examples:
            mode.examples = kept
            mode.save(update_fields=["examples"])


def erase_written(project: Project, ids: Iterable[str]) -> Counter[str]:
    """Put ERASED in the place of these ids wherever people or jobs wrote them; count the rows."""
    changed: Counter[str] = Counter()
    for row, fields in _mentions(project, ids, WRITTEN):
        for name, text in fields.items():
            setattr(row, name, text)
        row.save(update_fields=list(fields))
        changed["comments" if isinstance(row, Activity) else "mentions"] += 1
    return changed


def _mentions(
    project: Project,
    ids: Iterable[str],
    where: Iterable[tuple[type[Model], str, tuple[str, ...]]],
) -> Iterator[tuple[Model, dict[str, str]]]:
    """Yield rows that name one of the ids as a word, with their fields as they should be."""
    for wanted in (one for one in ids if len(one) >= SHORTEST):
        word = re.compile(rf"(?<!\w){re.escape(wanted)}(?!\w)")
        for model, way, names in where:
            named = Q()
            for name in names:
                named |= Q(**{f"{name}__contains": wanted})
            for row in model._default_manager.filter(named, **{way: project}):
                said = {name: getattr(row, name) for name in names}
                fields = {name: word.sub(ERASED, text) for name, text in said.items()}
                if fields != said:
                    yield row, fields


def erase_groups(project: Project, groups: Iterable[int]) -> int:
    """Take the words off failures that only erased traces were in: their titles quote outputs."""
    rows = list(Failure.objects.filter(project=project, pk__in=list(groups)))
    for row in rows:
        Event.objects.filter(project=project, body__key=row.key).delete()
        row.title, row.reason, row.span = row.kind, [], ""
        row.save(update_fields=["title", "reason", "span"])
    return len(rows)


def erase_files(project: Project) -> int:
    """Delete the files of exports, and stop those under way; return how many."""
    jobs = BulkJob.objects.filter(project=project, kind=BulkJob.Kind.EXPORT)
    count = 0
    for job in jobs.filter(state=BulkJob.State.RUNNING):
        bulk.cancel(job)
        count += 1
    for job in jobs.filter(state__in=[BulkJob.State.DONE, BulkJob.State.STOPPED], error=""):
        count += job.has_file
        files.forget(job)
        job.error = FILE_GONE
        job.save(update_fields=["error"])
    return count
