"""The state of a list of traces: everything its URL says, and links to neighbouring states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.http import QueryDict
from django.urls import reverse
from django.utils.timezone import localtime

from tracehub.core.query import Filter, FilterError, parse
from tracehub.core.query.keys import NO_KEYS, Key
from tracehub.core.times import TimeError, parse_page_range
from tracehub.core.whole import whole_number
from tracehub.projects.models import Project
from tracehub.traces.facets import Range
from tracehub.traces.querysets import DEFAULT_SORT, PageError, Sort
from tracehub.web.links import with_query

DEFAULT_RANGE = timedelta(hours=24)
RANGES = (
    ("1h", "Last hour"),
    ("24h", "Last 24 hours"),
    ("7d", "Last 7 days"),
    ("14d", "Last 14 days"),
    ("30d", "Last 30 days"),
)


@dataclass(frozen=True, slots=True)
class ListState:
    """`text` is the filter as typed; `wanted` the parsed one, empty while `error` says why.

    `since` and `until` are as in the URL, `start` and `end` the moments they mean.
    """

    project: Project
    text: str
    wanted: Filter
    error: FilterError | None
    since: str
    until: str
    start: datetime
    end: datetime
    problem: str  # what is wrong with range, order or cursor
    sort: str
    cursor: str
    view: str = ""  # the id of the saved view that it began as
    route: ClassVar[str] = "traces"  # the page of this state; charts have their own

    @classmethod
    def of(cls, project: Project, params: QueryDict, now: datetime) -> Self:
        """Read the state from a query string; `add` joins the filter. Bad values become notes."""
        text = joined(params.get("q", ""), params.getlist("add")[-1:])
        wanted, error = read(text)
        since, until, sort = (params.get(name, "").strip() for name in ("from", "to", "sort"))
        problem = ""
        try:
            start, end = parse_page_range(since, until, now=now, default=DEFAULT_RANGE)
        except TimeError as bad:
            problem, since, until = str(bad), "", ""
            start, end = now - DEFAULT_RANGE, now
        try:
            Sort.of(sort or DEFAULT_SORT)
        except PageError as bad:
            problem, sort = str(bad), ""
        return cls(
            project=project,
            text=text if error else str(wanted),
            wanted=wanted,
            error=error,
            since="" if since == "24h" and not until else since,
            until=until,
            start=start,
            end=end,
            problem=problem,
            sort=sort or DEFAULT_SORT,
            cursor=params.get("cursor", ""),
            view=_number(params.get("view", "")),
        )

    @property
    def within(self) -> Range:
        return Range(self.project, self.start, self.end)

    @property
    def list_params(self) -> dict[str, str]:
        """What a saved view keeps: filter, range and order, defaults left out."""
        given = {"q": self.text, "from": self.since, "to": self.until}
        if self.sort != DEFAULT_SORT:
            given["sort"] = self.sort
        return {name: value for name, value in given.items() if value}

    @property
    def params(self) -> dict[str, str]:
        """The query string of this state, defaults left out."""
        return self.list_params | ({"view": self.view} if self.view else {})

    @property
    def action(self) -> str:
        """The path that the forms of this page send to."""
        return reverse(self.route, args=[self.project.slug])

    def url(self, **changes: str) -> str:
        """Return the address of this list with some parameters changed; empty ones are left out."""
        return with_query(self.action, self._changed(changes))

    def filtered(self, wanted: Filter | str) -> str:
        """Return the address of the same list under another filter."""
        return self.url(q=str(wanted))

    def _changed(self, changes: Mapping[str, str]) -> dict[str, str]:
        renamed = {{"since": "from", "until": "to"}.get(k, k): v for k, v in changes.items()}
        return {name: value for name, value in {**self.params, **renamed}.items() if value}

    @property
    def range_label(self) -> str:
        if not self.until:
            for age, label in RANGES:
                if (self.since or "24h") == age:
                    return label
        start, end = localtime(self.start), localtime(self.end)
        form = "%H:%M" if start.date() == end.date() else "%-d %b %H:%M"
        return f"{start.strftime('%-d %b %H:%M')} to {end.strftime(form)}"

    @property
    def ranges(self) -> list[tuple[str, str, bool]]:
        """Label, address and whether it is the current one, of each range of the menu."""
        chosen = (self.since or "24h") if not self.until else ""
        return [(label, self.url(since=age, until=""), age == chosen) for age, label in RANGES]

    @property
    def earlier(self) -> str:
        return self._moved(self.start - (self.end - self.start), self.start)

    @property
    def later(self) -> str:
        """The window after this one; empty when this one ends now."""
        if not self.until:
            return ""
        return self._moved(self.end, self.end + (self.end - self.start))

    def _moved(self, start: datetime, end: datetime) -> str:
        return self.url(since=_minute(start), until=_minute(end))

    def between(self, start: datetime, end: datetime) -> str:
        """Return the address of the same list in another window."""
        return self._moved(start, end)

    def sorts(self) -> dict[str, tuple[str, str]]:
        """For each column that sorts: the address its head leads to, and its aria-sort if any."""
        found = {}
        for column in ("started_at", "latency", "tokens", "cost"):
            falling = self.sort == f"-{column}"
            rising = self.sort == column
            state = "descending" if falling else "ascending" if rising else ""
            found[column] = (self.url(sort=column if falling else f"-{column}"), state)
        return found

    def at(self, cursor: str) -> str:
        return self.url(cursor=cursor)

    def without_filter(self) -> ListState:
        return replace(self, text="", wanted=Filter(), error=None)


def joined(text: str, added: list[str], more: Mapping[str, Key] = NO_KEYS) -> str:
    """Return the filter of `text` and what was added to it, as text."""
    extra = added[0].strip() if added else ""
    if not extra or not text.strip():
        return extra or text.strip()
    (first, bad), (second, worse) = read(text, more), read(extra, more)
    return f"{text} {extra}" if bad or worse else str(first.plus(second))


def read(text: str, more: Mapping[str, Key] = NO_KEYS) -> tuple[Filter, FilterError | None]:
    """Return the filter, or an empty one and what is wrong with the text."""
    try:
        return parse(text, more), None
    except FilterError as error:
        return Filter(), error


def _minute(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%MZ")


def _number(text: str) -> str:
    return text if whole_number(text) is not None else ""
