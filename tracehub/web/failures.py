"""The failures pages: groups by impact with one open beside them, and what decides about them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from tracehub.core.whole import whole_number
from tracehub.failures import actions, querysets
from tracehub.failures.models import Activity, Failure
from tracehub.failures.triage import filtering
from tracehub.failures.triage import querysets as triage
from tracehub.projects.actions import ActionError
from tracehub.projects.models import Project, Role, User
from tracehub.traces.querysets import TooSlow, bounded
from tracehub.web import (
    failure_offers,
    failure_pane,
    failure_view,
    permissions,
    promote_many,
    shell,
    trace_bulk,
    undoing,
)
from tracehub.web.failure_list import FailureState
from tracehub.web.trace_list import suggest
from tracehub.web.trace_list.chips import chips

PAGE = 50
MAX_SELECTED = 200
# Which template answers when this element is being swapped.
FRAGMENTS = {"main": "failures/content.html", "foot": "failures/more.html"}


@require_GET
@vary_on_headers("HX-Request", "HX-Target")
def group_list(request: HttpRequest, slug: str) -> HttpResponse:
    """The groups of a tab, and the chosen one beside them; or what is being swapped of it."""
    project = permissions.project_for(request, slug)
    state = FailureState.of(project, request.GET)
    swapped = request.headers.get("HX-Request") == "true"
    target = request.headers.get("HX-Target", "").partition("#")[2] if swapped else ""
    if "add" in request.GET and not target:
        return HttpResponseRedirect(state.url())
    context = _context(request, state, timezone.now(), paned=target != "foot")
    bad = state.error and not target
    template = FRAGMENTS.get(target, "failures/list.html")
    answer = render(request, template, context, status=400 if bad else 200)
    if target == "main" and ("add" in request.GET or state.error):
        answer["HX-Push-Url"] = state.url()
    return answer


def _context(
    request: HttpRequest, state: FailureState, now: datetime, *, paned: bool
) -> dict[str, Any]:
    """Return what the page or fragment shows; `paned` asks for the open group as well."""
    project = state.project
    context: dict[str, Any] = {
        "state": state, "chips": chips(state), "counts": triage.tab_counts(project, now),
        "offers_url": reverse("failures_suggestions", args=[project.slug]),
    }  # fmt: skip
    context["tabs"] = state.tabs(context["counts"])
    if state.error is not None:
        return context | {"mended": state.error.mended(state.text)}
    since = state.first_day(now)
    me = request.user.pk if isinstance(request.user, User) else None
    try:
        asked = filtering.asked(project, state.wanted, since=since, now=now, me=me)
    except TooSlow:
        return context | {"too_slow": filtering.SECONDS}
    if state.wanted.parts:
        context["tabs"] = state.tabs(triage.tab_counts(project, now, asked))
    rows = triage.page(
        project, now=now, since=since, status=state.tab, asked=asked, order=state.order,
        by=state.by, limit=PAGE + 1, offset=state.after,
    )  # fmt: skip
    chosen = _chosen(project, state.group, rows)
    at = state.after + PAGE
    context |= {
        "matching": next(n for _, name, _, n in context["tabs"] if name == state.tab),
        "lines": failure_view.lines(state, rows[:PAGE], now, chosen.key if chosen else ""),
        "listed": state.after + len(rows[:PAGE]),
        "next": state.url(after=str(at)) if len(rows) > PAGE else "",
        "first_page": state.url() if state.after else "",
    }
    if not rows and not state.text:
        context["traffic"] = failure_view.traffic(project, now, state.days)
        context["last_resolved"] = querysets.last_resolved(project)
    if chosen is not None and paned:
        line = next((one for one in context["lines"] if one.current), None)
        covered = line.coverage if line else None
        context |= failure_pane.pane(project, chosen, now, state.days, covered)
        context |= failure_view.beside(context["lines"], chosen.key)
    return context


@require_GET
def suggestions(request: HttpRequest, slug: str) -> HttpResponse:
    """The list under the filter field: keys and values that what is typed may become."""
    project = permissions.project_for(request, slug)
    typed = (request.GET.getlist("add") or [""])[-1][:200]
    state = FailureState.of(project, request.GET)
    try:
        with bounded(1):
            found = failure_offers.groups(state, typed, timezone.now())
    except TooSlow:
        found = suggest.keys_only(typed)
    return render(request, "traces/suggestions.html", {"groups": found, "typed": typed})


@require_GET
def group_page(request: HttpRequest, slug: str, key: str) -> HttpResponse:
    """One group on a page of its own."""
    project = permissions.project_for(request, slug)
    failure = querysets.by_key(project, key)
    if failure is None:
        raise Http404("There is no such failure in this project.")
    days = FailureState.of(project, request.GET).days
    context = failure_pane.pane(project, failure, timezone.now(), days)
    return render(request, "failures/page.html", context)


@require_POST
def act(request: HttpRequest, slug: str) -> HttpResponse:
    """Do to the chosen groups what `act` says; the toast takes all of it back."""
    project = permissions.project_for(request, slug, Role.REVIEWER)
    keys = dict.fromkeys(request.POST.getlist("key")[:MAX_SELECTED])
    failures = [found for key in keys if (found := querysets.by_key(project, key)) is not None]
    if not failures:
        shell.toast(request, "No failures were selected", icon="none")
        return shell.back(request)
    if "set" in request.POST or request.POST.get("act") == "promote":
        return _promote(request, project, failures)
    verb, _, value = request.POST.get("act", "").partition(":")
    value = value or request.POST.get("value", "").strip()
    try:
        with transaction.atomic():
            done = _do(request, project, failures, verb, value)
    except ActionError as error:
        shell.toast(request, str(error), icon="failures")
        return shell.back(request)
    words = f"{done[0].failure.key} {done[0].verb} {done[0].detail}".strip()
    if len(done) > 1:
        words = f"{len(done)} failures {done[0].verb}"
    back = undoing.signed(request, project, "failures_undo", lines=[line.pk for line in done])
    shell.toast(request, words, undo=back)
    return shell.back(request)


def _promote(request: HttpRequest, project: Project, failures: Sequence[Failure]) -> HttpResponse:
    """Add different examples of each group to the draft of the set that the form names."""
    traces = failure_pane.of_each(failures, timezone.now())[: trace_bulk.MAX_SELECTED]
    try:
        slug = request.POST.get("set") or trace_bulk.new_set(request, project)
        if not traces:
            raise ActionError("No trace of these failures is in the last 14 days.", "key")
        return promote_many.promote(request, project, [one.trace_id for one in traces], slug)
    except ActionError as error:
        shell.toast(request, str(error), icon="failures")
        return shell.back(request)


def _do(
    request: HttpRequest, project: Project, failures: Sequence[Failure], verb: str, value: str
) -> list[Activity]:
    """Return one line of history per group. Raises ActionError on what cannot be done."""
    by = request.user if isinstance(request.user, User) else None
    if verb == "merge":
        return _merge(project, failures, value, by)
    if verb == "resolve":
        return [actions.resolve(one, by=by, where=value) for one in failures]
    if verb == "assign":
        user = User.objects.filter(pk=whole_number(value) or 0).first()
        if value and user is None:
            raise ActionError(f"There is no such person. Got {value[:20]!r}.", "assignee")
        return [actions.assign(one, user, by=by) for one in failures]
    if verb == "ignore":
        days = {"7d": 7, "30d": 30}.get(value)
        until = timezone.now() + timedelta(days=days) if days else None
        events = whole_number(value, most=1_000_000) or None
        doubled = value == "doubled"
        return [
            actions.ignore(one, by=by, until=until, events=events, doubled=doubled)
            for one in failures
        ]
    if verb == "split":
        return [actions.split(one, by=by) for one in failures]
    if verb == "reopen":
        return [actions.reopen(one, by=by) for one in failures]
    raise ActionError("Say what to do: resolve, assign, ignore, merge or reopen.", "act")


def _merge(
    project: Project, failures: Sequence[Failure], key: str, by: User | None
) -> list[Activity]:
    """Merge the groups into the one named, else into the first of them."""
    into = querysets.by_key(project, key.upper()) if key else failures[0]
    if into is None:
        raise ActionError(f"There is no failure {key[:40]!r} in this project.", "merge_into")
    rest = [one for one in failures if one.pk != into.pk]
    if not rest:
        raise ActionError("Choose two failures or more, or name the one to merge into.", "key")
    return [actions.merge(one, into, by=by) for one in rest]


@require_POST
def undo(request: HttpRequest, slug: str, token: str) -> HttpResponse:
    """Take back what one request did, as its signed token says."""
    project = permissions.project_for(request, slug, Role.REVIEWER)
    done = undoing.read(request, project, "failures_undo", token)
    by = request.user if isinstance(request.user, User) else None
    with transaction.atomic():
        lines = Activity.objects.filter(failure__project=project, pk__in=done["lines"])
        count = sum(actions.undo(line, by=by) for line in lines.order_by("-pk"))
    shell.toast(request, "Undone" if count else "That was undone before", icon="undo")
    return shell.back(request)


def _chosen(project: Project, key: str, rows: Sequence[triage.Row]) -> Failure | None:
    """Return the group that the URL names, else the first of the list."""
    named = querysets.by_key(project, key)
    return named or (rows[0].failure if rows else None)
