"""The coverage page of a set: modes by kind, holes and what fills them, traffic, staleness."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from tracehub.core import coverage
from tracehub.core.query import parse
from tracehub.core.steps import window
from tracehub.evals import covering
from tracehub.evals.models import CaseKind
from tracehub.failures.querysets import contracts
from tracehub.metrics import comparing
from tracehub.projects.models import Project
from tracehub.review import querysets as reviews
from tracehub.traces import facets, listing
from tracehub.traces.querysets import TooSlow, bounded
from tracehub.web import evals, permissions

SECONDS = 3.0  # that counts of traffic, and traces for a hole, may take
DAYS = 30  # of traffic; a prompt that sent nothing for so long is gone
SUGGESTED = 6
LISTED = 8


@require_GET
def page(request: HttpRequest, slug: str, set_slug: str) -> HttpResponse:
    """What a version covers, over all its cases or those of one segment."""
    project = permissions.project_for(request, slug)
    shown = evals.shown_version(project, set_slug, request.GET.get("version", ""))
    every = covering.cases(shown.eval_set, shown.number)
    segment = _segment(request.GET.get("by", ""))
    rows = covering.cases(shown.eval_set, shown.number, segment)
    modes = [
        coverage.Mode(mode.slug, mode.name, mode.used)  # type: ignore[attr-defined]  # annotated
        for mode in reviews.modes_with_use(project)
    ]
    counted = covering.per_mode_and_kind(rows)
    by_kind = dict.fromkeys(CaseKind.values, 0) | covering.per_kind(rows)
    context = {
        "set": shown.eval_set,
        "shown": shown,
        "kinds": CaseKind.choices,
        "grid": coverage.grid(modes, counted),
        "total": sum(by_kind.values()),
        "by_kind": [(label, by_kind[kind]) for kind, label in CaseKind.choices],
        "most": max(by_kind.values()) or 1,
        "imbalance": coverage.imbalance(by_kind),
        "by": request.GET.get("by", "") if segment else "",
        "segments": _segments(every),
        **_hole(project, modes, segment, request),
        **_traffic(project, every),
    }
    return render(request, "evals/coverage.html", context)


def _segment(text: str) -> tuple[str, str] | None:
    key, _, value = text.partition(":")
    return (key, value) if key in covering.SEGMENTS and value else None


def _segments(rows: Any) -> list[tuple[str, str, int]]:
    """Return value, words and cases of what the grid can be narrowed to."""
    found = [("prompt", covering.per_prompt(rows)), ("model", covering.per_model(rows)),
             ("tag", covering.per_tag(rows))]  # fmt: skip
    return [
        (f"{key}:{name}", f"{key} {name}", count)
        for key, counts in found
        for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:20]
    ]


def _hole(
    project: Project,
    modes: list[coverage.Mode],
    segment: tuple[str, str] | None,
    request: HttpRequest,
) -> dict[str, Any]:
    """Return the traces of the last 30 days that would fill the cell that the URL names."""
    mode = next((m for m in modes if m.slug == request.GET.get("mode")), None)
    kind = request.GET.get("kind", "")
    if mode is None or kind not in CaseKind.values:
        return {}
    query = coverage.fill(mode.slug, kind, segment)
    now = timezone.now()
    within = facets.Range(project, now - timedelta(days=DAYS), now)
    try:
        with bounded(SECONDS):
            found = listing.read(within, parse(query), limit=SUGGESTED).traces
    except TooSlow:
        found = []
    return {"hole": (mode, CaseKind(kind)), "query": query, "suggested": found}


def _traffic(project: Project, rows: Any) -> dict[str, Any]:
    """Return what runs but has no case, and the cases whose prompt or contract is gone."""
    prompts = covering.per_prompt(rows)
    now = timezone.now()
    frame = window(now - timedelta(days=DAYS), now, now=now)
    within = facets.Range(project, now - timedelta(days=DAYS), now)
    try:
        with bounded(SECONDS):
            served = coverage.by_name(comparing.labels(project, frame, "prompt", ()))
            cohorts = comparing.labels(project, frame, "cohort", ())
            called = facets.counts(within, parse("kind:tool"), ("tool",))["tool"]
            promoted = facets.counts(within, parse("is:promoted"), ("cohort",))["cohort"]
    except TooSlow:
        return {"slow": True}
    newest = {contract.name: contract.version for contract in contracts(project)}
    uncovered = [
        ("prompt", coverage.without_case(served, prompts)),
        ("tool", coverage.without_case(coverage.by_name(called), covering.tools(rows))),
        ("cohort", coverage.without_case(cohorts, dict(promoted))),
    ]
    in_use = [name for name, _ in served]
    return {
        "uncovered": [(key, found[:LISTED]) for key, found in uncovered if found],
        "stale": coverage.stale(prompts, covering.per_contract(rows), in_use=in_use, newest=newest),
    }
