"""Which traces a queue takes next: those its filter finds, and a share drawn from all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, TextField, Value
from django.db.models.functions import MD5, Cast, Concat, Left

from tracehub.core.query import Filter, parse
from tracehub.review.models import Queue, QueueItem
from tracehub.review.querysets import counted
from tracehub.traces import querysets
from tracehub.traces.models import Trace

LOOKS_BACK = timedelta(days=14)
SECONDS = 20  # of database time for one draw


@dataclass(frozen=True, slots=True)
class Candidate:
    trace_id: UUID
    reason: str
    title: str


def candidates(queue: Queue, room: int, *, now: datetime) -> list[Candidate]:
    """Return up to `room` finished traces that are not in the queue yet, in an order by chance.

    The order is a hash of queue and trace: the same again, and without regard to what is in them.
    Traces whose draw takes too long are left for the next round.
    """
    from_all = round(room * queue.random_share / 100)
    wanted = parse(queue.q)
    reason = queue.q or "All traces"
    try:
        with querysets.bounded(SECONDS):
            drawn = _drawn(queue, wanted, room - from_all, reason, now, set())
            taken = {one.trace_id for one in drawn}
            by_chance = f"Random {queue.random_share}%"
            return drawn + _drawn(queue, Filter(), from_all, by_chance, now, taken)
    except querysets.TooSlow:
        return []


def _drawn(
    queue: Queue, wanted: Filter, number: int, reason: str, now: datetime, taken: set[UUID]
) -> list[Candidate]:
    """One scan of the range with the filter, and a sort of what it finds by hash."""
    if number <= 0:
        return []
    rows = Trace.objects.in_project(queue.project).in_range(now - LOOKS_BACK, now)
    rows = rows.matching(wanted).filter(finished=True).exclude(trace_id__in=taken)
    inside = QueueItem.objects.filter(queue=queue).values("trace_id")
    rows = rows.exclude(trace_id__in=inside)
    if queue.blind:  # a verdict that everybody can read is not blind
        rows = rows.exclude(trace_id__in=counted(queue.project_id).values("trace_id"))
    key = MD5(Concat(Cast(F("trace_id"), TextField()), Value(f"/{queue.pk}")))
    preview = Left("input_preview", 200)
    found = rows.annotate(chance=key, shown=preview).order_by("chance")
    return [
        Candidate(trace_id, reason, " ".join((shown or name).split()))
        for trace_id, shown, name in found.values_list("trace_id", "shown", "name")[:number]
    ]
