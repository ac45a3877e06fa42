"""Filling review queues: what comes in, whose turn it becomes, and dealing the turns anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from tracehub.projects.actions import audit
from tracehub.projects.models import User
from tracehub.review.candidates import Candidate, Draw, candidates
from tracehub.review.models import Queue, QueueItem, Seat
from tracehub.review.purposive import CHOOSE


@transaction.atomic
def top_up(queue: Queue, *, now: datetime) -> int:
    """Add what rules and caps allow, and return how many items that were. Safe to run twice."""
    queue = Queue.objects.select_for_update(no_key=True).get(pk=queue.pk)
    if queue.paused_at is not None:
        return 0
    items = QueueItem.objects.filter(queue=queue)
    before = items.count()
    room = queue.size - before
    if queue.daily:
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        room = min(room, queue.daily - items.filter(added_at__gte=today).count())
    if room <= 0:
        return 0
    drawn = candidates(queue, room, now=now)
    people = list(queue.reviewers.all())
    waiting = waiting_of(people)
    for number, candidate in enumerate(drawn.found, before):
        _add(queue, candidate, _reviews_wanted(queue, people, number), people, waiting)
    _note_chances(queue, drawn)
    return len(drawn.found)


def _note_chances(queue: Queue, drawn: Draw) -> None:
    """Raise the chance of each item to that of the widest draw by chance whose frame it is in.

    All draws of a queue use one random number a trace, so the widest is the probability of being
    in the queue. What was chosen on purpose stays at 1.
    """
    by_chance = QueueItem.objects.filter(queue=queue).exclude(way__in=CHOOSE)
    items = {item.trace_id: item for item in by_chance}
    for frame in drawn.frames:
        for trace, chance in frame.chances(items).items():
            items[trace].chance = max(items[trace].chance, chance)
    QueueItem.objects.bulk_update(items.values(), ["chance"], batch_size=500)


def top_up_all(*, now: datetime) -> int:
    """Top up every queue; return how many items were added."""
    return sum(top_up(queue, now=now) for queue in Queue.objects.filter(paused_at=None))


@transaction.atomic
def rebalance(queue: Queue, *, by: User | None = None) -> int:
    """Deal the waiting turns that nobody has open evenly; return how many changed hands."""
    people = list(queue.reviewers.all())
    seats = Seat.objects.select_for_update(of=("self",)).filter(
        item__queue=queue, item__closed_at=None, review=None, skipped_at=None
    )
    seats = seats.filter(Q(held_by=None) | Q(held_until__lt=timezone.now())).order_by("pk")
    free = list(seats) if people else []
    had: dict[int, set[int | None]] = {}
    for item, person in Seat.objects.filter(item__queue=queue).values_list(
        "item_id", "reviewer_id"
    ):
        had.setdefault(item, set()).add(person)
    dealt: Counter[int] = Counter()
    moved = 0
    for seat in free:
        others = had[seat.item_id] - {seat.reviewer_id}
        may = [one for one in people if one.pk not in others]
        if not may:
            continue
        chosen = min(may, key=lambda one: (dealt[one.pk], one.pk != seat.reviewer_id))
        dealt[chosen.pk] += 1
        if chosen.pk != seat.reviewer_id:
            had[seat.item_id] = others | {chosen.pk}
            Seat.objects.filter(pk=seat.pk).update(reviewer=chosen)
            moved += 1
    audit("queue.rebalanced", by=by, project=queue.project, object=queue.slug, moved=moved)
    return moved


def _add(
    queue: Queue,
    candidate: Candidate,
    wanted: int,
    people: Sequence[User],
    waiting: Counter[int],
) -> None:
    """Add an item; each of its seats goes to whoever has the fewest waiting."""
    item = QueueItem.objects.create(
        queue=queue,
        project_id=queue.project_id,
        trace_id=candidate.trace_id,
        way=candidate.way,
        chance=1.0 if candidate.way in CHOOSE else 0.0,
        reason=candidate.reason[:200],
        title=candidate.title[:200],
    )
    chosen = sorted(people, key=lambda one: (waiting[one.pk], one.pk))[:wanted]
    for one in chosen:
        waiting[one.pk] += 1
    holders: list[User | None] = list(chosen) or [None] * wanted
    Seat.objects.bulk_create(Seat(item=item, reviewer=one) for one in holders)


def _reviews_wanted(queue: Queue, people: Sequence[User], number: int) -> int:
    """Return 2 for `overlap` percent of the items, spread evenly, else 1."""
    second = (number + 1) * queue.overlap // 100 > number * queue.overlap // 100
    return 2 if second and len(people) != 1 else 1


def waiting_of(people: Sequence[User]) -> Counter[int]:
    """Count the turns that wait for each person, in every queue."""
    rows = Seat.objects.filter(
        reviewer__in=people, review=None, skipped_at=None, item__closed_at=None
    )
    return Counter(rows.values_list("reviewer_id", flat=True))
