"""From notes to a taxonomy: grouping notes under a failure mode, merging and splitting modes.

A change rewrites which modes the reviews name, past ones included, so that every count and chart
speaks of the taxonomy as it is now. What was rewritten is kept in `Recoding` and can be undone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from tracehub.projects.actions import ActionError, audit
from tracehub.projects.models import Project, User
from tracehub.review.actions import create_mode, next_version
from tracehub.review.models import FailureMode, ModeLabel, Recoding, Review
from tracehub.review.querysets import counted
from tracehub.traces import store
from tracehub.traces.wake import wake_on_commit

Label = tuple[int, int, int]  # review and mode, by id, and the version of the mode


@transaction.atomic
def assign(project: Project, reviews: Iterable[int], mode: FailureMode, *, by: User) -> Recoding:
    """Let reviews name a mode as well. Sealed reviews are left alone. Raises ActionError."""
    chosen = list(counted(project.pk).filter(pk__in=list(reviews)).exclude(modes=mode))
    if not chosen:
        raise ActionError("Choose notes that are not in the mode yet.", "review")
    added = [(review.pk, mode.pk, mode.version) for review in chosen]
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
    named = _labels(mode)
    there = set(into.reviews.values_list("pk", flat=True))
    mode.archived_at = timezone.now()
    mode.save(update_fields=["archived_at"])
    recoding = _write(
        mode.project,
        Recoding.Kind.MERGE,
        by=by,
        removed=named,
        added=[(review, into.pk, into.version) for review, _, _ in named if review not in there],
        archived=[mode.pk],
    )
    audit("mode.merged", by=by, project=mode.project, object=mode.slug, into=into.slug)
    return recoding


@transaction.atomic
def split(
    mode: FailureMode, name: str, definition: str, reviews: Sequence[int], *, by: User,
    rest: tuple[str, str] = ("", ""),
) -> tuple[FailureMode, Recoding]:  # fmt: skip
    """Move some reviews of a mode into a new one. Raises ActionError naming the field.

    What is left in the mode means less than before: its labels are to be checked again. `rest` is
    its name and rule from now on, empty for those it has.
    """
    chosen = _labels(mode, reviews, review__sealed=False)
    if not chosen:
        raise ActionError("Choose notes of the mode for the new one.", "review")
    made, new = create_mode(mode.project, name, by=by, definition=definition.strip())
    if not new:
        raise ActionError(f"There is a failure mode {made.name!r} already.", "name")
    next_version(mode, mode.definition, f"{made.name} was split from it", by=by)
    before = [mode.name, mode.definition]
    mode.name = " ".join(rest[0].split())[:80] or mode.name
    mode.definition = rest[1].strip()[:2000] or mode.definition
    mode.save(update_fields=["name", "definition"])
    renamed = {"modes": {mode.pk: before}} if before != [mode.name, mode.definition] else {}
    recoding = _write(
        mode.project,
        Recoding.Kind.SPLIT,
        by=by,
        removed=chosen,
        added=[(review, made.pk, made.version) for review, _, _ in chosen],
        created=[made.pk],
        raised=[(mode.pk, mode.version)],
        above=renamed,
    )
    audit("mode.split", by=by, project=mode.project, object=mode.slug, into=made.slug)
    return made, recoding


@transaction.atomic
def check(mode: FailureMode, decisions: Mapping[int, FailureMode | None], *, by: User) -> Recoding:
    """Say of old labels whether they still hold, by the id of the review.

    The mode itself keeps a label, another mode takes it over, None takes it off.
    Raises ActionError when none of the labels is there.
    """
    there = _labels(mode, decisions, review__sealed=False, version__lt=mode.version)
    if not there:
        raise ActionError("Choose labels that were made under an older rule.", "review")
    added = []
    for review, _, _ in there:
        if (now := decisions[review]) is not None:
            added.append((review, now.pk, now.version))
    had = set(ModeLabel.objects.filter(review__in=decisions).values_list("review", "failuremode"))
    added = [label for label in added if label[1] == mode.pk or label[:2] not in had]
    return _write(mode.project, Recoding.Kind.CHECK, by=by, removed=there, added=added)


@transaction.atomic
def undo(recoding: Recoding) -> None:
    """Take a change back. Reviews that were given to its modes since then keep them."""
    recoding = Recoding.objects.select_for_update().get(pk=recoding.pk)
    if recoding.undone_at is not None:
        return
    _rewrite(added=recoding.removed, removed=recoding.added)
    for mode, version in recoding.raised:  # it means what it meant: labels of then hold
        labels = ModeLabel.objects.filter(failuremode_id=mode, version=version - 1)
        labels.update(version=version)
    for mode, (name, definition) in recoding.above.get("modes", {}).items():
        FailureMode.objects.filter(pk=mode).update(name=name, definition=definition)
    FailureMode.objects.filter(pk__in=recoding.archived).update(archived_at=None)
    # By what all may read: a mode that goes on would tell that a sealed review names it.
    named = counted(recoding.project_id).filter(modes=OuterRef("pk"))
    unused = FailureMode.objects.filter(~Exists(named), pk__in=recoding.created)
    unused.update(archived_at=timezone.now())
    recoding.undone_at = timezone.now()
    recoding.save(update_fields=["undone_at"])
    _wake(recoding.project, [*recoding.added, *recoding.removed])


def _write(
    project: Project,
    kind: Recoding.Kind,
    *,
    by: User,
    added: Sequence[Label] = (),
    removed: Sequence[Label] = (),
    **more: Any,
) -> Recoding:
    _rewrite(added=added, removed=removed)
    _wake(project, [*added, *removed])
    return Recoding.objects.create(
        project=project, kind=kind, by=by, added=list(added), removed=list(removed), **more
    )


def _labels(
    mode: FailureMode, reviews: Iterable[int] | None = None, **narrower: Any
) -> list[Label]:
    """Return the labels of a mode, all or those of some reviews."""
    rows = ModeLabel.objects.filter(failuremode=mode, **narrower)
    if reviews is not None:
        rows = rows.filter(review__in=list(reviews))
    return list(rows.values_list("review", "failuremode", "version"))


def _rewrite(*, added: Iterable[Sequence[int]], removed: Iterable[Sequence[int]]) -> None:
    for review, mode, _ in removed:
        ModeLabel.objects.filter(review_id=review, failuremode_id=mode).delete()
    ModeLabel.objects.bulk_create(
        [ModeLabel(review_id=r, failuremode_id=mode, version=v) for r, mode, v in added],
        ignore_conflicts=True,
    )


def _wake(project: Project, labels: Iterable[Sequence[int]]) -> None:
    reviews = {label[0] for label in labels}
    rows = Review.objects.filter(pk__in=reviews).values_list("trace_id", flat=True)
    traces: list[UUID] = list(rows)
    if traces:
        store.mark_dirty(project.pk, traces)
        wake_on_commit()
