"""The Metrics page: charts over a range, filtered, grouped, compared with the period before."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from tracehub.core.exports.csv_table import safe_cell
from tracehub.core.query import Filter
from tracehub.core.steps import RangeError, Window, window
from tracehub.metrics import querysets
from tracehub.metrics.querysets import Groups, Marker
from tracehub.traces.extent import Range
from tracehub.traces.querysets import TooSlow, bounded
from tracehub.traces.replica import store as replica
from tracehub.traces.sampling import store as sampled
from tracehub.web import budgets, dashboards, metric_panels, metric_specs, permissions
from tracehub.web.chart_state import LONGEST, ChartState, state_of
from tracehub.web.links import with_query
from tracehub.web.metric_panels import Data, Links, Panel
from tracehub.web.metric_specs import Spec
from tracehub.web.trace_list.chips import chips
from tracehub.web.trace_list.state import DEFAULT_RANGE

READ_SECONDS = 5.0  # a filter that the rollups cannot answer reads every trace of the range


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@require_GET
@vary_on_headers("HX-Request", "HX-Target")
@replica.reads
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """The page, or only its content when #main is swapped."""
    project = permissions.project_for(request, slug)
    now = timezone.now()
    state = state_of(project, request.GET, now)
    swapped = request.headers.get("HX-Target", "").endswith("#main")
    if ("add" in request.GET or "chart" in request.GET) and not swapped:
        return HttpResponseRedirect(state.url())
    context = _context(state, now) | dashboards.context(request, state)
    context["over_budget"] = budgets.told(project, now)
    if request.GET.get("format") == "csv" and "panels" in context:
        return _csv(state, context["panels"])
    bad = (state.error or context["problem"]) and not swapped
    template = "metrics/content.html" if swapped else "metrics/page.html"
    answer = render(request, template, context, status=400 if bad else 200)
    if swapped:
        answer["HX-Push-Url"] = state.url()
    return answer


def _csv(state: ChartState, panels: list[Panel]) -> HttpResponse:
    """The tables of all charts below each other, with numbers as they are: usd, ms, fractions."""
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    name = f"{state.project.slug}-metrics.csv"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    rows = csv.writer(answer)
    for panel in panels:
        units = [f"{name} ({unit})" for name, unit in zip(panel.head[1:], panel.units, strict=True)]
        rows.writerow(["chart", panel.head[0], *units])
        rows.writerows([panel.title, *map(safe_cell, row)] for row in panel.exact)
    return answer


def _context(state: ChartState, now: datetime) -> dict[str, Any]:
    problem = state.problem
    try:
        frame = _frame(state, now)
    except RangeError as error:
        problem = str(error)
        frame = window(now - DEFAULT_RANGE, now, now=now)
    context = {"state": state, "chips": chips(state), "problem": problem}
    if state.error is not None:
        return context | {"mended": state.error.mended(state.text)}
    return context | _charts(state, frame)


def _frame(state: ChartState, now: datetime) -> Window:
    """Return the window of the charts; compared, in steps that the period before is kept in too."""
    frame = window(state.start, state.end, now=now)
    if not state.compare:
        return frame
    earlier = frame.before()
    step = window(earlier.start, earlier.end, now=now, step=frame.step).step
    return frame if step == frame.step else window(state.start, state.end, now=now, step=step)


def _charts(state: ChartState, frame: Window) -> dict[str, Any]:
    specs = metric_specs.chosen(state.charts)
    markers = querysets.version_markers(state.project, frame)
    try:
        with bounded(READ_SECONDS):
            data = _read(state, frame, state.group, specs, markers)
            groupings = {spec.by for spec in specs} - {""} if data.found else set()
            apart = {
                by: _read(state, frame, by, [s for s in specs if s.by == by], markers)
                for by in groupings
            }
    except TooSlow:
        return {"too_slow": True}
    panels = metric_panels.build(specs, data, apart) if data.found else []
    return {
        "panels": panels,
        "figures": {panel.key: panel.figure for panel in panels},
        "sampled": sampled.kept(Range(state.project, frame.start, frame.end)),
        "from_traces": isinstance(querysets.narrowed(state.wanted, state.group), Filter),
        "twice": metric_panels.counts_twice(state.group),
        "step_ms": int(frame.step.total_seconds() * 1000),
        "widest": state.url(since=LONGEST[0], until=""),
    }


def _read(
    state: ChartState, frame: Window, group: str, specs: Iterable[Spec], markers: list[Marker]
) -> Data:
    """Read what charts draw, and the period before it when that is wanted."""
    specs = list(specs)
    narrow = querysets.narrowed(state.wanted, group)

    def sums(of: Window) -> Groups:
        return querysets.read(
            state.project,
            of,
            group=group,
            counters=metric_specs.counters(specs),
            measures=metric_specs.measures(specs),
            narrow=narrow,
        )

    before = sums(frame.before()) if state.compare else None
    links = _links(state)
    return Data(frame, sums(frame), group, markers, state.wanted, links, before)


def _links(state: ChartState) -> Links:
    """Return what writes the addresses of the traces of a step: some hundred of them a page."""
    path, iso = reverse("traces", args=[state.project.slug]), cache(_iso)

    @cache
    def filtered(wanted: str) -> str:
        return with_query(path, {"q": wanted}) + "&" if wanted else f"{path}?"

    return lambda start, end, wanted: f"{filtered(wanted)}from={iso(start)}&to={iso(end)}"
