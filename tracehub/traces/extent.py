"""What the hourly counts say of a time range: how many traces, where they lie, what they have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple

from tracehub.core.query import Filter, attributes, words
from tracehub.core.query.terms import Pair, is_counted, required, searched, traces
from tracehub.projects.models import Project
from tracehub.traces import rollup
from tracehub.traces.attributes import store as held
from tracehub.traces.filter_sql import where
from tracehub.traces.models import Trace
from tracehub.traces.texts import store as texts

HITS = 5000  # texts with a word that make it a rare one
UNKNOWN_SHARE = 10  # one trace in so many is taken to have a value that nobody counts
PROBE = 5001  # traces with such a value that are counted at most
NEAR = 24  # newest hours that fill the first page without a filter
FEW = 1000  # traces with a value that are checked for the others without the index


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
        self.traces = traces(wanted)
        self.words = words.required(wanted)
        self.attributes = attributes.required(wanted)

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
        whole = {hour.start: hour.traces for hour in self.hours}
        each = [self._of_each[one] for one in self.required]
        return {at: min([count, *(one[at] for one in each)]) for at, count in whole.items()}

    @cached_property
    def _of_each(self) -> dict[tuple[Pair, ...], dict[datetime, int]]:
        """By what is required and by the hour: how many traces have it, or the guess."""
        whole = {hour.start: hour.traces for hour in self.hours}
        guess = {at: -(-count // UNKNOWN_SHARE) for at, count in whole.items()}
        counted = [one for one in self.required if all(map(is_counted, one))]
        found = {one: guess for one in self.required if one not in counted}
        if counted:
            pairs = {pair for one in counted for pair in one}
            kept = rollup.by_hour(self.within.project.pk, self.within.start, self.within.end, pairs)
            for one in counted:
                found[one] = {at: sum(kept[pair].get(at, 0) for pair in one) for at in whole}
        return found

    @cached_property
    def most(self) -> int:
        """The most that can match in the whole range, as far as the counts can tell.

        Where they cannot, the index is asked; what it finds often may be in every trace.
        """
        if not self.guessed or self.total <= PROBE:
            return sum(self.likely.values())
        rows = Trace.objects.in_project(self.within.project).in_partitions(self.days)
        rows = rows.having(self.terms(self.within.start, self.within.end)).order_by()
        found = rows.values("trace_id")[:PROBE].count()
        if found < PROBE:
            return found
        counted = [one for one in self.required if all(map(is_counted, one))]
        return min([self.total, *(sum(self._of_each[one].values()) for one in counted)])

    @property
    def pointed(self) -> bool:
        """Tell whether something else than terms may say where matches are."""
        return bool(self.words or self.attributes or self.traces or self.inside)

    @cached_property
    def inside(self) -> list[words.Inside]:
        """Texts that are found anywhere, where the server has an index on trigrams."""
        found = words.inside(self.wanted)
        return found if found and texts.has_trigrams() else []

    @cached_property
    def hits(self) -> list[texts.Hit] | None:
        """Where named traces, rare words or attributes are, newest first; None without such."""
        project_id, start, end = self.within.project.pk, self.within.start, self.within.end
        if self.traces:
            return texts.named(project_id, self.traces, start, end)
        found = None
        if self.words:
            found = texts.find(project_id, self.days, self.words, start, end, limit=HITS)
        if found is None and self.attributes:
            found = held.find(project_id, self.days, self.attributes, start, end, limit=HITS)
        for one in self.inside:
            if found is None:
                found = texts.find_inside(project_id, self.days, one, start, end, limit=HITS)
        return found

    def windows(self, first: int, *, falling: bool = True) -> Iterator[Window]:
        """Yield windows in reading order: at most `first` matches in the first, then 4 × as many.

        A window is one hour or more; hours in which nothing can match are left out.
        """
        held: list[rollup.Hour] = []
        room = first
        matches = 0
        for hour, likely in self._walk(falling=falling):
            if not likely:
                continue
            held.append(hour)
            matches += likely
            if matches >= room:
                yield self._window(held, matches)
                held, matches, room = [], 0, room * 4
        if held:
            yield self._window(held, matches)

    def _walk(self, *, falling: bool) -> Iterator[tuple[rollup.Hour, int]]:
        """Yield the hours in reading order with what can match; of all traces the newest first."""
        if self.wanted.parts or not falling:
            hours = self.hours if falling else self.hours[::-1]
            yield from ((hour, self.likely[hour.start]) for hour in hours)
            return
        project_id, start, end = self.within.project.pk, self.within.start, self.within.end
        near = rollup.hours(project_id, start, end, NEAR)
        yield from ((hour, hour.traces) for hour in near)
        if len(near) == NEAR:
            older = rollup.hours(project_id, start, near[-1].start)
            yield from ((hour, hour.traces) for hour in older)

    def _window(self, hours: Sequence[rollup.Hour], likely: int) -> Window:
        starts = [hour.start for hour in hours]
        return Window(
            start=max(self.within.start, min(starts)),
            end=min(self.within.end, max(starts) + rollup.HOUR),
            days=frozenset(day for hour in hours for day in hour.days),
            traces=sum(hour.traces for hour in hours),
            likely=likely,
        )

    def terms(self, start: datetime, end: datetime) -> list[list[int]]:
        """Return terms for what is best looked for in [start, end): a match has one of each list.

        What is left out is checked on the rows that the rest finds: each list costs a search for
        every day in every partition.
        """
        first, last = start.date(), end.date()
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        project_id = self.within.project.pk
        return [searched(project_id, days, one) for one in self._telling(start, end)]

    def _telling(self, start: datetime, end: datetime) -> list[tuple[Pair, ...]]:
        """Return the rarest of what is required, with others only if these are rare as well."""
        if not self.required:
            return []
        inside = [hour for hour in self.hours if start - rollup.HOUR < hour.start < end]
        all_ = sum(hour.traces for hour in inside)
        sums = {
            one: sum(each[hour.start] for hour in inside) for one, each in self._of_each.items()
        }
        rarest, *others = sorted(self.required, key=lambda one: sums[one])
        if sums[rarest] <= FEW:
            return [rarest]
        return [rarest, *(one for one in others if sums[one] * UNKNOWN_SHARE <= all_ * 1.5)]
