"""One trace: reading it, and the fragments its page swaps. Verdicts are in `web.panel`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    QueryDict,
)
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from tracehub.core import snippets
from tracehub.core.concealment import HIDDEN
from tracehub.core.trace import Json, Span
from tracehub.core.trace_json import span_json
from tracehub.core.whole import whole_number
from tracehub.projects.models import Role
from tracehub.traces import reading
from tracehub.traces.reading import LoadedTrace
from tracehub.web import concealing, links, panel, permissions, queue_place
from tracehub.web.loading import trace_or_404
from tracehub.web.neighbours import Neighbours, neighbours
from tracehub.web.trace_beside import beside
from tracehub.web.trace_list.state import ListState
from tracehub.web.trace_view.code import laid_out
from tracehub.web.trace_view.page import TracePage, trace_facts
from tracehub.web.trace_view.text import visible

PAGE_SPANS = reading.MAX_SPANS
# What the browser may do with JSON opened on its own: nothing.
SANDBOX = "default-src 'none'; sandbox; frame-ancestors 'none'"


@require_GET
@vary_on_headers("HX-Request", "HX-Target")
def trace_page(request: HttpRequest, slug: str, trace_id: str) -> HttpResponse:
    """The page of a trace, or only its selected span, or more rows of its tree."""
    project = permissions.project_for(request, slug)
    loaded = concealing.shown(request, trace_or_404(project, trace_id))
    page = _page(loaded, request.GET)
    state = ListState.of(project, request.GET, timezone.now())
    keep = _keep(state, request.GET)
    context: dict[str, Any] = {"trace": trace_facts(loaded.summary), "keep": keep}
    context |= _reading(request.GET, keep, page)
    context["json_url"] = reverse("trace_json", args=[slug, loaded.summary.trace_id])
    context["list_path"] = reverse("traces", args=[slug])
    context["selected_id"] = page.selected.span_id if page.selected else ""
    target = request.headers.get("HX-Target", "")
    fragment = request.headers.get("HX-Request") == "true"
    if fragment and page.under:
        return render(request, "trace/rows.html", context | {"rows": page.rows()})
    context |= page.pane_context() | {"raw": _raw(page)}
    if fragment and target.endswith("#pane"):
        return render(request, "trace/span.html", context)
    context |= page.tree_context() | {"rows": page.rows(), "badges": page.badges()}
    place = queue_place.place_of(request, project, UUID(hex=loaded.summary.trace_id))
    around = queue_place.around(place) if place else _around(loaded, state)
    context |= around | _rest(loaded) | beside(loaded, now=timezone.now())
    context["under"] = page.under
    if concealing.is_concealed(request, project, trace_id):
        context["turns"] = [replace(turn, said=HIDDEN) for turn in context.get("turns", [])]
        context["concealed"] = True
    return render(request, "trace/page.html", context | panel.context(request, loaded, context))


@require_POST
def reveal(request: HttpRequest, slug: str, trace_id: str) -> HttpResponse:
    """Show what a trace says in a project that hides it, for an hour; the audit log has who."""
    project = permissions.project_for(request, slug, Role.REVIEWER)
    trace_or_404(project, trace_id)
    concealing.reveal_trace(request, project, trace_id)
    page = reverse("trace", args=[slug, trace_id])
    back = request.POST.get("here", "")
    return HttpResponseRedirect(back if back.startswith(f"{page}?") else page)


@require_GET
def trace_json(request: HttpRequest, slug: str, trace_id: str) -> HttpResponse:
    """The trace, or one span of it with `?span=`, as JSON; with `raw=1` as it was received.

    `as=curl` and `as=python` give the call of a span as text.
    """
    project = permissions.project_for(request, slug)
    loaded = concealing.shown(request, trace_or_404(project, trace_id))
    wanted = request.GET.get("span")
    if not wanted:
        body = loaded.as_json()
    else:
        span = next((s for s in loaded.spans if s.span_id == wanted), None)
        if span is None:
            raise Http404("The trace has no such span.")
        form = snippets.FORMS.get(request.GET.get("as", ""))
        if form is not None:
            return _inert(HttpResponse(form(span), content_type="text/plain; charset=utf-8"))
        body = received(span) if request.GET.get("raw") else span_json(span)
    return _inert(JsonResponse(body, json_dumps_params={"ensure_ascii": False, "indent": 1}))


def _inert(answer: HttpResponse) -> HttpResponse:
    answer["Content-Security-Policy"] = SANDBOX
    return answer


def received(span: Span) -> dict[str, Json]:
    """Return a span as it was received: ids, attributes, events, links, resource and scope."""
    return {
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "parent_id": span.parent_id,
        "name": span.name,
        "attributes": span.attributes,
        "events": span.events,
        "links": span.links,
        "resource": span.resource,
        "scope": span.scope,
    }


def _page(loaded: LoadedTrace, params: QueryDict) -> TracePage:
    return TracePage(
        loaded.summary,
        loaded.spans,
        loaded.signals,
        span_id=params.get("span", ""),
        tab=params.get("tab", ""),
        whole=params.get("all", ""),
        under=params.get("under", ""),
        first=whole_number(params.get("first"), most=10**8) or 0,
        past=whole_number(params.get("past"), most=10**8),
        from_end=params.get("end") == "1",
    )


def _keep(state: ListState, params: QueryDict) -> str:
    queue = params.get("queue", "")
    kept = {"queue": queue} if queue else dict(state.params)
    query = links.with_query("", kept | ({"md": "1"} if _markdown(params) else {}))
    return f"{query[1:]}&" if query else ""


def _markdown(params: QueryDict) -> bool:
    return params.get("md") == "1"


def _reading(params: QueryDict, keep: str, page: TracePage) -> dict[str, Any]:
    """Whether texts are read as markdown, and the query that turns that."""
    on = _markdown(params)
    span = f"span={page.selected.span_id}" if page.selected else ""
    other = keep.replace("md=1&", "") if on else f"{keep}md=1&"
    return {"markdown": on, "markdown_query": f"{other}{span}"}


def _raw(page: TracePage) -> Any:
    if page.tab != "raw" or page.selected is None:
        return None
    return laid_out(received(page.selected), key="raw", whole=page.whole)


def _around(loaded: LoadedTrace, state: ListState) -> dict[str, Any]:
    """Where the trace stands: its list, and the traces before and after it there."""
    beside = neighbours(loaded.row, state) if loaded.row is not None else Neighbours()

    def link(trace: str | None) -> str:
        if not trace:
            return ""
        return links.with_query(reverse("trace", args=[state.project.slug, trace]), state.params)

    return {
        "list_url": state.url(),
        "here_url": link(loaded.summary.trace_id),
        "place_url": _place_url(loaded, state) if loaded.row is not None else "",
        "previous_url": link(beside.previous),
        "next_url": link(beside.next),
    }


def _place_url(loaded: LoadedTrace, state: ListState) -> str:
    page = reverse("trace_place", args=[state.project.slug, loaded.summary.trace_id])
    return links.with_query(page, state.params)


def _rest(loaded: LoadedTrace) -> dict[str, Any]:
    shown = [
        {
            "name": visible(str(score.get("name") or "feedback")),
            "shown": visible(str(score.get("label") or score.get("value"))),
            "comment": visible(str(score.get("comment") or "")),
        }
        for score in loaded.feedback[-4:]
    ]
    cut = len(loaded.spans) if len(loaded.spans) >= PAGE_SPANS else 0
    return {"feedback": shown, "spans_cut": cut, "digested": loaded.row is not None}
