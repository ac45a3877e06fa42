"""Traces like one: those with its failure, then those whose input says the same in its words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from tracehub.core import similar
from tracehub.core.concealment import HIDDEN
from tracehub.core.query import Filter
from tracehub.core.query.tree import Pattern, Term
from tracehub.projects.models import Project
from tracehub.traces import listing, querysets
from tracehub.traces.extent import Range
from tracehub.traces.models import Trace
from tracehub.web import marks, permissions
from tracehub.web.links import with_query
from tracehub.web.loading import row_or_404
from tracehub.web.trace_view.text import one_line

NEAR = timedelta(days=7)  # before and after
LOOKED_AT = 100  # traces of each search whose inputs are compared
SHOWN = 6
ENOUGH = 0.3  # cosine of the words of two inputs
SECONDS = 1


@dataclass(frozen=True, slots=True)
class Alike:
    """Another trace, and what it shares with this one."""

    trace: Trace
    said: str
    why: str
    mark: marks.Mark


@require_GET
@vary_on_headers("HX-Request")
def page(request: HttpRequest, slug: str, trace_id: str) -> HttpResponse:
    """The traces most like one: a part of its page, or a page of their own."""
    project = permissions.project_for(request, slug)
    trace = row_or_404(project, trace_id)
    try:
        found = alike(project, trace)
    except querysets.TooSlow:
        found = []
    terms = " ".join(str(term) for term in _shared(trace))
    around = {"q": terms, "from": _moment(trace, -1), "to": _moment(trace, 1)}
    context = {
        "trace": trace,
        "alike": found,
        "list_url": with_query(reverse("traces", args=[slug]), around) if terms else "",
    }
    fragment = request.headers.get("HX-Request") == "true"
    return render(request, f"trace/alike{'' if fragment else '_page'}.html", context)


def alike(project: Project, trace: Trace) -> list[Alike]:
    """Return the SHOWN most alike of at most 2 × LOOKED_AT traces, by two reads of a list.

    Those of the same failure come first; within both, the nearest input. Raises TooSlow.
    """
    within = Range(project, trace.started_at - NEAR, trace.started_at + NEAR)
    others: dict[UUID, Trace] = {}
    for wanted in _searches(trace):
        read = listing.read(within, wanted, limit=LOOKED_AT, seconds=SECONDS)
        others |= {one.trace_id: one for one in read.traces}
    others.pop(trace.trace_id, None)
    rows = list(others.values())
    near = similar.nearness(trace.input_preview or "", [one.input_preview or "" for one in rows])
    held = set(trace.failures)
    ranked = sorted(
        (
            (bool(held & set(one.failures)), score, one)
            for one, score in zip(rows, near, strict=True)
        ),
        key=lambda found: (found[0], found[1], found[2].started_at),
        reverse=True,
    )
    return [
        _told(project, one, same, score)
        for same, score, one in ranked[:SHOWN]
        if same or score >= ENOUGH
    ]


def _searches(trace: Trace) -> Iterator[Filter]:
    """Yield where to look: traces with its gravest signal, then all of its prompt or name."""
    shared = _shared(trace)
    if trace.failing and trace.signal_kinds:
        yield Filter.of((*shared, Term("signal", (Pattern((_gravest(trace),)),))))
    yield Filter.of(shared)


def _shared(trace: Trace) -> tuple[Term, ...]:
    if trace.prompts:
        return (Term("prompt", (Pattern((trace.prompts[0],)),)),)
    return (Term("name", (Pattern((trace.name,)),)),)


def _gravest(trace: Trace) -> str:
    order = ("critical", "high", "medium", "low")
    ranked = sorted(trace.signals, key=lambda one: order.index(one.get("severity") or "low"))
    return str(ranked[0]["kind"]) if ranked else trace.signal_kinds[0]


def _told(project: Project, one: Trace, same: bool, score: float) -> Alike:
    said = HIDDEN if project.hides_content else one_line(one.input_preview or one.name, 120)
    alike = f"words {100 * score:.0f}% alike" if score >= ENOUGH else ""
    why = ", ".join(part for part in ("same failure" if same else "", alike) if part)
    mark = marks.VERDICTS["fail"] if one.failing else marks.verdict(one.verdict)
    return Alike(one, said, why, mark)


def _moment(trace: Trace, sign: int) -> str:
    return (trace.started_at + sign * NEAR).strftime("%Y-%m-%dT%H:%MZ")
