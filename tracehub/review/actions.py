"""Verdicts and the taxonomy: one verb, one transaction. Nothing is edited in place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.text import slugify

from tracehub.projects.actions import ActionError, Conflict, audit
from tracehub.projects.masking import masked
from tracehub.projects.models import ApiKey, Project, User
from tracehub.review import queueing
from tracehub.review.models import (
    FailureMode,
    ModeLabel,
    ModeVersion,
    QueueItem,
    Review,
    Seat,
    Severity,
    Verdict,
)
from tracehub.traces import store
from tracehub.traces.reading import rows_of
from tracehub.traces.wake import wake_on_commit

NOTHING = object()  # tells "no corrected output" from a corrected output of null


def submit_review(
    project: Project,
    trace_id: UUID,
    verdict: str,
    *,
    author: User | ApiKey,
    modes: Sequence[str] = (),
    severity: str = "",
    note: str = "",
    corrected_output: Any = NOTHING,
    submission: UUID | None = None,
    failing_span: str = "",
    took_ms: int | None = None,
    adjudicates: bool = False,
) -> tuple[Review, bool]:
    """Add a review and return it with whether it is new.

    `modes` are slugs of the project. The same `submission` again returns the first review, so a
    double click or a retry counts once. Where an item of a queue waits for this author, the review
    is its answer; while a blind one is open on the trace, the review is sealed. Raises ActionError
    naming the field.
    """
    _check_verdict(verdict)
    if severity and severity not in Severity.values:
        raise ActionError(
            f"severity must be one of {', '.join(Severity.values)}. Got {severity!r}.", "severity"
        )
    chosen = _modes(project, modes)
    note, corrected_output = masked(project.pk, [note, corrected_output])
    try:
        with transaction.atomic():
            review = Review.objects.create(
                project=project,
                trace_id=trace_id,
                author=author if isinstance(author, User) else None,
                author_key=author.name if isinstance(author, ApiKey) else "",
                verdict=verdict,
                severity=severity,
                note=note.replace("\0", "\N{REPLACEMENT CHARACTER}"),
                corrected_output=None if corrected_output is NOTHING else corrected_output,
                has_correction=corrected_output is not NOTHING,
                submission=submission,
                failing_span=failing_span if verdict != Verdict.PASS else "",
                took_ms=took_ms,
                spans=_span_counts(project, [trace_id]).get(trace_id),
                adjudicates=adjudicates,
            )
            label([review.pk], chosen)
            queueing.take_seat(review)
            if not review.sealed:
                store.mark_dirty(project.pk, [trace_id])
                wake_on_commit()
    except IntegrityError:
        return Review.objects.get(project=project, submission=submission), False
    return review, True


def _span_counts(project: Project, traces: Sequence[UUID]) -> dict[UUID, int]:
    return dict(rows_of(project, traces).values_list("trace_id", "span_count"))


@transaction.atomic
def submit_reviews(
    project: Project,
    traces: Sequence[UUID],
    verdict: str,
    *,
    author: User,
    modes: Sequence[str] = (),
) -> list[Review]:
    """Add one review of each trace and return them, as `submit_review` one by one, but at once.

    Eleven statements, and those of a turn for each trace that waits in a queue. Raises ActionError.
    """
    _check_verdict(verdict)
    chosen = _modes(project, modes)
    spans = _span_counts(project, traces)
    made = Review.objects.bulk_create(
        Review(project=project, trace_id=one, author=author, verdict=verdict, spans=spans.get(one))
        for one in traces
    )
    label([review.pk for review in made], chosen)
    items = QueueItem.objects.filter(project=project, trace_id__in=traces, closed_at=None)
    waiting = set(items.values_list("trace_id", flat=True))
    queueing.announce([review for review in made if review.trace_id not in waiting])
    for review in made:
        if review.trace_id in waiting:
            queueing.take_seat(review)
    store.mark_dirty(project.pk, [review.trace_id for review in made if not review.sealed])
    wake_on_commit()
    return made


@transaction.atomic
def withdraw_all(project: Project, reviews: Sequence[int]) -> int:
    """Take reviews back by their ids; return how many stood till now."""
    standing = Review.objects.filter(project=project, pk__in=reviews, withdrawn_at=None)
    ids = list(standing.values_list("pk", flat=True))
    answers = Seat.objects.filter(review__in=ids).values_list("review_id", flat=True)
    decides = QueueItem.objects.filter(adjudication__in=ids).values_list("adjudication", flat=True)
    for review in Review.objects.filter(pk__in={*answers, *decides}):
        withdraw(review)
    rest = Review.objects.filter(pk__in=ids, withdrawn_at=None)
    traces = list(rest.values_list("trace_id", flat=True))
    rest.update(withdrawn_at=timezone.now())
    store.mark_dirty(project.pk, traces)
    wake_on_commit()
    return len(ids)


@transaction.atomic
def withdraw(review: Review) -> None:
    """Take a review back (undo). The row stays, for the history; its turn in a queue is open."""
    review.withdrawn_at = timezone.now()
    review.save(update_fields=["withdrawn_at"])
    queueing.give_back(review)
    store.mark_dirty(review.project_id, [review.trace_id])
    wake_on_commit()


def create_mode(
    project: Project,
    name: str,
    *,
    by: User | ApiKey | None = None,
    slug: str = "",
    definition: str = "",
    examples: Iterable[str] = (),
) -> tuple[FailureMode, bool]:
    """Add a failure mode at the end of the list and return it with whether it is new.

    The same name and slug again return the one that is there. Raises ActionError on a bad or
    taken slug.
    """
    name = " ".join(name.split())
    if not 1 <= len(name) <= 80:
        raise ActionError(f"name must have 1 to 80 characters. Got {len(name)}.", "name")
    slug = slug or slugify(name)[:60]
    if not slug or slugify(slug) != slug.lower():
        raise ActionError(f"slug may hold letters, digits and -. Got {slug!r}. Send one.", "slug")
    with transaction.atomic():
        # One at a time in a project, so that slugs and positions are given once.
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        existing = FailureMode.objects.filter(project=project, slug=slug).first()
        if existing is not None:
            if existing.name == name and existing.archived_at is None:
                return existing, False
            raise Conflict(f"slug {slug!r} is taken by {existing.name!r}.", "slug")
        last = FailureMode.objects.filter(project=project).aggregate(last=Max("position"))["last"]
        mode = FailureMode.objects.create(
            project=project,
            slug=slug,
            name=name,
            definition=definition,
            examples=list(examples),
            position=(last or 0) + 1,
        )
        audit("mode.created", by=by, project=project, object=slug)
    return mode, True


@transaction.atomic
def edit_mode(
    mode: FailureMode, name: str, definition: str, *, by: User | ApiKey | None = None
) -> None:
    """Give a failure mode another name or rule; its slug, and so its reviews, stay.

    Another rule, where there was one, begins the next version: old labels are to be checked.
    """
    mode.refresh_from_db(from_queryset=FailureMode.objects.select_for_update())
    before, was = mode.name, mode.definition
    mode.name, mode.definition = " ".join(name.split()), definition.strip()
    if was and mode.definition != was:
        next_version(mode, was, "its rule was changed", by=by)
    mode.save(update_fields=["name", "definition"])
    audit("mode.edited", by=by, project=mode.project, object=mode.slug, before=before, after=name)


def next_version(
    mode: FailureMode, definition: str, change: str, *, by: User | ApiKey | None
) -> None:
    """End what a mode meant till now, in the caller's transaction."""
    ModeVersion.objects.create(
        project_id=mode.project_id, mode=mode, number=mode.version, definition=definition,
        change=change[:200], by=by if isinstance(by, User) else None,
    )  # fmt: skip
    mode.version += 1
    mode.save(update_fields=["version"])


def label(reviews: Iterable[int], modes: Sequence[FailureMode]) -> None:
    """Let new reviews name modes, as these mean now."""
    ModeLabel.objects.bulk_create(
        ModeLabel(review_id=review, failuremode=mode, version=mode.version)
        for review in reviews
        for mode in modes
    )


@transaction.atomic
def move_mode(mode: FailureMode, step: int, *, by: User | None = None) -> None:
    """Move a failure mode one place up (-1) or down (1); the keys 1 to 9 follow the order."""
    open_modes = FailureMode.objects.select_for_update().filter(
        project=mode.project, archived_at=None
    )
    order = list(open_modes)
    at = order.index(mode)
    to = min(max(at + step, 0), len(order) - 1)
    order.insert(to, order.pop(at))
    for position, each in enumerate(order, 1):
        each.position = position
    FailureMode.objects.bulk_update(order, ["position"])
    audit("mode.moved", by=by, project=mode.project, object=mode.slug, before=at + 1, after=to + 1)


@transaction.atomic
def archive_mode(mode: FailureMode, *, by: User | None = None) -> None:
    """Offer a failure mode no longer. Reviews that name it keep it."""
    mode.archived_at = timezone.now()
    mode.save(update_fields=["archived_at"])
    audit("mode.archived", by=by, project=mode.project, object=mode.slug)


@transaction.atomic
def restore_mode(mode: FailureMode, *, by: User | None = None) -> None:
    """Offer an archived failure mode again (undo)."""
    mode.archived_at = None
    mode.save(update_fields=["archived_at"])
    audit("mode.restored", by=by, project=mode.project, object=mode.slug)


def _check_verdict(verdict: str) -> None:
    if verdict not in Verdict.values:
        raise ActionError(
            f"verdict must be one of {', '.join(Verdict.values)}. Got {verdict!r}.", "verdict"
        )


def _modes(project: Project, slugs: Sequence[str]) -> list[FailureMode]:
    wanted = list(dict.fromkeys(slugs))
    found = {
        mode.slug: mode
        for mode in FailureMode.objects.filter(project=project, slug__in=wanted, archived_at=None)
    }
    for slug in wanted:
        if slug not in found:
            raise ActionError(
                f"failure_modes names {slug!r}, which the project does not have.", "failure_modes"
            )
    return [found[slug] for slug in wanted]
