"""Calls about review queues. Verdicts of open items of blind queues are in none of the answers."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.utils import timezone

from tracehub.api.errors import ApiError, missing
from tracehub.api.numbered import page
from tracehub.api.requests import ApiRequest
from tracehub.api.router import Answer
from tracehub.core.sampling import MOST, STRATA, WAYS
from tracehub.core.shape import Schema
from tracehub.core.trace_json import iso
from tracehub.core.whole import whole_number
from tracehub.projects.models import Role, User
from tracehub.review import progress, queueing
from tracehub.review.models import Queue, QueueItem, Seat
from tracehub.review.progress import Agreement, Coefficient

SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
QUEUE: Schema = {
    "type": "object",
    "title": "queue",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 120},
        "q": {"type": "string", "maxLength": 2000},
        "size": {"type": "integer", "minimum": 1, "maximum": queueing.MOST_ITEMS},
        "daily": {"type": "integer", "minimum": 0, "maximum": queueing.MOST_ITEMS},
        "overlap": SHARE | {"description": "share of the traces that two people review"},
        "random_share": SHARE | {"description": "share drawn from all traces, not by q"},
        "repeats": {
            "type": "number",
            "minimum": 0,
            "maximum": queueing.MOST_REPEATS / 100,
            "description": "share that comes back silently to who reviewed it",
        },
        "draws": {
            "type": "array",
            "maxItems": len(WAYS),
            "description": "rules that choose first, each with its caps; 0 is no cap",
            "items": {
                "type": "object",
                "properties": {
                    "way": {"type": "string", "enum": list(WAYS)},
                    "daily": {"type": "integer", "minimum": 0, "maximum": MOST},
                    "most": {"type": "integer", "minimum": 0, "maximum": MOST},
                    "by": {"type": "string", "enum": list(STRATA)},
                },
                "required": ["way"],
                "additionalProperties": False,
            },
        },
        "blind": {"type": "boolean"},
        "reviewers": {
            "type": "array",
            "maxItems": 50,
            "items": {"type": "string", "minLength": 3, "maxLength": 254},
        },
    },
    "required": ["name", "q"],
    "additionalProperties": False,
}


def list_queues(asked: ApiRequest) -> Answer:
    """Answer the queues of the project."""
    rows = Queue.objects.filter(project=asked.project).prefetch_related("reviewers")
    return page(asked, rows, "id", "queues", queue_json)


def add_queue(asked: ApiRequest) -> Answer:
    """Make a queue and fill it."""
    body = asked.body
    rules = {name: body[name] for name in ("q", "size", "daily", "draws", "blind") if name in body}
    for name in ("overlap", "random_share", "repeats"):
        if name in body:
            rules[name] = round(100 * body[name])
    queue, new = queueing.create_queue(
        asked.project,
        body["name"],
        reviewers=_reviewers(asked, body.get("reviewers", [])),
        by=asked.key,
        **rules,
    )
    return Answer(queue_json(queue), 201 if new else 200)


def next_item(asked: ApiRequest) -> Answer:
    """Answer the next trace that waits and is nobody's, null when there is none."""
    queue = _find(asked)
    mine = Q(item__seats__review__author_key=asked.key.name)
    now = timezone.now()
    seats = Seat.objects.filter(
        item__queue=queue, item__closed_at=None, review=None, skipped_at=None, reviewer=None
    )
    free = seats.filter(Q(held_by=None) | Q(held_until__lt=now)).exclude(mine)
    seat = free.select_related("item").order_by("item_id").first()
    if seat is None or queue.paused_at is not None:
        return Answer({"item": None, "left": 0 if seat is None else free.count()})
    return Answer({"item": _item(seat.item), "left": free.count()})


def stats(asked: ApiRequest) -> Answer:
    """Answer how a queue stands and how far its reviewers agree."""
    queue = _find(asked)
    stands = progress.progress(queue, now=timezone.now())
    to_decide, decided = progress.disagreements(queue)
    return Answer(
        {
            "queue": queue_json(queue),
            "items": stands.items,
            "reviewed": stands.closed,
            "left": stands.left,
            "verdicts": {v: stands.verdicts.get(v, 0) for v in ("fail", "pass", "unsure")},
            "median_ms": stands.median_ms,
            "per_hour": stands.an_hour,
            "doubles": stands.doubles,
            "to_adjudicate": len(to_decide),
            "adjudicated": len(decided),
            "agreement": _agreement(progress.agreement_of(queue)),
        }
    )


def queue_json(queue: Queue) -> dict[str, Any]:
    """Return a queue with its rules."""
    return {
        "id": queue.pk,
        "slug": queue.slug,
        "name": queue.name,
        "q": queue.q,
        "size": queue.size,
        "daily": queue.daily,
        "overlap": queue.overlap / 100,
        "random_share": queue.random_share / 100,
        "repeats": queue.repeats / 100,
        "draws": queue.draws,
        "blind": queue.blind,
        "paused": queue.paused_at is not None,
        "reviewers": sorted(one.email for one in queue.reviewers.all()),
        "created_at": iso(queue.created_at),
    }


def _item(item: QueueItem) -> dict[str, Any]:
    return {
        "id": item.pk,
        "trace_id": item.trace_id.hex,
        "reason": item.reason,
        "title": item.title,
        "added_at": iso(item.added_at),
    }


def _agreement(found: Agreement) -> dict[str, Any]:
    return {
        "shared": found.shared,
        "percent": found.percent,
        "alpha": _coefficient(found.alpha),
        "ac1": _coefficient(found.ac1),
        "unsure": found.unsure,
        "severity": _coefficient(found.severity),
        "pairs": [
            {
                "reviewers": [pair.first.email, pair.second.email],
                "shared": pair.shared,
                "percent": pair.same,
                "kappa": _coefficient(Coefficient(pair.kappa, pair.interval)),
            }
            for pair in found.pairs
        ],
        "modes": [
            {"mode": mode.slug, "named": named, "alpha": _coefficient(alpha)}
            for mode, named, alpha in found.modes
        ],
    }


def _coefficient(found: Coefficient) -> dict[str, Any] | None:
    if found.value is None:
        return None
    return {"value": found.value, "interval": found.interval}


def _find(asked: ApiRequest) -> Queue:
    """Return the queue of the path, by its number or slug. Raises ApiError 404."""
    wanted = asked.path["id"]
    rows = Queue.objects.filter(project=asked.project)
    queue = rows.filter(pk=whole_number(wanted) or 0).first()
    queue = queue or rows.filter(slug=wanted[:60].replace("\0", "")).first()
    if queue is None:
        raise missing("such queue")
    return queue


def _reviewers(asked: ApiRequest, emails: list[str]) -> list[User]:
    wanted = {email.strip().lower() for email in emails}
    members = User.objects.filter(
        memberships__project=asked.project,
        memberships__role__in=[Role.REVIEWER, Role.ADMIN],
        email__in=wanted,
    )
    found = {user.email: user for user in members.distinct()}
    if unknown := wanted - set(found):
        raise ApiError(
            400,
            f"reviewers must be members who may review. Got {min(unknown)[:100]!r}.",
            "reviewers",
        )
    return list(found.values())
