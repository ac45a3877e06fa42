"""Where a trace stands in the queue that a person is working through (`?queue=` of its page)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from tracehub.projects.models import Project, User
from tracehub.review import measuring, queueing, repeats
from tracehub.review.models import Queue, QueueItem, Repeat, Seat
from tracehub.web.links import with_query


@dataclass(frozen=True, slots=True)
class Place:
    """A queue and an item of it, with what the page of the trace needs of both."""

    project: Project
    queue: Queue
    item: QueueItem
    number: int
    total: int
    quick: bool
    measures: bool
    fresh: bool  # shown as a trace that nobody has reviewed: the person is to say it once more

    @property
    def trace_id(self) -> str:
        return self.item.trace_id.hex

    @property
    def queue_url(self) -> str:
        return reverse("review_queue", args=[self.project.slug, self.queue.slug])

    @property
    def here_url(self) -> str:
        page = reverse("trace", args=[self.project.slug, self.trace_id])
        return with_query(page, {"queue": self.queue.slug})

    @property
    def next_url(self) -> str:
        following = reverse("review_next", args=[self.project.slug, self.queue.slug])
        return with_query(following, {"after": self.trace_id})

    @property
    def skip_url(self) -> str:
        return reverse("review_skip", args=[self.project.slug, self.queue.slug, self.trace_id])


def place_of(request: HttpRequest, project: Project, trace_id: UUID) -> Place | None:
    """Return the place of a trace in the queue that the request names; hold the person's turn."""
    slug = request.GET.get("queue") or request.POST.get("queue", "")
    if not slug:
        return None
    items = QueueItem.objects.select_related("queue").filter(project=project, trace_id=trace_id)
    item = items.filter(queue__slug=slug).first()
    user = request.user
    if item is None or not isinstance(user, User):
        return None
    now = timezone.now()
    turns = queueing.open_turns(item.queue, user, now=now)
    turn = turns.filter(item=item).first()
    if turn is not None:
        queueing.hold(turn, user, now=now)
    repeat = None if turn else repeats.open_for(user, project.pk, trace_id, now=now)
    quick = bool(user.preferences.get("quick_review", True))
    measured = measuring.measures(project)
    number, total = _position(item, user, turns.count(), is_open=bool(turn or repeat))
    return Place(project, item.queue, item, number, total, quick, measured, repeat is not None)


def _position(item: QueueItem, user: User, left: int, *, is_open: bool) -> tuple[int, int]:
    """Return how many of how many turns of the person this is; for others, its place in the queue.

    Repeats are counted in from the start, so that no number gives one away.
    """
    given = Seat.objects.filter(item__queue=item.queue, review__author=user)
    again = Repeat.objects.filter(queue=item.queue, reviewer=user)
    answered = given.count()
    total = answered + left
    total += max(repeats.planned(item.queue, total), again.count())
    if is_open:
        return answered + again.exclude(review=None).count() + 1, total
    if (mine := given.filter(item=item).values_list("review", flat=True).first()) is not None:
        return given.filter(review__lte=mine).count(), total
    everything = QueueItem.objects.filter(queue=item.queue)
    return everything.filter(pk__lte=item.pk).count(), everything.count()


def around(place: Place) -> dict[str, Any]:
    """Return the links of the trace page that lead through the queue instead of a list."""
    return {
        "place": place,
        "list_path": reverse("traces", args=[place.project.slug]),
        "list_url": place.queue_url,
        "here_url": place.here_url,
        "previous_url": "",
        "next_url": place.next_url,
    }
