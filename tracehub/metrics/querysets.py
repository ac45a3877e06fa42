"""Reads of the charts: sums and distributions by step and group.

Reads come from the rollups and add what is not folded yet, in one statement: one snapshot, so that
a delta is never missed nor counted twice. Filters on anything but the dimensions of the series are
read from the trace rows, through the contribution that each of them keeps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

import orjson
from django.db import connection
from django.db.models import Exists, OuterRef

from tracehub.core import metrics
from tracehub.core.metrics import Metric, Sums
from tracehub.core.query.tree import Filter
from tracehub.core.series_filter import conditions
from tracehub.core.steps import Window, window
from tracehub.core.trace import Json
from tracehub.metrics.store import Narrow, source
from tracehub.projects.models import Project
from tracehub.traces.models import PromptVersion


def narrowed(wanted: Filter, group: str) -> Narrow:
    """Return how to read a filter: from the series where they answer it, else from the traces."""
    found = conditions(wanted, group)
    return wanted if found is None else found


Groups = dict[str, dict[datetime, Sums]]  # group -> start of step -> sums


def read(
    project: Project,
    frame: Window,
    *,
    group: str = "",
    counters: Iterable[str],
    measures: Iterable[int] = (),
    narrow: Narrow = (),
) -> Groups:
    """Return the sums of each group and step; steps without traces are left out."""
    found_in = source(project, frame, group, narrow)
    found: Groups = {}
    names = sorted({"requests", *counters})
    with connection.cursor() as cursor:
        cursor.execute(found_in.counters(names), found_in.params)
        for label, at, *values in cursor.fetchall():
            sums = Sums(dict(zip(names, values, strict=True)))
            if sums["requests"]:
                found.setdefault(label, {})[at] = sums
        wanted = sorted(measures)
        if wanted:
            cursor.execute(found_in.buckets(), {**found_in.params, "measures": wanted})
            for label, at, measure, indexes, counts in cursor.fetchall():
                if at in found.get(label, {}):
                    pairs = zip(orjson.loads(indexes), orjson.loads(counts), strict=True)
                    found[label][at].buckets[measure] = dict(pairs)
    return found


@dataclass
class Line:
    """One line of a metric: its group ("" for none), its value in each step, and in the range.

    Of many groups only some are drawn: values are reckoned when they are asked for.
    """

    metric: Metric
    group: str
    steps: list[Sums]
    sums: Sums  # of the range

    @cached_property
    def values(self) -> list[metrics.Number | None]:
        return [self.metric.value(sums) for sums in self.steps]

    @property
    def requests(self) -> list[int]:
        return [int(sums["requests"]) for sums in self.steps]

    @property
    def total(self) -> metrics.Number | None:
        return self.metric.value(self.sums)


@dataclass(slots=True)
class Series:
    """A metric over time, as the API answers it."""

    metric: Metric
    group: str
    window: Window
    lines: list[Line]

    def as_json(self) -> dict[str, Json]:
        """Return the answer of `GET /api/v1/metrics`; dollars are decimal strings."""
        marks = [mark.isoformat().replace("+00:00", "Z") for mark in self.window.marks]
        return {
            "metric": self.metric.name,
            "unit": self.metric.unit,
            "group": self.group or None,
            "from": marks[0],
            "to": self.window.end.isoformat().replace("+00:00", "Z"),
            "step_s": int(self.window.step.total_seconds()),
            "items": [
                {
                    "group": (line.group or None) if self.group else None,
                    "total": _plain(line.total, self.metric.unit),
                    "points": [
                        {"at": at, "value": _plain(value, self.metric.unit), "requests": count}
                        for at, value, count in zip(marks, line.values, line.requests, strict=True)
                    ],
                }
                for line in self.lines
            ],
            "next": None,
        }


def _plain(value: metrics.Number | None, unit: str) -> Json:
    if value is None:
        return None
    if unit == "usd":
        return f"{value:.10f}"
    return int(value) if unit == "count" else float(value)


def series(
    project: Project,
    metric: str,
    group: str,
    start: datetime,
    end: datetime,
    step: timedelta | None = None,
    *,
    now: datetime | None = None,
    narrow: Narrow = (),
) -> Series:
    """Return one metric over [start, end), by group, the busiest group first.

    Raises MetricError (its `field` is metric or group) and RangeError (from or step).
    """
    wanted, group = metrics.find(metric), metrics.group(group)
    metrics.fits(wanted, group)
    frame = window(start, end, now=now or datetime.now(UTC), step=step)
    measures = [wanted.measure] if wanted.measure else []
    found = read(
        project, frame, group=group, counters=wanted.counters, measures=measures, narrow=narrow
    )
    lines = [line(wanted, label, frame, steps) for label, steps in by_requests(found)]
    return Series(wanted, group, frame, lines)


def by_requests(found: Groups) -> list[tuple[str, dict[datetime, Sums]]]:
    """Return the groups, the busiest first."""
    busy = {
        label: sum(sums["requests"] for sums in steps.values()) for label, steps in found.items()
    }
    return sorted(found.items(), key=lambda item: (-busy[item[0]], item[0]))


def added(sums: Iterable[Sums]) -> Sums:
    """Return the sums of several steps as one."""
    whole = Sums()
    for each in sums:
        whole.add(each)
    return whole


def line(
    metric: Metric,
    label: str,
    frame: Window,
    steps: Mapping[datetime, Sums],
    whole: Sums | None = None,
) -> Line:
    """Return the values of one group in each step of the window, and over all of it.

    `whole` are the sums of the range, for who has added them up already.
    """
    empty = Sums()
    whole = added(steps.values()) if whole is None else whole
    return Line(metric, label, [steps.get(mark, empty) for mark in frame.marks], whole)


@dataclass(frozen=True, slots=True)
class Marker:
    """A prompt version that was first seen at a time."""

    at: datetime
    name: str
    version: str


def version_markers(project: Project, frame: Window, *, most: int = 6) -> list[Marker]:
    """Return the changes of prompt versions inside the window, the oldest first; the latest few.

    The first version of a prompt is no change.
    """
    before = PromptVersion.objects.filter(
        project=project, name=OuterRef("name"), first_seen_at__lt=OuterRef("first_seen_at")
    )
    found = (
        PromptVersion.objects.filter(
            Exists(before),
            project=project,
            first_seen_at__gte=frame.start + frame.step,
            first_seen_at__lt=frame.end,
        )
        .order_by("-first_seen_at")
        .values_list("first_seen_at", "name", "version")[:most]
    )
    return [Marker(at, name, version) for at, name, version in reversed(found) if at is not None]


def newest_versions(project: Project, *, most: int = 200) -> list[str]:
    """Return prompt versions as `name@version`, the newest first. By an index scan of a project."""
    found = PromptVersion.objects.filter(project=project).order_by("-first_seen_at", "-id")
    return [f"{name}@{version}" for name, version in found.values_list("name", "version")[:most]]
