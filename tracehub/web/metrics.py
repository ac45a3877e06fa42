"""The Metrics page."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from tracehub.core import metrics
from tracehub.core.metrics import MetricError
from tracehub.core.query.errors import FilterError
from tracehub.core.query.parser import parse
from tracehub.core.query.tree import Filter
from tracehub.core.steps import RangeError, Window, window
from tracehub.core.times import TimeError, parse_range
from tracehub.metrics import querysets
from tracehub.metrics.querysets import Narrow
from tracehub.projects.models import Project
from tracehub.traces.querysets import TooSlow, bounded
from tracehub.web import metric_panels, permissions

GROUPS = (
    ("", "None"),
    ("prompt", "Prompt version"),
    ("model", "Model"),
    ("cohort", "Cohort"),
    ("env", "Environment"),
)
RANGES = (
    ("1h", "Last hour"),
    ("24h", "Last 24 hours"),
    ("7d", "Last 7 days"),
    ("14d", "Last 14 days"),
    ("30d", "Last 30 days"),
    ("90d", "Last 90 days"),
)
DEFAULT = timedelta(hours=24)
READ_SECONDS = 5.0  # a filter that the rollups cannot answer reads every trace of the range


@require_GET
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """Six charts over a range, for the whole project or by group."""
    project = permissions.project_for(request, slug)
    now = timezone.now()
    problems: list[str] = []
    group = _group(request, problems)
    frame = _frame(request, now, problems)
    narrow = _narrow(request, group, problems)
    context = _charts(project, frame, group, narrow) | {
        "q": request.GET.get("q", ""),
        "problems": problems,
        "group": group,
        "groups": GROUPS,
        "ranges": RANGES,
        "from": request.GET.get("from") or "24h",
        "range_label": _range_label(request, frame),
    }
    return render(request, "metrics/page.html", context, status=400 if problems else 200)


def _charts(project: Project, frame: Window, group: str, narrow: Narrow) -> dict[str, Any]:
    try:
        with bounded(READ_SECONDS):
            found = querysets.read(
                project,
                frame,
                group=group,
                counters=metric_panels.COUNTERS,
                measures=metric_panels.MEASURES,
                narrow=narrow,
            )
    except TooSlow:
        return {"too_slow": True}
    markers = querysets.version_markers(project, frame)
    panels = metric_panels.build(frame, found, group, markers) if found else []
    return {
        "panels": panels,
        "figures": {panel.key: panel.figure for panel in panels},
        "from_traces": isinstance(narrow, Filter),
        "twice": metric_panels.counts_twice(group),
        "step_ms": int(frame.step.total_seconds() * 1000),
    }


def _group(request: HttpRequest, problems: list[str]) -> str:
    try:
        return metrics.group(request.GET.get("group", ""))
    except MetricError as error:
        problems.append(str(error))
        return ""


def _narrow(request: HttpRequest, group: str, problems: list[str]) -> Narrow:
    try:
        return querysets.narrowed(parse(request.GET.get("q", "")), group)
    except FilterError as error:
        problems.append(str(error))
        return ()


def _frame(request: HttpRequest, now: datetime, problems: list[str]) -> Window:
    asked = (request.GET.get("from", ""), request.GET.get("to", ""))
    try:
        start, end = parse_range(*asked, now=now, default=DEFAULT)
        return window(start, end, now=now)
    except (TimeError, RangeError) as error:
        problems.append(str(error))
        return window(now - DEFAULT, now, now=now)


def _range_label(request: HttpRequest, frame: Window) -> str:
    asked = request.GET.get("from") or "24h"
    if not request.GET.get("to") and asked in dict(RANGES):
        return dict(RANGES)[asked]
    return f"{frame.start:%-d %b %H:%M} to {frame.end:%-d %b %H:%M}"
