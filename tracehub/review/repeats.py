"""Silent repeats: a trace comes back to who reviewed it, looking like any other.

Nothing tells a repeat from a new trace before it is answered, and nothing counts its answer but
the person's own consistency.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from tracehub.core import agreement
from tracehub.core.stats import wilson_interval
from tracehub.projects.models import User
from tracehub.review.models import Queue, QueueItem, Repeat, Review, Seat

GAP = 10  # reviews between a trace and its repeat, so that it is not simply remembered
FRESH = timedelta(days=7)  # older traces may have been deleted
WAITS = timedelta(minutes=15)  # after that the person has left, and a review is a new opinion


@dataclass(frozen=True, slots=True)
class Consistency:
    """How often a person said the same again. `kappa` is None below ten; `changed` are to read."""

    same: int
    number: int
    interval: tuple[float, float]
    kappa: float | None
    changed: list[UUID]

    @property
    def share(self) -> float:
        return self.same / self.number


def due(queue: Queue, person: User, *, now: datetime, avoid: Sequence[UUID] = ()) -> Repeat | None:
    """Return the repeat that the person should see next, and note that it is shown.

    Makes one when `queue.repeats` percent of the person's reviews ask for it.
    """
    mine = Repeat.objects.filter(queue=queue, reviewer=person)
    if not queue.repeats:
        return None
    waiting = mine.filter(review=None, dropped_at=None).first()
    if waiting is not None:
        if waiting.trace_id in avoid:  # its answer is on the way
            return None
        Repeat.objects.filter(pk=waiting.pk).update(shown_at=now)
        return waiting
    given = [review for review in _given(queue, person) if review.trace_id not in avoid]
    made = {trace for (trace,) in mine.values_list("trace_id")}
    fresh = [r for r in given[:-GAP] if r.trace_id not in made and r.created_at > now - FRESH]
    if planned(queue, len(given)) <= len(made) or not fresh:
        return None
    dice = Random(f"{queue.pk}/{person.pk}/{len(made)}")  # noqa: S311 fairness, not secrets
    first = dice.choice(fresh)
    return Repeat.objects.get_or_create(
        project_id=queue.project_id, queue=queue, reviewer=person, trace_id=first.trace_id,
        defaults={"first": first, "shown_at": now},
    )[0]  # fmt: skip


def planned(queue: Queue, reviews: int) -> int:
    """Return how many repeats so many reviews of one person bring."""
    return reviews * queue.repeats // 100


def open_for(person: User, project_id: int, trace_id: UUID, *, now: datetime) -> Repeat | None:
    """Return the repeat of a trace that the person has before them."""
    rows = Repeat.objects.filter(project_id=project_id, trace_id=trace_id, reviewer=person)
    return rows.filter(review=None, dropped_at=None, shown_at__gt=now - WAITS).first()


def answered_by(review: Review) -> bool:
    """Let a new review answer the repeat its author has before them; tell whether there was one."""
    if review.author is None:
        return False
    now = timezone.now()
    repeat = open_for(review.author, review.project_id, review.trace_id, now=now)
    if repeat is None:
        return False
    repeat.review = review
    repeat.save(update_fields=["review"])
    review.is_repeat = True
    review.save(update_fields=["is_repeat"])
    return True


def give_back(review: Review) -> None:
    """Let a withdrawn answer be given again."""
    Repeat.objects.filter(review=review).update(review=None, shown_at=timezone.now())


def drop(repeat: Repeat) -> None:
    """Let a repeat be, which the person skipped."""
    repeat.dropped_at = timezone.now()
    repeat.save(update_fields=["dropped_at"])


def consistency(queue: Queue, person: User) -> Consistency | None:
    """Return how far a person agrees with themselves, over closed items; None without any."""
    closed = QueueItem.objects.filter(queue=queue).exclude(closed_at=None)
    rows = Repeat.objects.filter(
        queue=queue, reviewer=person, trace_id__in=closed.values("trace_id")
    )
    rows = rows.filter(review__withdrawn_at=None, first__withdrawn_at=None).exclude(review=None)
    pairs = list(rows.values_list("trace_id", "first__verdict", "review__verdict"))
    if not pairs:
        return None
    changed = [trace for trace, first, again in pairs if first != again]
    same, number = len(pairs) - len(changed), len(pairs)
    kappa = None
    if number >= agreement.FEWEST_SHARED:
        kappa = agreement.cohen_kappa([f for _, f, _ in pairs], [a for _, _, a in pairs])
    return Consistency(same, number, wilson_interval(same, number), kappa, changed)


def _given(queue: Queue, person: User) -> list[Review]:
    """Return the person's reviews in a queue, oldest first."""
    seats = Seat.objects.filter(item__queue=queue, review__author=person)
    found = seats.filter(review__withdrawn_at=None).order_by(F("review").asc())
    return [seat.review for seat in found.select_related("review") if seat.review]
