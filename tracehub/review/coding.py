"""From notes to a taxonomy: grouping notes under a failure mode, merging and splitting modes.

A change rewrites which modes the reviews name, past ones included, so that every count and chart
speaks of the taxonomy as it is now. What was rewritten is kept in `Recoding` and can be undone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from tracehub.projects.actions import ActionError, audit
from tracehub.projects.models import Project, User
from tracehub.review.actions import create_mode
from tracehub.review.models import FailureMode, Recoding, Review
from tracehub.review.querysets import counted
from tracehub.traces import store
from tracehub.traces.wake import wake_on_commit

Pair = tuple[int, int]  # review and mode, by id


@transaction.atomic
def assign(project: Project, reviews: Iterable[int], mode: FailureMode, *, by: User) -> Recoding:
    """Let reviews name a mode as well. Sealed reviews are left alone. Raises ActionError."""
    chosen = list(counted(project.pk).filter(pk__in=list(reviews)).exclude(modes=mode))
    if not chosen:
        raise ActionError("Choose notes that are not in the mode yet.", "review")
    added = [(review.pk, mode.pk) for review in chosen]
    return _write(project, Recoding.Kind.ASSIGN, by=by, added=added)


@transaction.atomic
def name_group(
    project: Project, name: str, definition: str, reviews: Iterable[int], *, by: User
) -> tuple[FailureMode, Recoding]:
    """Make a failure mode of notes. Raises ActionError naming the field."""
    chosen = list(reviews)
    mode, new = create_mode(project, name, by=by, definition=definition.strip())
    recoding = assign(project, chosen, mode, by=by)
    if new:
        recoding.created = [mode.pk]
        recoding.save(update_fields=["created"])
    return mode, recoding


@transaction.atomic
def merge(mode: FailureMode, into: FailureMode, *, by: User) -> Recoding:
    """Make two modes one: all reviews of `mode` name `into` instead, and `mode` is archived."""
    if mode.pk == into.pk:
        raise ActionError("A failure mode cannot be merged into itself.", "into")
    named = list(mode.reviews.values_list("pk", flat=True))
    there = set(into.reviews.values_list("pk", flat=True))
    mode.archived_at = timezone.now()
    mode.save(update_fields=["archived_at"])
    recoding = _write(
        mode.project,
        Recoding.Kind.MERGE,
        by=by,
        removed=[(review, mode.pk) for review in named],
        added=[(review, into.pk) for review in named if review not in there],
        archived=[mode.pk],
    )
    audit("mode.merged", by=by, project=mode.project, object=mode.slug, into=into.slug)
    return recoding


@transaction.atomic
def split(
    mode: FailureMode, name: str, definition: str, reviews: Sequence[int], *, by: User
) -> tuple[FailureMode, Recoding]:
    """Move some reviews of a mode into a new one. Raises ActionError naming the field."""
    chosen = list(mode.reviews.filter(pk__in=list(reviews), sealed=False))
    if not chosen:
        raise ActionError("Choose notes of the mode for the new one.", "review")
    made, new = create_mode(mode.project, name, by=by, definition=definition.strip())
    if not new:
        raise ActionError(f"There is a failure mode {made.name!r} already.", "name")
    recoding = _write(
        mode.project,
        Recoding.Kind.SPLIT,
        by=by,
        removed=[(review.pk, mode.pk) for review in chosen],
        added=[(review.pk, made.pk) for review in chosen],
        created=[made.pk],
    )
    audit("mode.split", by=by, project=mode.project, object=mode.slug, into=made.slug)
    return made, recoding


@transaction.atomic
def undo(recoding: Recoding) -> None:
    """Take a change back. Reviews that were given to its modes since then keep them."""
    recoding = Recoding.objects.select_for_update().get(pk=recoding.pk)
    if recoding.undone_at is not None:
        return
    _rewrite(added=recoding.removed, removed=recoding.added)
    FailureMode.objects.filter(pk__in=recoding.archived).update(archived_at=None)
    unused = FailureMode.objects.filter(pk__in=recoding.created, reviews=None)
    unused.update(archived_at=timezone.now())
    recoding.undone_at = timezone.now()
    recoding.save(update_fields=["undone_at"])
    _wake(recoding.project, [*recoding.added, *recoding.removed])


def _write(
    project: Project,
    kind: Recoding.Kind,
    *,
    by: User,
    added: Sequence[Pair] = (),
    removed: Sequence[Pair] = (),
    created: Sequence[int] = (),
    archived: Sequence[int] = (),
) -> Recoding:
    _rewrite(added=added, removed=removed)
    _wake(project, [*added, *removed])
    return Recoding.objects.create(
        project=project, kind=kind, by=by, added=list(added), removed=list(removed),
        created=list(created), archived=list(archived),
    )  # fmt: skip


def _rewrite(*, added: Iterable[Sequence[int]], removed: Iterable[Sequence[int]]) -> None:
    names = Review.modes.through
    for review, mode in removed:
        names._default_manager.filter(review_id=review, failuremode_id=mode).delete()
    names._default_manager.bulk_create(
        [names(review_id=review, failuremode_id=mode) for review, mode in added],
        ignore_conflicts=True,
    )


def _wake(project: Project, pairs: Iterable[Sequence[int]]) -> None:
    reviews = {pair[0] for pair in pairs}
    rows = Review.objects.filter(pk__in=reviews).values_list("trace_id", flat=True)
    traces: list[UUID] = list(rows)
    if traces:
        store.mark_dirty(project.pk, traces)
        wake_on_commit()
