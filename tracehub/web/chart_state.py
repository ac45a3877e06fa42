"""What the address of the Metrics page says of its charts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

from django.http import QueryDict
from django.urls import reverse

from tracehub.core import metrics
from tracehub.core.metrics import MetricError
from tracehub.core.whole import whole_number
from tracehub.projects.models import Project
from tracehub.web import metric_specs
from tracehub.web.links import with_query
from tracehub.web.trace_list.state import ListState

GROUPS = (
    ("", "None"),
    ("prompt", "Prompt version"),
    ("model", "Model"),
    ("cohort", "Cohort"),
    ("env", "Environment"),
)
LONGEST = ("90d", "Last 90 days")  # the rollups outlive the traces


@dataclass(frozen=True, slots=True)
class ChartState(ListState):
    """What the URL says of the charts: that of a list, what they are grouped by, whether the
    period before is drawn, which charts, of which dashboard, and whether they are being chosen."""

    group: str = ""
    compare: bool = False
    charts: tuple[str, ...] = ()  # their keys; none is all of them
    dashboard: str = ""  # its id
    edit: bool = False
    route: ClassVar[str] = "metrics"

    @property
    def params(self) -> dict[str, str]:
        given = ListState.params.fget(self)  # type: ignore[attr-defined]  # no super() with slots
        own = {"dashboard": self.dashboard, "edit": "1" if self.edit else ""}
        return {**given, **self.chosen, **{name: value for name, value in own.items() if value}}

    @property
    def chosen(self) -> dict[str, str]:
        """What a dashboard keeps besides the list: grouping, comparison and charts."""
        given = {
            "group": self.group,
            "compare": "previous" if self.compare else "",
            "charts": ",".join(self.charts),
        }
        return {name: value for name, value in given.items() if value}

    @property
    def kept(self) -> dict[str, str]:
        """All that a dashboard keeps."""
        return {**self.list_params, **self.chosen}

    @property
    def choosing(self) -> str:
        return self.url(edit="1")

    @property
    def chosen_done(self) -> str:
        return self.url(edit="")

    @property
    def range_label(self) -> str:
        if not self.until and self.since == LONGEST[0]:
            return LONGEST[1]
        return str(ListState.range_label.fget(self))  # type: ignore[attr-defined]

    @property
    def ranges(self) -> list[tuple[str, str, bool]]:
        usual = ListState.ranges.fget(self)  # type: ignore[attr-defined]
        age, label = LONGEST
        chosen = self.since == age and not self.until
        return [*usual, (label, self.url(since=age, until=""), chosen)]

    @property
    def download(self) -> str:
        return self.url(format="csv")

    @property
    def comparison(self) -> str:
        """The address of the comparison of two groups under this range and filter."""
        return self._below("metrics_compare")

    @property
    def breakdown(self) -> str:
        return self._below("metrics_breakdown")

    def traces(self, wanted: str) -> str:
        """Return the address of the traces in this range under a filter."""
        return self._below("traces", q=wanted)

    def _below(self, route: str, **changes: str) -> str:
        return with_query(reverse(route, args=[self.project.slug]), {**self.list_params, **changes})

    @property
    def compared(self) -> str:
        """The address of the same charts with or without the period before."""
        return self.url(compare="" if self.compare else "previous")

    @property
    def groups(self) -> list[tuple[str, str, bool]]:
        """Label, address and whether it is the current one, of each grouping."""
        return [(label, self.url(group=name), name == self.group) for name, label in GROUPS]


def state_of(project: Project, params: QueryDict, now: datetime) -> ChartState:
    """Read the state from a query string; a bad value becomes a note."""
    state = replace(
        ChartState.of(project, params, now),
        compare=params.get("compare") == "previous",
        charts=_charts_of(params),
        dashboard=str(whole_number(params.get("dashboard")) or ""),
        edit=params.get("edit") == "1",
    )
    try:
        return replace(state, group=metrics.group(params.get("group", "")))
    except MetricError as error:
        return replace(state, problem=str(error))


def _charts_of(params: QueryDict) -> tuple[str, ...]:
    """Return the charts that were chosen, with the one moved that `up` or `down` names."""
    keys = params.getlist("chart") or params.get("charts", "").split(",")
    keys = [key for key in dict.fromkeys(keys) if key in metric_specs.KEYS]
    for name, by in (("up", -1), ("down", 1)):
        key = params.get(name, "")
        if key in keys:
            at = keys.index(key)
            keys.insert(min(max(at + by, 0), len(keys) - 1), keys.pop(at))
    return () if tuple(keys) == metric_specs.KEYS else tuple(keys)
