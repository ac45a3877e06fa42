"""Review queues: whose turn it is, and when an item closes and unseals its reviews.

Each item has as many seats as it needs reviews. A row lock on the item puts those who finish it
in order, so the last review is the one that closes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, prefetch_related_objects
from django.utils import timezone
from django.utils.text import slugify

from tracehub.core.query import FilterError, parse
from tracehub.core.sampling import RuleError, rules_of
from tracehub.core.trace import Json
from tracehub.projects import outbox
from tracehub.projects.actions import ActionError, Conflict, audit
from tracehub.projects.models import ApiKey, Project, User
from tracehub.review import filling, repeats
from tracehub.review.models import Queue, QueueItem, Review, Seat
from tracehub.traces import store
from tracehub.traces.models import Arrival
from tracehub.traces.wake import wake_on_commit

HOLD = timedelta(minutes=15)  # an item that was opened and left goes on to others after this
MOST_ITEMS = 5000
RULES = ("q", "size", "random_share", "draws", "overlap", "repeats", "blind", "daily")
MOST_REPEATS = 10  # percent


def create_queue(
    project: Project,
    name: str,
    *,
    slug: str = "",
    reviewers: Iterable[User] = (),
    by: User | ApiKey | None = None,
    **rules: Any,
) -> tuple[Queue, bool]:
    """Make a queue, fill it, and return it with whether it is new.

    `rules` are fields of Queue, named in RULES. The same name, slug and rules again return the
    queue that is there. Raises ActionError naming the field.
    """
    name = _name(name)
    slug = slug or slugify(name)[:60]
    if not slug or slugify(slug) != slug.lower():
        raise ActionError(f"slug may hold letters, digits and -. Got {slug!r}. Send one.", "slug")
    _check(rules)
    people = list(reviewers)
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        existing = Queue.objects.filter(project=project, slug=slug).first()
        if existing is not None:
            if existing.name == name and all(getattr(existing, k) == v for k, v in rules.items()):
                return existing, False
            raise Conflict(f"slug {slug!r} is taken by {existing.name!r}.", "slug")
        queue = Queue.objects.create(project=project, name=name, slug=slug, **rules)
        queue.reviewers.set(people)
        audit("queue.created", by=by, project=project, object=slug)
    filling.top_up(queue, now=timezone.now())
    return queue, True


def edit_queue(
    queue: Queue,
    name: str,
    *,
    reviewers: Iterable[User],
    by: User | ApiKey | None = None,
    **rules: Any,
) -> None:
    """Change the rules of a queue; items that are in it stay. Raises ActionError."""
    _check(rules)
    with transaction.atomic():
        queue = Queue.objects.select_for_update(no_key=True).get(pk=queue.pk)
        if rules.get("blind", queue.blind) != queue.blind and queue.items.exists():
            raise ActionError("blind cannot change once a queue has items. Make another.", "blind")
        queue.name = _name(name)
        for field, value in rules.items():
            setattr(queue, field, value)
        queue.save()
        queue.reviewers.set(reviewers)
        audit("queue.edited", by=by, project=queue.project, object=queue.slug)
    filling.top_up(queue, now=timezone.now())


def pause(queue: Queue, *, paused: bool, by: User | None = None) -> None:
    """Hand out and add nothing until it goes on. Reviews under way are still taken."""
    queue.paused_at = timezone.now() if paused else None
    queue.save(update_fields=["paused_at"])
    word = "paused" if paused else "resumed"
    audit(f"queue.{word}", by=by, project=queue.project, object=queue.slug)


def next_trace(
    queue: Queue, person: User, *, now: datetime, after: int = 0, avoid: Sequence[UUID] = ()
) -> UUID | None:
    """Return the trace that the person should see next: a silent repeat, else that of `next_seat`.

    Repeats come between other traces, not after them.
    """
    if queue.paused_at is None:
        repeat = repeats.due(queue, person, now=now, avoid=avoid)
        if repeat is not None:
            return repeat.trace_id
    seat = next_seat(queue, person, now=now, after=after, avoid=avoid)
    return None if seat is None else seat.item.trace_id


def next_seat(
    queue: Queue, person: User, *, now: datetime, after: int = 0, avoid: Sequence[UUID] = ()
) -> Seat | None:
    """Return the person's next turn and hold it, None when nothing is left for them.

    Own turns come before free ones; items after the item `after` come first, then from the start.
    """
    if queue.paused_at is not None:
        return None
    turns = open_turns(queue, person, now=now).exclude(item__trace_id__in=avoid)
    for rows in (turns.filter(item_id__gt=after), turns):
        with transaction.atomic():
            locked = rows.select_for_update(of=("self",), skip_locked=True)
            seat = (
                locked.select_related("item")
                .order_by(F("reviewer").asc(nulls_last=True), "item_id")
                .first()
            )
            if seat is not None:
                hold(seat, person, now=now)
                return seat
    return None


def hold(seat: Seat, person: User, *, now: datetime) -> None:
    """Note that the person has the item open, so that no other gets this turn meanwhile."""
    Seat.objects.filter(pk=seat.pk).update(held_by=person, held_until=now + HOLD)


def open_turns(queue: Queue, person: User, *, now: datetime) -> QuerySet[Seat]:
    """Seats of open items that the person may take: assigned to them, or free for them."""
    rows = Seat.objects.filter(
        item__queue=queue, item__closed_at=None, review=None, skipped_at=None
    )
    taken = Seat.objects.filter(item__queue=queue, item__closed_at=None).filter(
        Q(reviewer=person) | Q(review__author=person)
    )
    free = Q(reviewer=None) & ~Q(item_id__in=taken.values("item_id"))
    free &= Q(held_by=None) | Q(held_by=person) | Q(held_until__lt=now)
    may = not queue.reviewers.exists() or queue.reviewers.filter(pk=person.pk).exists()
    return rows.filter(Q(reviewer=person) | free) if may else rows.filter(reviewer=person)


@transaction.atomic
def skip(seat: Seat, person: User, reason: str) -> None:
    """Pass an item on to somebody who has not had it; when nobody is left, it may close."""
    item = QueueItem.objects.select_for_update().select_related("queue").get(pk=seat.item_id)
    seat.reviewer, seat.skipped_at = person, timezone.now()
    seat.skip_reason = " ".join(reason.split())[:300]
    seat.held_by = seat.held_until = None
    seat.save()
    people = list(item.queue.reviewers.all())
    had = set(Seat.objects.filter(item=item).values_list("reviewer_id", flat=True))
    others = [one for one in people if one.pk not in had]
    if others:
        waiting = filling.waiting_of(others)
        Seat.objects.create(item=item, reviewer=min(others, key=lambda one: waiting[one.pk]))
    elif not people:
        Seat.objects.create(item=item)
    _settle(item)


@transaction.atomic
def unskip(seat: Seat) -> None:
    """Take a skip back (undo): the turn is the person's again, the one passed on goes."""
    item = QueueItem.objects.select_for_update().get(pk=seat.item_id)
    later = Seat.objects.filter(item=item, pk__gt=seat.pk, review=None, skipped_at=None)
    if (passed_on := later.order_by("pk").first()) is not None:
        passed_on.delete()
    seat.skipped_at, seat.skip_reason = None, ""
    seat.save(update_fields=["skipped_at", "skip_reason"])
    _reopen(item)


def take_seat(review: Review) -> None:
    """Let a new review answer the turn that waits for it, and seal it while a blind item is open.

    Called inside the transaction that made the review; sets `review.sealed`.
    """
    if repeats.answered_by(review):
        return
    items = list(
        QueueItem.objects.select_for_update(of=("self",))
        .filter(project_id=review.project_id, trace_id=review.trace_id, closed_at=None)
        .select_related("queue")
    )
    if any(item.queue.blind for item in items):
        review.sealed = True
        review.save(update_fields=["sealed"])
    else:
        announce([review])
    for item in items:
        seat = _seat_for(item, review)
        if seat is not None:
            Seat.objects.filter(pk=seat.pk).update(
                review=review, reviewer=review.author or seat.reviewer, held_by=None
            )
            _settle(item)
    if items and review.sealed:
        review.refresh_from_db(fields=["sealed"])


def give_back(review: Review) -> None:
    """Open the turns again that a withdrawn review had answered; a blind item seals the others."""
    repeats.give_back(review)
    QueueItem.objects.filter(adjudication=review).update(adjudication=None)
    for seat in list(Seat.objects.filter(review=review).select_related("item")):
        item = QueueItem.objects.select_for_update().get(pk=seat.item_id)
        Seat.objects.filter(pk=seat.pk).update(review=None)
        if item.adjudication_id is None:
            _reopen(item)


@transaction.atomic
def close_item(item: QueueItem, *, by: User | None = None) -> None:
    """Close an item before all its reviews are in, and unseal those that are."""
    item = QueueItem.objects.select_for_update().get(pk=item.pk)
    if item.closed_at is None:
        _close(item)
        audit("queue.item_closed", by=by, project=item.project, object=item.trace_id.hex)


def close_lost() -> int:
    """Close open items whose traces retention took, which nobody can review; return how many."""
    here = Arrival.objects.filter(project_id=OuterRef("project_id"), trace_id=OuterRef("trace_id"))
    lost = list(QueueItem.objects.filter(~Exists(here), closed_at=None))
    for item in lost:
        close_item(item)
    return len(lost)


def _seat_for(item: QueueItem, review: Review) -> Seat | None:
    """Return the turn that a review answers: the author's own, else a free one."""
    seats = list(Seat.objects.filter(item=item, skipped_at=None).select_related("review"))
    for seat in seats:
        mine = review.author_id is not None and review.author_id == seat.reviewer_id
        by_key = seat.review is not None and review.author_key != ""
        if mine or (by_key and seat.review and seat.review.author_key == review.author_key):
            return seat
    now = timezone.now()
    for seat in seats:
        held = seat.held_by_id not in (None, review.author_id)
        held = held and seat.held_until is not None and seat.held_until > now
        if seat.reviewer_id is None and seat.review is None and not held:
            return seat
    return None


def _settle(item: QueueItem) -> None:
    """Close the item when no turn waits."""
    if not Seat.objects.filter(item=item, review=None, skipped_at=None).exists():
        _close(item)


def _close(item: QueueItem) -> None:
    now = timezone.now()
    item.closed_at = now
    item.first_closed_at = item.first_closed_at or now
    item.save(update_fields=["closed_at", "first_closed_at"])
    others = QueueItem.objects.filter(
        project_id=item.project_id, trace_id=item.trace_id, closed_at=None, queue__blind=True
    )
    if others.exists():  # another blind queue still waits for its reviews of this trace
        return
    sealed = Review.objects.filter(project_id=item.project_id, trace_id=item.trace_id, sealed=True)
    opened = list(sealed.filter(withdrawn_at=None))
    if sealed.update(sealed=False):
        announce(opened)
        store.mark_dirty(item.project_id, [item.trace_id])
        wake_on_commit()


def announce(reviews: Sequence[Review]) -> None:
    """Note reviews as done, in three statements. Sealed ones are told of when their item closes."""
    prefetch_related_objects(reviews, "modes", "author")
    told: list[tuple[int, str, Mapping[str, Json]]] = [
        (
            review.project_id,
            "review.done",
            {
                "trace_id": review.trace_id.hex,
                "verdict": review.verdict,
                "failure_modes": [mode.slug for mode in review.modes.all()],
                "severity": review.severity or None,
                "by": review.author.email if review.author else review.author_key,
            },
        )
        for review in reviews
    ]
    outbox.emit_all(told)


def _reopen(item: QueueItem) -> None:
    if item.closed_at is None:
        return
    item.closed_at = None
    item.save(update_fields=["closed_at"])
    if item.queue.blind:
        Review.objects.filter(seats__item=item, withdrawn_at=None).update(sealed=True)
        store.mark_dirty(item.project_id, [item.trace_id])
        wake_on_commit()


def _name(name: str) -> str:
    name = " ".join(name.split())
    if not 1 <= len(name) <= 120:
        raise ActionError(f"name must have 1 to 120 characters. Got {len(name)}.", "name")
    return name


def _check(rules: dict[str, Any]) -> None:
    for field, most in (
        ("random_share", 100), ("overlap", 100), ("repeats", MOST_REPEATS), ("daily", MOST_ITEMS),
    ):  # fmt: skip
        if not 0 <= rules.get(field, 0) <= most:
            raise ActionError(f"{field} must lie in 0 to {most}. Got {rules[field]}.", field)
    if not 1 <= rules.get("size", 1) <= MOST_ITEMS:
        raise ActionError(f"size must lie in 1 to {MOST_ITEMS}. Got {rules['size']}.", "size")
    try:
        rules_of(rules.get("draws", []))
    except RuleError as error:
        raise ActionError(str(error), error.field) from error
    try:
        parse(rules.get("q", ""))
    except FilterError as error:
        raise ActionError(f"{error.message} (at {error.start})", "q") from error
