"""What the cost is made of, below the charts: by model or by prompt version."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from tracehub.core.metrics import METRICS, Sums
from tracehub.core.query.tree import Absent, Filter, Pattern, Term
from tracehub.core.steps import RangeError, Window, window
from tracehub.metrics import querysets
from tracehub.traces.querysets import TooSlow, bounded
from tracehub.traces.replica import store as replica
from tracehub.web import copy, permissions
from tracehub.web.chart_state import ChartState, state_of
from tracehub.web.comparison import part
from tracehub.web.metric_words import name_of, say
from tracehub.web.metrics import READ_SECONDS

BY = (("model", "Model"), ("prompt", "Prompt version"))
MOST = 12  # rows; what comes after is one row
_COLUMNS = ("requests", "calls", "input_tokens", "output_tokens", "cost")
_COUNTERS = frozenset(name for each in _COLUMNS for name in METRICS[each].counters)


@dataclass(frozen=True, slots=True)
class Part:
    """One model or prompt version: its numbers as text, and its share of the cost in percent."""

    name: str
    url: str  # the traces behind it; empty for the rest
    cells: list[str]
    share: str
    width: str


@dataclass(frozen=True, slots=True)
class BreakdownState(ChartState):
    """What the URL says: the range and filter of the charts."""

    route: ClassVar[str] = "metrics_breakdown"


@require_GET
@vary_on_headers("HX-Request", "HX-Target")
@replica.reads
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """The breakdown alone for htmx, else a page around it."""
    project = permissions.project_for(request, slug)
    now = timezone.now()
    given = state_of(project, request.GET, now)
    state = BreakdownState(**{each.name: getattr(given, each.name) for each in fields(given)})
    by = "prompt" if request.GET.get("by") == "prompt" else "model"
    tabs = [(label, state.url(by=name, group=""), name == by) for name, label in BY]
    problem = state.problem or (str(state.error) if state.error else "")
    context: dict[str, Any] = {"state": state, "by": by, "tabs": tabs}
    if not problem:
        try:
            frame = window(state.start, state.end, now=now)
            with bounded(READ_SECONDS):
                context["parts"] = _parts(state, frame, by)
        except RangeError as error:
            problem = str(error)
        except TooSlow:
            problem = "This filter took longer than 5 s. Choose a shorter range or fewer filters."
    return part(request, "breakdown", context | {"problem": problem})


def _parts(state: ChartState, frame: Window, by: str) -> list[Part]:
    narrow = querysets.narrowed(state.wanted, by)
    found = querysets.read(state.project, frame, group=by, counters=_COUNTERS, narrow=narrow)
    sums = {label: querysets.added(steps.values()) for label, steps in found.items()}
    order = sorted(sums, key=lambda label: (-Decimal(sums[label]["own_cost"]), label))
    total = sum((Decimal(each["own_cost"]) for each in sums.values()), Decimal(0))
    parts = [_part(state, by, label, sums[label], total) for label in order[:MOST]]
    if rest := order[MOST:]:
        whole = querysets.added(sums[label] for label in rest)
        parts.append(_part(state, by, "", whole, total, name=f"{len(rest)} more"))
    return parts


def _part(
    state: ChartState, by: str, label: str, sums: Sums, total: Decimal, *, name: str = ""
) -> Part:
    share = float(Decimal(sums["own_cost"]) / total) if total else 0.0
    value = Pattern((label,)) if label else Absent()
    only = state.wanted.plus(Filter(Term(by, (value,))))
    return Part(
        name=name or name_of(label),
        url="" if name else state.traces(str(only)),
        cells=[say(METRICS[column], METRICS[column].value(sums)) for column in _COLUMNS],
        share=copy.rate(share),
        width=f"{share * 100:.1f}",
    )
