"""The traces before and after one in the list that a person came from."""

from __future__ import annotations

from dataclasses import dataclass

from tracehub.traces import listing, querysets
from tracehub.traces.extent import Range
from tracehub.traces.models import Trace
from tracehub.web.trace_list.state import DEFAULT_RANGE, ListState

SECONDS = 1  # of database time; the page can do without


@dataclass(slots=True, frozen=True)
class Neighbours:
    """Hex ids of the traces above and below; None at the ends of the list."""

    previous: str | None = None
    next: str | None = None


def neighbours(trace: Trace, state: ListState) -> Neighbours:
    """Return the neighbours of a trace in the list that `state` names.

    A trace that was opened by its link may lie outside the range: then what is around it counts.
    A list that cannot be read, or is too slow to, has no neighbours.
    """
    if state.error is not None:
        return Neighbours()
    start = min(state.start, trace.started_at - DEFAULT_RANGE)
    end = max(state.end, trace.started_at + DEFAULT_RANGE)
    within = Range(state.project, start, end)
    try:
        before, after = listing.beside(
            within, state.wanted, trace, sort=state.sort, seconds=SECONDS
        )
    except querysets.TooSlow:
        return Neighbours()
    return Neighbours(before.hex if before else None, after.hex if after else None)
