"""The traces before and after one in the list that a person came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from tracehub.core.times import TimeError, parse_range
from tracehub.projects.models import Project
from tracehub.traces.models import Trace

RANGE = timedelta(hours=24)  # what the list shows when its URL names no range


@dataclass(slots=True, frozen=True)
class Neighbours:
    """Hex ids of the traces above and below; None at the ends of the list."""

    previous: str | None = None
    next: str | None = None


def neighbours(
    project: Project, trace: Trace, state: Mapping[str, str], *, now: datetime
) -> Neighbours:
    """Return the neighbours of a trace in the list that `state` (q, from, to, sort) names.

    Two index look-ups in the newest-first order. A list that cannot be read has none.
    """
    try:
        start, end = parse_range(state.get("from", ""), state.get("to", ""), now=now, default=RANGE)
    except TimeError:
        return Neighbours()
    # A trace opened by its link may lie outside the range: then its surroundings count.
    start = min(start, trace.started_at - RANGE)
    listed = Trace.objects.in_project(project).in_range(start, end)
    at, own = trace.started_at, trace.trace_id
    older = listed.filter(Q(started_at__lt=at) | Q(started_at=at, trace_id__lt=own))
    newer = listed.filter(Q(started_at__gt=at) | Q(started_at=at, trace_id__gt=own))
    following = older.newest_first().values_list("trace_id", flat=True).first()
    before = newer.order_by("started_at", "trace_id").values_list("trace_id", flat=True).first()
    return Neighbours(before.hex if before else None, following.hex if following else None)
