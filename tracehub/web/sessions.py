"""Sessions and users: their lists, a conversation turn by turn, and what one user asked."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from tracehub.core.concealment import HIDDEN
from tracehub.core.query import Filter
from tracehub.core.query.tree import Pattern, Term
from tracehub.core.times import parse_range
from tracehub.core.whole import whole_number
from tracehub.evals.models import EvalSet
from tracehub.projects.models import Project
from tracehub.review import querysets as reviews
from tracehub.review.models import Verdict
from tracehub.traces import listing, querysets
from tracehub.traces.extent import Range
from tracehub.traces.texts import store as texts
from tracehub.traces.threads import store as threads
from tracehub.traces.threads.store import Key, Thread
from tracehub.web import concealing, marks, permissions, session_view
from tracehub.web.links import with_query
from tracehub.web.session_view import Turn
from tracehub.web.settings_pages import person
from tracehub.web.trace_list.chips import chips
from tracehub.web.trace_list.columns import Look
from tracehub.web.trace_list.rows import Row, rows
from tracehub.web.trace_list.state import ListState
from tracehub.web.trace_view.text import folded

SECONDS = 3  # of database time
TURNS = 50  # of a session on a page
TRACES = 20  # of a user on their page
MOST_TURNS = 100_000
UNSEEN = ("metadata", "feedback", "contribution", "digest_hash", "terms", "span_names")


class SessionState(ListState):
    """A list of sessions in a range, under a filter."""

    __slots__ = ()
    route: ClassVar[str] = "sessions"


class UserState(ListState):
    """A list of users in a range, under a filter."""

    __slots__ = ()
    route: ClassVar[str] = "users"


@require_GET
@vary_on_headers("HX-Request", "HX-Target")
def session_list(request: HttpRequest, slug: str) -> HttpResponse:
    """Sessions by their newest turn, or what is swapped of them."""
    return _list(request, slug, "session", SessionState)


@require_GET
@vary_on_headers("HX-Request", "HX-Target")
def user_list(request: HttpRequest, slug: str) -> HttpResponse:
    """Users by their newest trace."""
    return _list(request, slug, "user", UserState)


def _list(request: HttpRequest, slug: str, key: Key, kind: type[ListState]) -> HttpResponse:
    project = permissions.project_for(request, slug)
    state = kind.of(project, request.GET, timezone.now())
    context: dict[str, Any] = {"state": state, "chips": chips(state), "key": key}
    context["tabs"] = _tabs(state, key)
    if state.error is not None:
        context["mended"] = state.error.mended(state.text)
    else:
        context |= _listed(request, state, key)
    swapped = request.headers.get("HX-Target", "").endswith("#main")
    bad = (state.error or state.problem) and not swapped
    template = "sessions/content.html" if swapped else "sessions/list.html"
    with timezone.override(Look.of(request.user).zone(request)):
        answer = render(request, template, context, status=400 if bad else 200)
    if swapped:
        answer["HX-Push-Url"] = state.url()
    return answer


def _tabs(state: ListState, key: Key) -> list[tuple[str, str, bool]]:
    given = state.list_params
    return [
        (label, with_query(reverse(f"{name}s", args=[state.project.slug]), given), name == key)
        for label, name in (("Sessions", "session"), ("Users", "user"))
    ]


def _listed(request: HttpRequest, state: ListState, key: Key) -> dict[str, Any]:
    """The page of a list: its threads, the address of the next, and what cut it short."""
    try:
        with querysets.bounded(SECONDS):
            found = threads.read(
                state.within, state.wanted, key, cursor=state.cursor, seconds=SECONDS
            )
    except querysets.TooSlow:
        return {"threads": [], "too_slow": SECONDS}
    except querysets.PageError as error:
        return {"threads": [], "wrong_cursor": str(error), "begin": state.url()}
    return {
        "threads": [_shown(state.project, thread) for thread in found.found],
        "next": state.at(found.following) if found.following else "",
        "cut": found.cut,
        "reached": found.reached,
    }


def _shown(project: Project, thread: Thread) -> Thread:
    return replace(thread, began=HIDDEN) if project.hides_content and thread.began else thread


@require_GET
def session_page(request: HttpRequest, slug: str, session: str) -> HttpResponse:
    """One conversation, turn by turn. `turn` is the one that is looked at."""
    project = permissions.project_for(request, slug)
    within = _kept(project)
    first = whole_number(request.GET.get("first"), most=MOST_TURNS) or 1
    try:
        with querysets.bounded(SECONDS):
            page = threads.turns(
                within, session, cursor=request.GET.get("cursor", ""), limit=TURNS, without=UNSEEN
            )
            whole, cut = threads.total(within, Filter(), "session", [session])
    except querysets.TooSlow:
        return render(request, "sessions/page.html", {"id": session, "too_slow": SECONDS})
    except querysets.PageError as error:
        raise Http404(str(error)) from error
    if session not in whole or not page.traces:
        raise Http404("There is no such session in this project.")
    shown = _turns(request, project, whole[session], page, first)
    context = _session_context(request, project, whole[session], shown) | {
        "id": session,
        "cut": cut,
        "next": _next(page, first),
        "began_later": first > 1,
        "list_url": _traces_of(project, "session", session, whole[session]).url(),
    }
    with timezone.override(Look.of(request.user).zone(request)):
        return render(request, "sessions/page.html", context)


def _session_context(
    request: HttpRequest, project: Project, thread: threads.Thread, shown: list[session_view.Turn]
) -> dict[str, Any]:
    """Return what the page says of the turns that it shows."""
    wrong = next((turn for turn in shown if turn.wrong), None)
    here = _here(shown, wrong, whole_number(request.GET.get("turn"), most=MOST_TURNS))
    whole_talk = thread.traces == len(shown)
    after = [turn.row.trace.cost for turn in shown if wrong and turn.number >= wrong.number]
    return {
        "thread": thread,
        "standing": session_view.standing(shown, wrong, whole=whole_talk),
        "language": session_view.language(shown),
        "after_error": sum((cost for cost in after if cost), Decimal(0)) if whole_talk else None,
        "alike": session_view.alike(project, wrong) if wrong else [],
        "turns": shown,
        "view": "timeline" if request.GET.get("view") == "timeline" else "conversation",
        "views": session_view.views(request),
        "bars": session_view.bars(shown),
        "carried": session_view.repeated(shown),
        "wrong": wrong,
        "current": here,
        "span_ms": 1000 * (thread.last - thread.first).total_seconds(),
        "prompts": sorted({name for turn in shown for name in turn.row.trace.prompts}),
        "cohorts": sorted({turn.row.trace.cohort or "" for turn in shown} - {""}),
        "eval_sets": list(EvalSet.objects.filter(project=project)[:50]),
        "verdicts": [(value, marks.VERDICTS[value], value[0]) for value in Verdict.values],
        "concealed": project.hides_content,
    }


@require_GET
def user_page(request: HttpRequest, slug: str, user: str) -> HttpResponse:
    """What one user's traces add up to, their sessions, and their newest traces."""
    project = permissions.project_for(request, slug)
    within = _kept(project)
    named = Filter(Term("user", (Pattern((user,)),)))
    try:
        with querysets.bounded(SECONDS):
            whole, cut = threads.total(within, Filter(), "user", [user])
            if user not in whole:
                raise Http404("There is no such user in this project.")
            thread = whole[user]
            state = _traces_of(project, "user", user, thread, sort="")
            page = listing.read(state.within, named, limit=TRACES, seconds=SECONDS, without=UNSEEN)
            sessions = threads.read(state.within, named, "session", limit=TRACES, seconds=SECONDS)
    except querysets.TooSlow:
        return render(request, "sessions/user.html", {"id": user, "too_slow": SECONDS})
    context = {
        "id": user,
        "thread": thread,
        "cut": cut,
        "rows": concealing.rows(project, _rows(state, page)),
        "sessions": [_shown(project, one) for one in sessions.found],
        "list_url": state.url(),
        "sessions_url": with_query(reverse("sessions", args=[slug]), state.list_params),
    }
    with timezone.override(Look.of(request.user).zone(request)):
        return render(request, "sessions/user.html", context)


def _kept(project: Project) -> Range:
    """All that is kept."""
    return Range(project, *parse_range("", "", now=timezone.now()))


def _traces_of(
    project: Project, key: Key, name: str, thread: Thread, *, sort: str = "started_at"
) -> ListState:
    """The list of the traces of a session or user, from the first of them on."""
    params = QueryDict(mutable=True)
    params["q"] = str(Term(key, (Pattern((name,)),)))
    params["from"] = thread.first.strftime("%Y-%m-%dT%H:%MZ")
    params["sort"] = sort
    return ListState.of(project, params, timezone.now())


def _rows(state: ListState, page: querysets.Page) -> list[Row]:
    standing = reviews.standing(state.project.pk, [trace.trace_id for trace in page.traces])
    return rows(state, page.traces, standing, reviews.modes(state.project), {})


def _turns(
    request: HttpRequest, project: Project, thread: Thread, page: querysets.Page, first: int
) -> list[Turn]:
    """Return the turns of a page, without words where the person may not see them."""
    ids = [trace.trace_id for trace in page.traces]
    said = texts.read(project.pk, {trace.day for trace in page.traces}, ids)
    found: list[Turn] = []
    given = reviews.given_by(person(request), project).filter(trace_id__in=ids, withdrawn_at=None)
    mine = {review.trace_id: review.verdict for review in reversed(given)}
    state = _traces_of(project, "session", thread.id, thread)
    listed = _rows(state, page)
    pins = reviews.pinned_by(project, ids)
    wrong_at = _first_wrong(listed, pins) if first == 1 else None
    for number, row in enumerate(listed, first):
        trace = row.trace
        pair = said.get(trace.trace_id, (trace.input_preview or "", trace.output_preview or ""))
        if concealing.is_concealed(request, project, trace.hex):
            pair = (HIDDEN if pair[0] else "", HIDDEN if pair[1] else "")
            (row,) = concealing.rows(project, [row])
        mark = _mark(row)
        wrong = number == wrong_at
        asked, answered = (folded(text, "") for text in pair)
        own = mine.get(trace.trace_id, "")
        pinned = pins.get(trace.trace_id, "")
        found.append(Turn(number, row, asked, answered, mark, wrong, own, pinned))
    return found


def _first_wrong(listed: list[Row], pins: dict[UUID, str]) -> int | None:
    """Return the number of the turn where it went wrong: the first pinned, else the first bad."""
    bad = [n for n, row in enumerate(listed, 1) if _mark(row).tone == "fail"]
    pinned = [n for n in bad if listed[n - 1].trace.trace_id in pins]
    return next(iter(pinned or bad), None)


def _mark(row: Row) -> marks.Mark:
    """The verdict of people; without one, whether signals call it failing."""
    if row.verdict is None and row.trace.failing:
        return marks.Mark("fail", "Failing", "fail")
    return marks.verdict(row.verdict)


def _here(shown: list[Turn], wrong: Turn | None, number: int | None) -> Turn:
    """The turn that the URL names, else the first that fails, else the last."""
    named = next((turn for turn in shown if turn.number == number), None)
    return named or wrong or shown[-1]


def _next(page: querysets.Page, first: int) -> str:
    if not page.following:
        return ""
    return with_query("", {"cursor": page.following, "first": str(first + len(page.traces))})
