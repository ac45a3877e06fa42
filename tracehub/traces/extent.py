"""What the hourly counts say of a time range: how many traces, where they lie, what they have."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple

from tracehub.core.query import Filter, attributes, words
from tracehub.core.query.terms import is_counted, required, searched, traces
from tracehub.projects.models import Project
from tracehub.traces import rollup
from tracehub.traces.filter_sql import where
from tracehub.traces.models import Trace
from tracehub.traces.texts import store as texts

HITS = 5000  # texts with a word that make it a rare one
UNKNOWN_SHARE = 10  # one trace in so many is taken to have a value that nobody counts
PROBE = 20_001  # traces with such a value that are counted at most: 20 ms; a rare one takes 3


class Range(NamedTuple):
    """[start, end) of `started_at`, in one project."""

    project: Project
    start: datetime
    end: datetime

    def where(self, wanted: Filter) -> tuple[str, list[Any]]:
        """Return the condition for the traces of this range that match, with `day` for pruning."""
        condition, params = where(wanted)
        return (
            "traces.project_id = %s AND traces.started_at >= %s AND traces.started_at < %s"
            f" AND traces.day >= %s AND ({condition})",
            [
                self.project.pk,
                self.start,
                self.end,
                (self.start - timedelta(days=1)).date(),
                *params,
            ],
        )


class Window(NamedTuple):
    """A part of a range that is read at once. `likely` is the most that can match in it."""

    start: datetime
    end: datetime
    days: frozenset[date]  # the partitions that hold its traces
    traces: int
    likely: int


class Extent:
    """A range with a filter, as the counts see it. Two reads of the counts at most, 5 ms each."""

    def __init__(self, within: Range, wanted: Filter) -> None:
        self.within = within
        self.wanted = wanted
        self.required = required(wanted)
        asked: tuple[tuple[texts.Table, str], ...] = (
            ("trace_texts", words.required(wanted)),
            ("trace_attributes", attributes.required(wanted)),
        )
        self.traces = traces(wanted)
        self.words = tuple((table, query) for table, query in asked if query)

    @cached_property
    def hours(self) -> list[rollup.Hour]:
        """The hours that hold traces, newest first."""
        return rollup.hours(self.within.project.pk, self.within.start, self.within.end)

    @cached_property
    def total(self) -> int:
        """Traces in the hours that the range touches: a little more than in the range."""
        return sum(hour.traces for hour in self.hours)

    @cached_property
    def days(self) -> frozenset[date]:
        return frozenset(day for hour in self.hours for day in hour.days)

    @property
    def guessed(self) -> bool:
        """Whether a value is required that nobody counts: of a user, a session, a name."""
        return not all(all(map(is_counted, one)) for one in self.required)

    @cached_property
    def likely(self) -> dict[datetime, int]:
        """The most that can match, by hour; no more than a guess where one is needed."""
        counted = [one for one in self.required if all(map(is_counted, one))]
        share = UNKNOWN_SHARE if self.guessed else 1
        whole = {hour.start: -(-hour.traces // share) for hour in self.hours}
        if not counted:
            return whole
        pairs = {pair for one in counted for pair in one}
        kept = rollup.by_hour(self.within.project.pk, self.within.start, self.within.end, pairs)
        sums = [{at: sum(kept[pair].get(at, 0) for pair in one) for at in whole} for one in counted]
        return {at: min(count, *(one[at] for one in sums)) for at, count in whole.items()}

    @cached_property
    def most(self) -> int:
        """The most that can match in the whole range, as far as the counts can tell.

        Where they cannot, the index is asked, and the guess stands for what is common.
        """
        if not self.guessed or self.total <= PROBE:
            return sum(self.likely.values())
        rows = Trace.objects.in_project(self.within.project).in_partitions(self.days)
        rows = rows.having(self.terms(self.within.start, self.within.end)).order_by()
        found = rows.values("trace_id")[:PROBE].count()
        return found if found < PROBE else max(found, sum(self.likely.values()))

    @property
    def pointed(self) -> bool:
        """Tell whether something else than terms may say where matches are."""
        return bool(self.words or self.traces)

    @cached_property
    def hits(self) -> list[texts.Hit] | None:
        """Where named traces, rare words or attributes are, newest first; None without such."""
        project_id, start, end = self.within.project.pk, self.within.start, self.within.end
        if self.traces:
            return texts.named(project_id, self.traces, start, end)
        for table, query in self.words:
            found = texts.find(project_id, self.days, query, start, end, limit=HITS, table=table)
            if found is not None:
                return found
        return None

    def windows(self, first: int, *, falling: bool = True) -> list[Window]:
        """Return windows in reading order: at most `first` matches in the first, then 4 × as many.

        A window is one hour or more; hours in which nothing can match are left out.
        """
        found: list[Window] = []
        held: list[rollup.Hour] = []
        room = first
        matches = 0
        hours = self.hours if falling else self.hours[::-1]
        for hour in hours:
            if not self.likely[hour.start]:
                continue
            held.append(hour)
            matches += self.likely[hour.start]
            if matches >= room:
                found.append(self._window(held))
                held, matches, room = [], 0, room * 4
        if held:
            found.append(self._window(held))
        return found

    def _window(self, hours: Sequence[rollup.Hour]) -> Window:
        starts = [hour.start for hour in hours]
        return Window(
            start=max(self.within.start, min(starts)),
            end=min(self.within.end, max(starts) + rollup.HOUR),
            days=frozenset(day for hour in hours for day in hour.days),
            traces=sum(hour.traces for hour in hours),
            likely=sum(self.likely[at] for at in starts),
        )

    def terms(self, start: datetime, end: datetime) -> list[list[int]]:
        """Return, for each thing required, the terms of which a match of [start, end) has one."""
        first, last = start.date(), end.date()
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        return [searched(self.within.project.pk, days, one) for one in self.required]
