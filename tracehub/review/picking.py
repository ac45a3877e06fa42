"""Traces that a person puts into a queue by hand, past its rules, and taking them out again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from django.db import transaction

from tracehub.projects.actions import ActionError
from tracehub.projects.models import Project, User
from tracehub.review import querysets as reviews
from tracehub.review.models import Queue, QueueItem, Seat
from tracehub.review.queueing import MOST_ITEMS


@transaction.atomic
def add_traces(queue: Queue, traces: Sequence[UUID], *, by: User) -> list[int]:
    """Add the traces that the queue lacks, one turn each; return the ids of the new items.

    Turns go to whoever has the fewest waiting here. Raises ActionError when the queue is full.
    """
    queue = Queue.objects.select_for_update(no_key=True).get(pk=queue.pk)
    inside = QueueItem.objects.filter(queue=queue)
    known = set(inside.filter(trace_id__in=traces).values_list("trace_id", flat=True))
    news = [trace for trace in dict.fromkeys(traces) if trace not in known]
    room = MOST_ITEMS - inside.count()
    if len(news) > room:
        raise ActionError(
            f"A queue holds {MOST_ITEMS} traces at most. {queue} has room for {max(0, room)}."
        )
    titles = reviews.titles(queue.project, news)
    made = QueueItem.objects.bulk_create(
        QueueItem(
            way="hand",
            queue=queue, project=queue.project, trace_id=trace, title=titles.get(trace, ""),
            reason=f"Added by {by}"[:200],
        )
        for trace in news
    )  # fmt: skip
    _deal(queue, made)
    return [item.pk for item in made]


@transaction.atomic
def remove_items(project: Project, items: Sequence[int]) -> int:
    """Take items out again by their ids, except those that have a review; return how many."""
    rows = QueueItem.objects.filter(project=project, pk__in=items)
    reviewed = Seat.objects.filter(item__in=items, review__isnull=False).values("item_id")
    _, counts = rows.exclude(pk__in=reviewed).delete()
    return counts.get(QueueItem._meta.label, 0)


def _deal(queue: Queue, items: Sequence[QueueItem]) -> None:
    people = list(queue.reviewers.all())
    open_seats = Seat.objects.filter(item__queue=queue, review=None, skipped_at=None)
    waiting = Counter(open_seats.values_list("reviewer_id", flat=True))
    seats = []
    for item in items:
        holder = min(people, key=lambda one: (waiting[one.pk], one.pk), default=None)
        if holder is not None:
            waiting[holder.pk] += 1
        seats.append(Seat(item=item, reviewer=holder))
    Seat.objects.bulk_create(seats)
