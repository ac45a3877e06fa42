"""The Traces page: one view for the page, its content after a change of filter, and more rows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zlib import crc32

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from tracehub.core.query import Filter, words
from tracehub.core.times import TimeError, parse_range
from tracehub.digest import trace_files
from tracehub.evals.models import EvalSet
from tracehub.projects.models import Project, User
from tracehub.review import querysets as reviews
from tracehub.review.models import Queue, Verdict
from tracehub.traces import facets, listing, querysets, saved
from tracehub.traces.models import Trace
from tracehub.traces.replica import store as replica
from tracehub.traces.sampling import store as sampled
from tracehub.traces.texts import store as texts
from tracehub.web import concealing, permissions, saved_views, shell, trace_jobs
from tracehub.web.context import VIEWS as NAV_VIEWS
from tracehub.web.links import with_query
from tracehub.web.settings_pages import person
from tracehub.web.trace_list import aside, extreme, suggest
from tracehub.web.trace_list import histogram as drawn
from tracehub.web.trace_list.chips import chips
from tracehub.web.trace_list.columns import PREFERENCE, Look
from tracehub.web.trace_list.rows import Row, rows
from tracehub.web.trace_list.state import ListState

PAGE_SIZE = 30  # two screens; the list goes on by itself before one sees its end
SECONDS = 3  # of database time for the rows of a page, and as much for its counts
# Traces in the range above which the list does not wait for its counts: they come after it.
COUNTED_AT_ONCE = 10_000
NEWER_AT_MOST = 1000  # that Live counts
# Which template answers when this element is being swapped.
FRAGMENTS = {
    "main": "traces/content.html",
    "foot": "traces/more.html",
    "histogram": "traces/counts.html",
}
# Columns that no row of the list shows.
UNSEEN = ("metadata", "feedback", "contribution", "digest_hash", "finish_reasons", "reviewers")


@require_GET
@vary_on_headers("HX-Request", "HX-Target")
@replica.reads
def trace_list(request: HttpRequest, slug: str) -> HttpResponse:
    """The page, or what is being swapped: its content, its counts, or more rows."""
    project = permissions.project_for(request, slug)
    state = ListState.of(project, request.GET, timezone.now())
    target = request.headers.get("HX-Target", "").partition("#")[2]
    target = target if target in FRAGMENTS else ""
    if "add" in request.GET and not target:
        return HttpResponseRedirect(state.url())
    look = Look.of(request.user)
    with timezone.override(look.zone(request)):
        context = _context(state, target, counted="counts" in request.GET) | {"look": look}
    if target in ("", "main"):
        context |= trace_jobs.lately(project, person(request))
        context |= _views(state, person(request))
    context["rows"] = concealing.rows(project, context["rows"])
    # A fragment with its error in place is what was asked for; the page of a bad URL is not.
    bad = (state.error or state.problem) and not target
    template = FRAGMENTS.get(target, "traces/list.html")
    with timezone.override(look.zone(request)):
        answer = render(request, template, context, status=400 if bad else 200)
    if target == "main":
        answer["HX-Push-Url"] = state.url()
    return answer


@require_POST
def columns(request: HttpRequest, slug: str) -> HttpResponse:
    """Keep which columns the person wants, in which order, how dense, and how times are shown."""
    permissions.project_for(request, slug)
    user = person(request)
    user.preferences.pop(PREFERENCE, None)
    if "reset" not in request.POST:
        user.preferences[PREFERENCE] = Look.sent(request.POST).kept()
    user.save(update_fields=["preferences"])
    return shell.back(request, reverse("traces", args=[slug]))


@require_GET
def suggestions(request: HttpRequest, slug: str) -> HttpResponse:
    """The list under the filter field: keys and values that what is typed may become."""
    project = permissions.project_for(request, slug)
    typed = (request.GET.getlist("add") or [""])[-1]
    state = ListState.of(project, _only(request, "q", "from", "to"), timezone.now())
    try:
        with querysets.bounded(1):
            found = suggest.groups(state, typed[:200])
    except querysets.TooSlow:
        found = suggest.keys_only(typed[:200])
    return render(request, "traces/suggestions.html", {"groups": found, "typed": typed})


@require_GET
@replica.reads
def newer(request: HttpRequest, slug: str) -> HttpResponse:
    """How many traces of the list started after the moment `after`: what Live tells."""
    project = permissions.project_for(request, slug)
    state = ListState.of(project, _only(request, "q", "from", "to"), timezone.now())
    try:
        after, _ = parse_range(request.GET.get("after", ""), "", now=state.end)
        with querysets.bounded(1):
            found = _traces(state).filter(started_at__gt=after).order_by()
            count = found.values("trace_id")[:NEWER_AT_MOST].count() if not state.error else 0
    except (TimeError, querysets.TooSlow):
        count = 0
    return render(
        request,
        "traces/newer.html",
        {"state": state, "newer": count, "at_most": NEWER_AT_MOST},
    )


def _only(request: HttpRequest, *names: str) -> Any:
    params = request.GET.copy()
    for name in set(params) - set(names):
        del params[name]
    return params


def _context(state: ListState, target: str, *, counted: bool) -> dict[str, Any]:
    """Return what the page or fragment shows; `counted` asks for counts however long they take."""
    modes = reviews.modes(state.project)
    context: dict[str, Any] = {"state": state, "modes": modes, "chips": chips(state), "rows": []}
    context["reached"] = None
    context["kept"] = sampled.kept(state.within)
    if state.problem:
        context["notice"] = (state.problem, "The default is shown instead.", "")
    if state.error is not None:
        return context | {"mended": state.error.mended(state.text)}
    began = time.monotonic()
    try:
        if target != "histogram":
            context |= _listed(state, modes)
            context["took_ms"] = 1000 * (time.monotonic() - began)
    except querysets.TooSlow:
        return context | {"rows": [], "stopped": True, "notice": _too_slow()}
    except querysets.PageError as error:
        begin = (str(error), "The list begins with its first page.", state.url())
        return context | {"rows": [], "stopped": True, "notice": begin}
    try:
        with querysets.bounded(SECONDS):
            if target != "foot":
                context |= _aside(state, modes, counted=counted)
            if not context["rows"] and target != "histogram" and not context["reached"]:
                context["empty"] = _why_empty(state)
    except querysets.TooSlow:
        context["notice"] = _too_slow()
        context["stopped"] = not context["rows"]
    if target in ("", "main"):
        context["newer_url"] = _newer_url(state, context["rows"])
        context["verdicts"] = Verdict.choices
        context["eval_sets"] = list(EvalSet.objects.filter(project=state.project)[:50])
        context["queues"] = list(Queue.objects.filter(project=state.project)[:50])
        context["formats"] = trace_files.FORMATS
    return context


def _views(state: ListState, user: User) -> dict[str, Any]:
    """The saved views of the menu, the one shown, and whether the list differs from it."""
    views = list(saved.visible(state.project, user).select_related("owner"))
    view = next((one for one in views if str(one.pk) == state.view), None)
    shown = [(one, saved_views.address(one), one == view) for one in views]
    return {
        "views": shown,
        "nav_views": shown[:NAV_VIEWS],
        "view": view,
        "view_edited": view is not None and view.params != state.list_params,
    }


def _newer_url(state: ListState, shown: list[Row]) -> str:
    """The address that Live asks; empty when newer traces would not come first."""
    if state.until or state.sort != querysets.DEFAULT_SORT:
        return ""
    after = shown[0].trace.started_at if shown else state.end
    page = reverse("traces_newer", args=[state.project.slug])
    return with_query(page, {**state.params, "after": after.isoformat()})


def _too_slow() -> tuple[str, str, str]:
    hint = "Choose a shorter range, or add a filter such as model: or env:."
    return f"The search stopped after {SECONDS} s", hint, ""


def _listed(state: ListState, modes: list[Any]) -> dict[str, Any]:
    """The rows, the address of what follows them, and how far a search came that had to stop."""
    page = listing.read(
        state.within,
        state.wanted,
        sort=state.sort,
        cursor=state.cursor,
        limit=PAGE_SIZE,
        seconds=SECONDS,
        without=UNSEEN,
    )
    standing = reviews.standing(state.project.pk, [trace.trace_id for trace in page.traces])
    found: dict[str, Any] = {
        "rows": rows(state, page.traces, standing, modes, _texts(state, page.traces)),
        "next": state.at(page.following) if page.following else "",
        "reached": page.reached,
    }
    if page.reached:
        found["notice"] = _partly(state, page.reached, found["next"])
        found["stopped"] = not page.traces
        found["falling"] = state.sort == querysets.DEFAULT_SORT
    return found


def _texts(state: ListState, shown: Sequence[Trace]) -> dict[UUID, tuple[str, str]]:
    """What the traces of a page say, when words were looked for in it."""
    if not words.required(state.wanted) or not shown:
        return {}
    days = {trace.day for trace in shown}
    return texts.read(state.project.pk, days, [trace.trace_id for trace in shown])


def _partly(state: ListState, reached: datetime, following: str) -> tuple[str, str, str]:
    """Say which part of the range was searched, and where the search goes on."""
    falling = state.sort.startswith("-")
    looked = state.end - reached if falling else reached - state.start
    whole = state.end - state.start
    unit, width = ("days", 86400) if whole > timedelta(days=2) else ("hours", 3600)
    part, all_ = (round(span.total_seconds() / width, 1) for span in (looked, whole))
    what = f"Showing the {'newest' if falling else 'oldest'} {part:g} of {all_:g} {unit}"
    return (
        what,
        f"The search stopped after {SECONDS} s. Go on, or let it run to the end.",
        following,
    )


def _traces(state: ListState) -> querysets.TraceQuerySet:
    ranged = Trace.objects.in_project(state.project).in_range(state.start, state.end)
    return ranged.matching(state.wanted)


def _aside(state: ListState, modes: list[Any], *, counted: bool) -> dict[str, Any]:
    """Facets and histogram, two scans of the range; for a large one, the address of both."""
    if not counted and facets.expected(state.within) > COUNTED_AT_ONCE:
        address = state.url(counts="1")
        return {"counts_url": address, "counts_id": f"{crc32(address.encode()):08x}"}
    histogram = facets.histogram(state.within, state.wanted)
    counts = facets.counts(state.within, state.wanted)
    return {
        "histogram": histogram,
        "drawing": drawn.drawing(histogram, drawn.changes(state.within, histogram)),
        "narrow": aside.narrow(state, facets.separating(state.within, state.wanted)),
        "facets": aside.facets(state, counts, modes),
    }


def _why_empty(state: ListState) -> dict[str, Any]:
    """Say which filter hides traces, or when the last trace came."""
    if state.wanted.parts:
        relaxed = facets.without_each(state.within, state.wanted)
        part, count = max(relaxed, key=lambda pair: pair[1])
        return {
            "part": str(part),
            "limit": extreme.told(state, part, seconds=SECONDS) if count else "",
            "count": count,
            "remove": state.filtered(state.wanted.without(part)) if count else "",
            "clear": state.filtered(Filter()),
        }
    return {"last": _last_trace(state.project), "widen": state.url(since="30d", until="")}


def _last_trace(project: Project) -> Trace | None:
    """The newest trace of all that is kept: one step down the index of each partition."""
    return Trace.objects.in_project(project).newest_first().only("started_at", "name").first()
