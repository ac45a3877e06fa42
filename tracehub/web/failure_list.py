"""The state of the list of failures: what its URL says, and links to neighbouring states."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple, Self

from django.http import QueryDict
from django.urls import reverse

from tracehub.core.query import Filter, FilterError, groups
from tracehub.core.whole import whole_number
from tracehub.failures.models import RECENT_DAYS
from tracehub.failures.triage import querysets
from tracehub.projects.models import Project
from tracehub.web.links import with_query
from tracehub.web.trace_list import state as typed

TABS = (
    ("all", "All"),
    ("triage", "Needs triage"),
    ("new", "New"),
    ("regressed", "Regressed"),
    ("ongoing", "Ongoing"),
    ("resolved", "Resolved"),
    ("ignored", "Ignored"),
)
SORTS = (
    ("impact", "Impact", "Events in the range times severity"),
    ("events", "Events", "In the range"),
    ("last_seen", "Last seen", "Newest event first"),
    ("first_seen", "First seen", "Newest failure first"),
)
BY = (
    ("", "Signal and location", "Every failure for itself"),
    ("signal", "Signal", "What was wrong"),
    ("span", "Location", "The span it happens in"),
    ("prompt", "Prompt version", "Where it was first seen"),
    ("assignee", "Assignee", "Who has it"),
)
RANGES = {"7d": "Last 7 days", "14d": "Last 14 days", "30d": "Last 30 days", "90d": "Last 90 days"}
USUAL = f"{RECENT_DAYS}d"


class Choice(NamedTuple):
    """One line of a menu."""

    label: str
    help: str
    url: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class FailureState:
    """`text` is the filter as typed; `wanted` the parsed one, empty while `error` says why."""

    project: Project
    text: str
    wanted: Filter
    error: FilterError | None
    tab: str
    since: str  # a key of RANGES
    order: str
    by: str
    after: int  # groups before the first one of the page
    group: str

    @classmethod
    def of(cls, project: Project, params: QueryDict) -> Self:
        """Read the state from a query string; `add` joins the filter. Unknown words are usual."""
        text = typed.joined(params.get("q", ""), params.getlist("add")[-1:], groups.KEYS)
        wanted, error = typed.read(text, groups.KEYS)
        if error is None:
            try:
                groups.split(wanted)
            except FilterError as mixed:
                wanted, error = Filter(), mixed
        return cls(
            project=project,
            text=text if error else str(wanted),
            wanted=wanted,
            error=error,
            tab=_one_of(params.get("status", ""), [name for name, _ in TABS], "all"),
            since=_one_of(params.get("from", ""), RANGES, USUAL),
            order=_one_of(params.get("sort", ""), [name for name, *_ in SORTS], "impact"),
            by=_one_of(params.get("by", ""), [name for name, *_ in BY], ""),
            after=whole_number(params.get("after", ""), most=10**6) or 0,
            group=params.get("group", ""),
        )

    @property
    def days(self) -> int:
        return int(self.since.removesuffix("d"))

    @property
    def range_label(self) -> str:
        return RANGES[self.since]

    def first_day(self, now: datetime) -> date:
        """Return the first UTC day of the range, which today ends."""
        return querysets.since_day(now, self.days)

    @property
    def params(self) -> dict[str, str]:
        """The query string of the list, defaults left out; neither its page nor the open group."""
        given = {
            "status": _unless(self.tab, "all"),
            "q": self.text,
            "from": _unless(self.since, USUAL),
            "sort": _unless(self.order, "impact"),
            "by": self.by,
        }
        return {name: value for name, value in given.items() if value}

    @property
    def action(self) -> str:
        return reverse("failures", args=[self.project.slug])

    def url(self, **changes: str) -> str:
        """Return the address of this list with some parameters changed; empty ones are left out."""
        given = {**self.params, **{"from" if k == "since" else k: v for k, v in changes.items()}}
        return with_query(self.action, {name: value for name, value in given.items() if value})

    def filtered(self, wanted: Filter | str) -> str:
        """Return the address of the same list under another filter."""
        return self.url(q=str(wanted))

    @property
    def sorts(self) -> list[Choice]:
        return [
            Choice(label, help_, self.url(sort=_unless(name, "impact")), name == self.order)
            for name, label, help_ in SORTS
        ]

    @property
    def groupings(self) -> list[Choice]:
        return [
            Choice(label, help_, self.url(by=name), name == self.by) for name, label, help_ in BY
        ]

    @property
    def ranges(self) -> list[Choice]:
        return [
            Choice(label, "", self.url(since=_unless(age, USUAL)), age == self.since)
            for age, label in RANGES.items()
        ]

    def tabs(self, counts: dict[str, int]) -> list[tuple[str, str, str, int]]:
        """Address, name, word and number of groups of each tab."""
        return [
            (self.url(status=_unless(name, "all")), name, word, counts[name]) for name, word in TABS
        ]

    @property
    def sort_label(self) -> str:
        return next(label for name, label, _ in SORTS if name == self.order)

    @property
    def by_label(self) -> str:
        return next(label for name, label, _ in BY if name == self.by)


def _unless(value: str, usual: str) -> str:
    return "" if value == usual else value


def _one_of(text: str, known: Container[str], usual: str) -> str:
    return text if text in known else usual
