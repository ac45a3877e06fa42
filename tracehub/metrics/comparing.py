"""Canary against control: two groups of requests over the same steps, metric by metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from tracehub.core import comparison, metrics, rollup
from tracehub.core.comparison import Interval, IntervalAt, Reading, Spread
from tracehub.core.metrics import METRICS, Metric, Number, Sums
from tracehub.core.query.tree import Absent, Filter, Pattern
from tracehub.core.series_filter import Condition
from tracehub.core.steps import Window
from tracehub.metrics import querysets
from tracehub.metrics.querysets import added
from tracehub.metrics.store import Narrow
from tracehub.projects.models import Project

AXES = ("cohort", "prompt", "model", "release", "env", "name")  # in the order of the first guess
ROWS = (
    "failing_rate",
    "cost_per_success",
    "latency_p95",
    "ttft_p95",
    "retry_rate",
    "fallback_rate",
    "negative_feedback_rate",
    "resolved_rate",
)
_COUNTERS = frozenset(name for row in ROWS for name in METRICS[row].counters)
_MEASURES = frozenset({rollup.LATENCY, rollup.TTFT, rollup.COST})
_NS_TO_MS = 1e-6
LEAST_SHARED = 0.5  # of a group's requests in steps that both served; below, all steps count
APART_IN_TIME = 0.25
_CONTROLS = ("control", "baseline", "stable", "main")

Mix = Literal["name", "env"]
MIXES: tuple[Mix, ...] = ("name", "env")


@dataclass(frozen=True, slots=True)
class Row:
    """One metric of both groups. `difference` and `interval` are relative where `relative` is.

    `interval` is the one of 95 % for this row alone; `reading` is corrected for the number of rows
    and None where there are too few requests. `needed`: more requests that would show a difference
    of the size asked for.
    """

    metric: Metric
    control: Number | None
    other: Number | None
    relative: bool
    difference: float
    interval: Interval | None
    reading: Reading | None
    needed: int | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both groups in the steps that count, and what makes them hard to compare."""

    control: str
    other: str
    requests: tuple[int, int]
    served: timedelta
    rows: list[Row]
    together: bool  # both served the same steps
    uneven: list[Mix | Literal["time"]]  # inputs whose mix differs
    checked: bool  # whether the mixes are known


def labels(project: Project, frame: Window, axis: str, narrow: Narrow) -> list[tuple[str, int]]:
    """Return the groups of an axis and their requests, the busiest first."""
    found = querysets.read(project, frame, group=axis, counters=(), narrow=narrow)
    return [
        (label, int(sum(sums["requests"] for sums in steps.values())))
        for label, steps in querysets.by_requests(found)
    ]


def guess(found: Sequence[tuple[str, int]], newest: Sequence[str] = ()) -> tuple[str, str] | None:
    """Return which group is the control and which the other, or None with less than two.

    Names decide where they can; else `newest` does (versions, the newest first); else the busier
    one is the control.

    >>> guess([("canary", 90), ("control", 10)]), guess([("b", 9), ("a", 5)])
    (('control', 'canary'), ('b', 'a'))
    >>> guess([("refund@v11", 9), ("refund@v12", 5)], ["refund@v12", "refund@v11"])
    ('refund@v11', 'refund@v12')
    """
    named = [label for label, _ in found if label]
    if len(named) < 2:
        return None
    for control in (label for label in named if label.lower() in _CONTROLS):
        canary = next((label for label in named if label.lower() == "canary"), "")
        return control, canary or next(label for label in named if label != control)
    late = [label for label in newest if label in named][:1]
    if late:
        prompt = late[0].rpartition("@")[0]
        older = [
            n for n in newest if n in named and n.rpartition("@")[0] == prompt and n != late[0]
        ]
        if older:
            return older[0], late[0]
    return named[0], named[1]


def compare(
    project: Project,
    frame: Window,
    axis: str,
    pair: tuple[str, str],
    *,
    narrow: Narrow = (),
    wanted: float = 0.2,
) -> Comparison:
    """Compare two groups of an axis; `wanted` is the relative difference one wants to see.

    Only the steps that both served count, unless they hardly meet. Intervals take requests as
    independent.
    """
    steps = [_steps(project, frame, axis, label, narrow) for label in pair]
    marks, together = _common(*steps)
    control, other = (added(each[at] for at in marks if at in each) for each in steps)
    rows = _rows(control, other, wanted)
    uneven: list[Mix | Literal["time"]] = []
    checked = not isinstance(narrow, Filter)
    if not isinstance(narrow, Filter):
        uneven += [
            mix
            for mix in MIXES
            if mix != axis and _differs(project, frame, axis, pair, mix, narrow)
        ]
    counts = [{str(at): float(s["requests"]) for at, s in each.items()} for each in steps]
    if together and comparison.apart(*counts) > APART_IN_TIME:
        uneven.append("time")
    return Comparison(
        *pair,
        requests=(int(control["requests"]), int(other["requests"])),
        served=frame.step * len(marks),
        rows=rows,
        together=together,
        uneven=uneven,
        checked=checked,
    )


def _condition(axis: str, label: str) -> Condition:
    column = axis if axis in ("model", "prompt") else metrics.GROUPS[axis][1]
    return Condition(column, (Pattern((label,)) if label else Absent(),))


def _steps(
    project: Project, frame: Window, axis: str, label: str, narrow: Narrow
) -> dict[datetime, Sums]:
    grouped = isinstance(narrow, Filter)
    only = narrow if isinstance(narrow, Filter) else (*narrow, _condition(axis, label))
    found = querysets.read(
        project,
        frame,
        group=axis if grouped else "",
        counters=_COUNTERS,
        measures=_MEASURES,
        narrow=only,
    )
    return found.get(label if grouped else "", {})


def _common(
    control: Mapping[datetime, Sums], other: Mapping[datetime, Sums]
) -> tuple[set[datetime], bool]:
    """Return the steps to count, and whether they are those that both groups served."""
    both = control.keys() & other.keys()
    total = sum(sums["requests"] for sums in other.values())
    shared = sum(other[at]["requests"] for at in both)
    if both and shared >= LEAST_SHARED * total:  # type: ignore[operator]  # both are whole
        return both, True
    return control.keys() | other.keys(), False


def _differs(
    project: Project,
    frame: Window,
    axis: str,
    pair: tuple[str, str],
    mix: Mix,
    narrow: Sequence[Condition],
) -> bool:
    counts = [
        dict(labels(project, frame, mix, (*narrow, _condition(axis, label)))) for label in pair
    ]
    return comparison.mixes_differ(*counts)


@dataclass(frozen=True, slots=True)
class _Found:
    """How to ask for the interval of one metric, and in what its difference is counted."""

    interval_at: IntervalAt
    relative: bool = False
    scale: float = 1.0


def _rows(control: Sums, other: Sums, wanted: float) -> list[Row]:
    known = []
    for name in ROWS:
        metric = METRICS[name]
        values = metric.value(control), metric.value(other)
        if values[0] is not None and values[1] is not None:
            known.append(
                (metric, float(values[0]), float(values[1]), _found(metric, control, other))
            )
    intervals = [each.interval_at(comparison.LEVEL) for *_, each in known]
    ps = [
        comparison.p_value(each.interval_at)
        for (*_, each), interval in zip(known, intervals, strict=True)
        if interval is not None
    ]
    corrected = iter(comparison.holm(ps))
    requests = int(control["requests"]) + int(other["requests"])
    rows = []
    for (metric, old, new, each), raw in zip(known, intervals, strict=True):
        gap = (new / old - 1 if old else 0.0) if each.relative else new - old
        said, needed, interval = None, None, None
        if raw is not None:
            interval = raw[0] * each.scale, raw[1] * each.scale
            worse = metric.name not in metrics.HIGHER_IS_BETTER
            said = comparison.reading(next(corrected), gap, higher_is_worse=worse)
            size = wanted if each.relative else wanted * old
            needed = comparison.requests_needed(interval, size, requests) if size else None
        rows.append(Row(metric, old, new, each.relative, gap, interval, said, needed))
    return rows


def _found(metric: Metric, control: Sums, other: Sums) -> _Found:
    """Return the method that suits a metric: a share, a quantile, or a ratio of two sums."""
    if metric.measure:
        one, two = (sums.buckets.get(metric.measure, {}) for sums in (control, other))
        q = metric.quantile
        return _Found(
            lambda level: comparison.quantiles_differ(one, two, q, level), scale=_NS_TO_MS
        )
    if metric.unit == "share":
        first, second = metric.counted(control), metric.counted(other)
        return _Found(lambda level: comparison.rates_differ(first, second, level))
    old, new = _spread(control), _spread(other)
    return _Found(lambda level: comparison.ratios_differ(old, new, level), relative=True)


def _spread(sums: Sums) -> Spread:
    unit = float(rollup.COST_UNIT)
    buckets = sums.buckets.get(rollup.COST, {}).items()
    squares = sum(n * (rollup.bucket_value(index) * unit) ** 2 for index, n in buckets if n > 0)
    return Spread(int(sums["requests"]), float(sums["cost"]), squares, int(sums["successes"]))
