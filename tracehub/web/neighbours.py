"""The traces before and after one in the list that a person came from."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from tracehub.traces import listing, querysets, saved
from tracehub.traces.extent import Range
from tracehub.traces.models import Trace
from tracehub.web import permissions
from tracehub.web.loading import row_or_404
from tracehub.web.settings_pages import person
from tracehub.web.trace_list.state import DEFAULT_RANGE, ListState

SECONDS = 1  # of database time; the page can do without
MOST = 10_000  # traces that are counted for a place


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


def place(trace: Trace, state: ListState) -> tuple[int, int] | None:
    """Return how many of how many the trace is in its list; None when it is not in it.

    Also None beyond MOST, and for a list that cannot be read or is too slow to.
    """
    if state.error is not None or state.problem:
        return None
    rows = Trace.objects.in_project(state.project).in_range(state.start, state.end)
    try:
        with querysets.bounded(SECONDS):
            order = querysets.Sort.of(state.sort)
            found = rows.matching(state.wanted).place(trace, order, MOST)
    except querysets.TooSlow:
        return None
    return found if found and found[0] <= MOST else None


@require_GET
def page(request: HttpRequest, slug: str, trace_id: str) -> HttpResponse:
    """Where the trace stands in the list that the query names, for the bar of its page."""
    project = permissions.project_for(request, slug)
    state = ListState.of(project, request.GET, timezone.now())
    trace = row_or_404(project, trace_id)
    found = place(trace, state)
    views = saved.visible(project, person(request))
    view = views.filter(pk=int(state.view)).first() if state.view else None
    many = found is not None and found[1] >= MOST
    context = {"place": found, "many": many, "view": view, "list_url": state.url()}
    return render(request, "trace/place.html", context)
