"""Where a trace stands in the queue that a person is working through (`?queue=` of its page)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from tracehub.projects.models import Project, User
from tracehub.review import queueing
from tracehub.review.models import Queue, QueueItem
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
    turn = queueing.open_turns(item.queue, user, now=now).filter(item=item).first()
    if turn is not None:
        queueing.hold(turn, user, now=now)
    all_items = QueueItem.objects.filter(queue=item.queue)
    number = all_items.filter(pk__lte=item.pk).count()
    quick = bool(user.preferences.get("quick_review", True))
    return Place(project, item.queue, item, number, all_items.count(), quick)


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
