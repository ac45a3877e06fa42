"""Reads of reviews. What is withdrawn or sealed leaves this file only through `seen_by`.

A review is sealed while an item of a blind queue is open on its trace. Everything that shows,
counts, exports or sums up verdicts starts from `counted` or `COUNTED`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import (
    Aggregate,
    Count,
    Exists,
    F,
    FloatField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
)
from django.db.models.functions import Coalesce

from tracehub.projects.models import Project, User
from tracehub.review.models import FailureMode, ModeLabel, Queue, QueueItem, Review, Seat
from tracehub.traces import reading

# Which reviews of a failure mode count.
COUNTED = Q(reviews__withdrawn_at=None, reviews__sealed=False, reviews__is_repeat=False)


@dataclass(frozen=True, slots=True)
class Standing:
    """What reviewers hold of one trace: the verdict that counts, its modes, and who reviewed."""

    verdict: str
    modes: list[str] = field(default_factory=list)
    reviewers: list[str] = field(default_factory=list)


def counted(project_id: int) -> QuerySet[Review]:
    """Reviews of a project that were neither withdrawn nor are sealed, nor answer a repeat."""
    rows = Review.objects.filter(project_id=project_id, withdrawn_at=None, sealed=False)
    return rows.filter(is_repeat=False)


def standing(project_id: int, traces: Iterable[UUID]) -> dict[UUID, Standing]:
    """Return the standing of every reviewed trace among these, in two queries."""
    reviews = (
        counted(project_id)
        .filter(trace_id__in=list(traces))
        .order_by("adjudicates", "id")
        .select_related("author")
        .prefetch_related("modes")
    )
    deciding: dict[UUID, Review] = {}
    people: dict[UUID, dict[str, None]] = {}
    for review in reviews:
        deciding[review.trace_id] = review
        who = review.author.email if review.author else review.author_key
        people.setdefault(review.trace_id, {})[who] = None
    return {
        trace: Standing(
            review.verdict, [mode.slug for mode in review.modes.all()], list(people[trace])
        )
        for trace, review in deciding.items()
    }


def of_trace(project: Project, trace_id: UUID) -> list[Review]:
    """Return the reviews of a trace that count, the deciding one first, then newest first."""
    return list(_full(counted(project.pk).filter(trace_id=trace_id))[:100])


def seen_by(person: User, project: Project, trace_id: UUID) -> list[Review]:
    """Return `of_trace` with the person's own sealed reviews among them."""
    mine = Q(sealed=False) | Q(author=person)
    rows = Review.objects.filter(mine, project=project, trace_id=trace_id, withdrawn_at=None)
    return list(_full(rows.filter(is_repeat=False))[:100])


def given_by(person: User, project: Project) -> QuerySet[Review]:
    """All reviews of a person, sealed and withdrawn ones too, newest first. Repeats stay silent."""
    rows = Review.objects.filter(project=project, author=person, is_repeat=False)
    return rows.order_by("-id")


def titles(project: Project, traces: Iterable[UUID]) -> dict[UUID, str]:
    """Return what these traces were asked, else their names; deleted ones as queues call them."""
    ids = list(traces)
    queued = QueueItem.objects.filter(project=project, trace_id__in=ids)
    rows = reading.rows_of(project, ids).values_list("trace_id", "input_preview", "name")
    stored = {trace: " ".join((said or name).split())[:200] for trace, said, name in rows}
    return dict(queued.values_list("trace_id", "title")) | stored


class Median(Aggregate):
    """The middle of some numbers; None without any."""

    function = "PERCENTILE_CONT"
    template = "%(function)s(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


def standing_queues(project: Project) -> QuerySet[Queue]:
    """Return the queues of a project with how each stands, as `progress` counts it; one query.

    `all_items` and `closed` count items, `left` turns that wait, `median_ms` the time of a review.
    """
    items = QueueItem.objects.filter(queue=OuterRef("pk")).order_by()
    seats = Seat.objects.filter(item__queue=OuterRef("pk")).order_by()
    sealed = Seat.objects.filter(
        item=OuterRef("pk"), review__sealed=True, review__withdrawn_at=None
    )
    closed = items.exclude(closed_at=None).exclude(adjudication__sealed=True)
    waiting = seats.filter(review=None, skipped_at=None, item__closed_at=None)
    median = seats.exclude(review=None).values("item__queue").annotate(n=Median("review__took_ms"))
    return Queue.objects.filter(project=project).annotate(
        all_items=_number(items, "queue"),
        closed=_number(closed.filter(~Exists(sealed)), "queue"),
        left=_number(waiting, "item__queue"),
        median_ms=Subquery(median.values("n")),
    )


def _number(rows: QuerySet[QueueItem] | QuerySet[Seat], queue: str) -> Coalesce:
    counted_rows = rows.values(queue).annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted_rows), 0)


def of_traces(project: Project, traces: Iterable[UUID]) -> dict[UUID, list[Review]]:
    """Return the reviews that count by trace, in the order of `of_trace`. Three queries."""
    found: dict[UUID, list[Review]] = {}
    for review in _full(counted(project.pk).filter(trace_id__in=list(traces))):
        found.setdefault(review.trace_id, []).append(review)
    return found


def _full(reviews: QuerySet[Review]) -> QuerySet[Review]:
    ordered = reviews.order_by("-adjudicates", "-id")
    return ordered.select_related("author").prefetch_related("modes")


def sealing(project: Project, traces: Iterable[UUID]) -> set[UUID]:
    """Return those of the traces on which a review given now would be sealed."""
    rows = QueueItem.objects.filter(project=project, trace_id__in=list(traces), closed_at=None)
    return set(rows.filter(queue__blind=True).values_list("trace_id", flat=True))


def is_sealing(project: Project, trace_id: UUID) -> bool:
    """Tell whether a review given now would be sealed."""
    return bool(sealing(project, [trace_id]))


def stays_sealed(project: Project, trace_id: UUID, person: User) -> bool:
    """Tell whether a review by the person would be sealed and others' turns still wait then."""
    waiting = Seat.objects.filter(
        item__project=project, item__trace_id=trace_id, item__closed_at=None,
        item__queue__blind=True, review=None, skipped_at=None,
    )  # fmt: skip
    holders = list(waiting.values_list("reviewer_id", flat=True))
    return len(holders) > (person.pk in holders or None in holders)


def modes(project: Project) -> list[FailureMode]:
    """Return the project's failure modes in the order of their keys."""
    return list(FailureMode.objects.filter(project=project, archived_at=None))


def modes_with_use(project: Project) -> list[FailureMode]:
    """Return `modes` with `used`: in how many reviews that count."""
    rows = FailureMode.objects.filter(project=project, archived_at=None)
    return list(rows.annotate(used=Count("reviews", filter=COUNTED)))


def old_labels(project: Project) -> QuerySet[ModeLabel]:
    """Labels whose mode has meant something else since: their mode may no longer hold."""
    rows = ModeLabel.objects.filter(review__in=counted(project.pk), failuremode__archived_at=None)
    return rows.filter(version__lt=F("failuremode__version")).order_by("pk")


def modes_to_check(project: Project) -> list[tuple[FailureMode, int]]:
    """Return the modes that have old labels, with their number."""
    counts = old_labels(project).order_by().values_list("failuremode").annotate(n=Count("pk"))
    found = dict(counts)
    return [(mode, found[mode.pk]) for mode in modes(project) if mode.pk in found]


def pinned_by(project: Project, traces: Iterable[UUID]) -> dict[UUID, str]:
    """Return who pinned the step where each trace first fails, for those that are pinned."""
    rows = counted(project.pk).filter(trace_id__in=list(traces)).exclude(failing_span="")
    ordered = rows.order_by("adjudicates", "id").select_related("author")
    return {one.trace_id: str(one.author or one.author_key) for one in ordered}


def pinned_steps(project: Project, traces: Iterable[UUID]) -> dict[UUID, str]:
    """Return the span where each trace first fails, for those that a reviewer pinned."""
    rows = counted(project.pk).filter(trace_id__in=list(traces)).exclude(failing_span="")
    ordered = rows.order_by("adjudicates", "id").values_list("trace_id", "failing_span")
    return dict(ordered)
