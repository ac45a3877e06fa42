"""The taxonomy as a whole: what is put off, what is a draft, and publishing it."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.db.models import QuerySet

from tracehub.projects.actions import ActionError, audit
from tracehub.projects.models import Project, User
from tracehub.review.models import FailureMode, LaterNote, Recoding, Taxonomy
from tracehub.review.querysets import counted, modes


def newest(project: Project) -> Taxonomy | None:
    """Return the published taxonomy in force, None before the first."""
    return Taxonomy.objects.filter(project=project).select_related("by").first()


def changes(project: Project) -> QuerySet[Recoding]:
    """Return the changes since the last publishing that still hold, the newest first."""
    last = newest(project)
    rows = Recoding.objects.filter(project=project, undone_at=None).order_by("-pk")
    return rows.filter(pk__gt=last.recoding) if last else rows


def give_examples(mode: FailureMode, bad: str, good: str) -> None:
    """Keep what fails under a mode and what would not, a line each."""
    mode.bad, mode.good = " ".join(bad.split())[:200], " ".join(good.split())[:200]
    mode.save(update_fields=["bad", "good"])


@transaction.atomic
def publish(project: Project, *, by: User) -> Taxonomy:
    """Keep the failure modes of now as the next version. Raises ActionError without any."""
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    held = [
        {
            "slug": mode.slug, "name": mode.name, "definition": mode.definition,
            "bad": mode.bad, "good": mode.good, "version": mode.version,
        }
        for mode in modes(project)
    ]  # fmt: skip
    if not held:
        raise ActionError("Make a failure mode first: there is nothing to publish.", "act")
    last = newest(project)
    if last is not None and last.modes == held and not changes(project).exists():
        raise ActionError(f"Nothing has changed since v{last.number}.", "act")
    row = Recoding.objects.filter(project=project).order_by("-pk").first()
    made = Taxonomy.objects.create(
        project=project,
        number=last.number + 1 if last else 1,
        modes=held,
        recoding=row.pk if row else 0,
        by=by,
    )
    audit("taxonomy.published", by=by, project=project, object=f"v{made.number}")
    return made


def put_off(project: Project, reviews: Iterable[int]) -> int:
    """Put notes off, or take them up again when all of them were put off. Return how many."""
    chosen = list(counted(project.pk).filter(pk__in=list(reviews)))
    if not chosen:
        raise ActionError("Choose notes first.", "review")
    there = LaterNote.objects.filter(review__in=chosen)
    if there.count() == len(chosen):
        there.delete()
        return -len(chosen)
    LaterNote.objects.bulk_create(
        [LaterNote(project=project, review=review) for review in chosen], ignore_conflicts=True
    )
    return len(chosen)
