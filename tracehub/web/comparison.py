"""Canary against control, below the charts and as a page of its own."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from tracehub.core.query import Filter
from tracehub.core.steps import RangeError, Window, window
from tracehub.metrics import comparing, querysets
from tracehub.metrics.comparing import Comparison, Row
from tracehub.traces.querysets import TooSlow, bounded
from tracehub.traces.replica import store as replica
from tracehub.web import copy, permissions
from tracehub.web.chart_state import ChartState, state_of
from tracehub.web.metric_words import name_of, say
from tracehub.web.metrics import READ_SECONDS

AXES = (
    ("cohort", "Cohort"),
    ("prompt", "Prompt version"),
    ("model", "Model"),
    ("release", "Release"),
    ("env", "Environment"),
    ("name", "Name"),
)
SIZES = ("5", "10", "20", "50")  # percent, of the difference that one wants to see
_SIZE = "20"
MOST_LABELS = 50  # in a menu, the busiest
TITLES = {"comparison": "Canary against control", "breakdown": "Cost breakdown"}
_WORDS = {"worse": "Worse", "better": "Better", "unclear": "No clear change", None: "Too few"}
_TONES = {"worse": "fail", "better": "pass"}
_ICONS = {"worse": "fail", "better": "pass"}


@dataclass(frozen=True, slots=True)
class CompareState(ChartState):
    """What the URL says: the range and filter of the charts, and what is compared."""

    route: ClassVar[str] = "metrics_compare"


@dataclass(frozen=True, slots=True)
class Drawn:
    """One row as the template writes it; `low`, `high` and `at` are percent of the picture."""

    title: str
    control: str
    other: str
    difference: str
    interval: str
    reading: str
    tone: str
    icon: str
    needed: str
    low: str
    high: str
    at: str


def part(request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse:
    """Render a panel alone when htmx swaps it, else as the page or content around it."""
    target = request.headers.get("HX-Target", "")
    context = {**context, "title": TITLES[name], "part": f"metrics/{name}.html"}
    if target.endswith(f"#{name}"):
        return render(request, context["part"], context)
    if target.endswith("#main"):
        return render(request, "metrics/part_content.html", context)
    status = 400 if context["problem"] else 200
    return render(request, "metrics/part_page.html", context, status=status)


@require_GET
@vary_on_headers("HX-Request", "HX-Target")
@replica.reads
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """The comparison alone for htmx, else a page around it."""
    project = permissions.project_for(request, slug)
    now = timezone.now()
    given = state_of(project, request.GET, now)
    state = CompareState(**{each.name: getattr(given, each.name) for each in fields(given)})
    problem = state.problem or (str(state.error) if state.error else "")
    context: dict[str, Any] = {"state": state, "axes": AXES, "sizes": SIZES}
    if not problem:
        try:
            frame = window(state.start, state.end, now=now)
            with bounded(READ_SECONDS):
                context |= _compared(state, frame, request)
        except RangeError as error:
            problem = str(error)
        except TooSlow:
            problem = "This filter took longer than 5 s. Choose a shorter range or fewer filters."
    return part(request, "comparison", context | {"problem": problem})


def _compared(state: CompareState, frame: Window, request: HttpRequest) -> dict[str, Any]:
    axis, labels = _axis(state, frame, request.GET.get("by", ""))
    newest = querysets.newest_versions(state.project) if axis == "prompt" else []
    size = request.GET.get("see", _SIZE)
    size = size if size in SIZES else _SIZE
    named = [label for label, _ in labels]
    pair = comparing.guess(labels, newest)
    asked = request.GET.get("control"), request.GET.get("other")
    if asked[0] in named and asked[1] in named and asked[0] != asked[1]:
        pair = str(asked[0]), str(asked[1])
    context = {"axis": axis, "size": size, "labels": _menu(labels, pair), "pair": pair}
    if pair is None:
        return context
    narrow = querysets.narrowed(state.wanted, axis)
    found = comparing.compare(
        state.project, frame, axis, pair, narrow=narrow, wanted=int(size) / 100
    )
    rows = [drawn(row, int(size)) for row in found.rows]
    return context | {"found": found, "rows": rows, **_words(found, pair)}


def _axis(state: CompareState, frame: Window, wanted: str) -> tuple[str, list[tuple[str, int]]]:
    """Return the axis that was asked for, or the first one with two groups, and its groups."""
    axes = [wanted] if wanted in comparing.AXES else comparing.AXES[:4]
    labels: list[tuple[str, int]] = []
    for axis in axes:
        narrow = querysets.narrowed(state.wanted, axis)
        labels = comparing.labels(state.project, frame, axis, narrow)
        if len([label for label, _ in labels if label]) > 1 or isinstance(narrow, Filter):
            return axis, labels
    return axes[0], labels if len(axes) == 1 else []


def _menu(labels: list[tuple[str, int]], pair: tuple[str, str] | None) -> list[tuple[str, str]]:
    """Return value and text of the groups, those in use among them."""
    shown = labels[:MOST_LABELS]
    shown += [item for item in labels[MOST_LABELS:] if item[0] in (pair or ())]
    return [
        (label, f"{name_of(label)}, {copy.count(n)} request{'s' if n != 1 else ''}")
        for label, n in shown
    ]


def _words(found: Comparison, pair: tuple[str, str]) -> dict[str, Any]:
    days = found.served.total_seconds() / 86400
    length = f"{days:.0f} days" if days >= 2 else f"{days * 24:.0f} h"
    warnings = []
    if not found.together:
        warnings.append(
            "They hardly served at the same time: what else changed between counts as a difference."
        )
    inputs = [{"name": "names", "env": "environments"}[m] for m in found.uneven if m != "time"]
    if inputs:
        warnings.append(
            f"Traffic was not split at random: the mix of {' and '.join(inputs)} differs."
        )
    if "time" in found.uneven:
        warnings.append("Their shares of the traffic moved: the busy hours are not the same.")
    if not found.checked:
        warnings.append("The mix of inputs is not checked under this filter.")
    return {
        "length": length,
        "warnings": warnings,
        "names": [name_of(label) for label in pair],
        "counts": [copy.count(n) for n in found.requests],
    }


def drawn(row: Row, size: int) -> Drawn:
    """Return a row of a comparison as templates write it; `size` is the change to see, percent."""
    metric = row.metric
    low = high = at = ""
    if row.interval is not None:
        widest = max(abs(row.interval[0]), abs(row.interval[1])) or 1.0
        low, high, at = (
            f"{50 + 44 * value / widest:.1f}"
            for value in (*row.interval, min(max(row.difference, row.interval[0]), row.interval[1]))
        )
    needed = ""
    if row.reading == "unclear" and row.needed:
        needed = f"{copy.count(row.needed)} more to see {size}%"
    return Drawn(
        title=metric.title,
        control=say(metric, row.control),
        other=say(metric, row.other),
        difference=_gap(row, row.difference),
        interval=_interval(row),
        reading=_WORDS[row.reading],
        tone=_TONES.get(row.reading or "", "neutral"),
        icon=_ICONS.get(row.reading or "", "none"),
        needed=needed,
        low=low,
        high=high,
        at=at,
    )


def _gap(row: Row, value: float) -> str:
    if row.relative:
        return f"{value * 100:+.0f}%".replace("-", copy.MINUS)
    if row.metric.unit == "share":
        return copy.points(value)
    sign = copy.MINUS if value < 0 else "+"
    return f"{sign}{copy.duration(abs(value))}"


def _interval(row: Row) -> str:
    if row.interval is None:
        return ""
    return f"{_gap(row, row.interval[0])} to {_gap(row, row.interval[1])}"
