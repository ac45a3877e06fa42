"""The histogram above the list, measured for drawing, with what changed on the way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.utils.timezone import localtime

from tracehub.core.steps import Window
from tracehub.evals.models import RolloutStep
from tracehub.metrics.querysets import version_markers
from tracehub.traces.extent import Range
from tracehub.traces.facets import Histogram

HEIGHT = 48
MARKS = 6  # the newest ones
LABELS = 7


class Change(NamedTuple):
    """A new prompt version, or the next stage of a rollout."""

    at: datetime
    name: str


class Bar(NamedTuple):
    """Two stacked rectangles in a box of HEIGHT; `title` says the numbers."""

    x: int
    all_y: float
    all_height: float
    failing_y: float
    failing_height: float
    title: str


class Drawing(NamedTuple):
    """`start` and `step` are in seconds since 1970: what a brushed part means."""

    bars: list[Bar]
    width: int
    labels: list[str]
    summary: str
    marks: list[tuple[int, str]]  # x, and what changed there
    start: int
    step: int


def changes(within: Range, histogram: Histogram) -> list[Change]:
    """Return what changed in a range, oldest first. Two small reads."""
    frame = Window(within.start, within.end, histogram.step, 0)
    found = [
        Change(mark.at, f"{mark.name} {mark.version}")
        for mark in version_markers(within.project, frame, most=MARKS)
    ]
    steps = RolloutStep.objects.filter(
        project=within.project, at__gte=within.start, at__lt=within.end
    )
    for step in steps.select_related("rollout").order_by("-at")[:MARKS]:
        name = step.rollout.candidate.replace("@", " ")
        found.append(Change(step.at, f"{name} {step.after.replace('_', ' ')}"))
    return sorted(found)[-MARKS:]


def drawing(histogram: Histogram, changed: Sequence[Change] = ()) -> Drawing:
    """Return the histogram as rectangles 9 wide and 1 apart, and five to seven labels."""
    most = max([b.traces for b in histogram.bins] + [1])
    scale = (HEIGHT - 4) / most
    bars = []
    for index, item in enumerate(histogram.bins):
        whole, failing = item.traces * scale, item.failing * scale
        if item.failing:
            failing = max(failing, 1.0)
        time = localtime(item.start).strftime("%-d %b %H:%M")
        bars.append(
            Bar(
                index * 10,
                round(HEIGHT - whole, 1),
                round(whole - failing, 1) if whole > failing else 0,
                round(HEIGHT - failing, 1),
                round(failing, 1),
                f"{time}: {item.failing} failing, {item.traces - item.failing} passing",
            )
        )
    placed = [(_bin(histogram, one.at), one) for one in changed]
    return Drawing(
        bars=bars,
        width=max(1, len(bars) * 10 - 1),
        labels=_labels(histogram, placed),
        summary=_summary(histogram, changed),
        marks=[
            (10 * index, f"{localtime(one.at):%-d %b %H:%M}: {one.name}") for index, one in placed
        ],
        start=int(histogram.bins[0].start.timestamp()) if histogram.bins else 0,
        step=int(histogram.step.total_seconds()),
    )


def _bin(histogram: Histogram, at: datetime) -> int:
    index = (at - histogram.bins[0].start) // histogram.step
    return min(max(index, 0), len(histogram.bins) - 1)


def _labels(histogram: Histogram, placed: Sequence[tuple[int, Change]]) -> list[str]:
    """Return times along the axis; one with a change nearby names the change in its place."""
    bins = histogram.bins
    if len(bins) < LABELS:
        return [localtime(b.start).strftime("%H:%M") for b in bins]
    form = "%H:%M" if histogram.step.total_seconds() < 7200 else "%-d %b"
    width = (len(bins) - 1) / (LABELS - 1)
    labels = [localtime(bins[round(i * width)].start).strftime(form) for i in range(LABELS)]
    labels[0] = localtime(bins[0].start).strftime("%a %H:%M")
    for index, change in placed:
        near = min(max(round(index / width), 1), LABELS - 2)
        labels[near] = f"{localtime(change.at).strftime(form)} · {change.name}"
    return labels


def _summary(histogram: Histogram, changed: Sequence[Change]) -> str:
    told = (
        f"{histogram.traces} traces over {len(histogram.bins)} bars, "
        f"{histogram.failing} of them failing."
    )
    marks = "; ".join(f"{one.name} at {localtime(one.at):%-d %b %H:%M}" for one in changed)
    return f"{told} Changed: {marks}." if marks else told
