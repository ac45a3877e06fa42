"""What each panel of the Metrics page says and draws."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tracehub.core import metrics
from tracehub.core.metrics import METRICS, Metric, Number, Sums
from tracehub.core.steps import Window
from tracehub.core.trace import OUTCOMES, Json
from tracehub.metrics import charts
from tracehub.metrics.charts import Curve
from tracehub.metrics.querysets import Groups, Line, Marker, added, by_requests, line
from tracehub.web import copy


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel as the template writes it: a headline, a figure, and the same as a table."""

    key: str
    title: str
    stat: str
    stat_label: str
    note: str
    tone: str
    about: str  # for screen readers, in place of the picture
    figure: Json
    head: list[str]
    rows: list[list[str]]
    exact: list[list[str | Number | None]]  # the rows with numbers as they are, for files
    units: list[str]  # of the columns after the first


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A metric of a panel: the name of its line and its colour."""

    metric: str
    label: str
    colour: str
    ink: str = "var(--ink)"


@dataclass(frozen=True, slots=True)
class _Spec:
    """A panel: its headline metric, what follows the number, and its lines when not grouped."""

    key: str
    title: str
    headline: str
    label: str
    lines: tuple[_Drawn, ...]
    columns: tuple[str, ...] = field(default=())  # of the table, besides the lines


_1, _2, _3, _4 = charts.COLOURS
REVIEWS_A_POINT = 15
ENOUGH = 30  # requests on each side of a version, before a change with it is worth a word
_QUIET = "var(--ink-3)"
_SPECS = (
    _Spec(
        "requests",
        "Requests and failing rate",
        "failing_rate",
        "failing",
        (
            _Drawn("failing_rate", "failing", "var(--fail)", "var(--fail-ink)"),
            _Drawn("requests", "requests", "var(--neutral-2)", _QUIET),
        ),
    ),
    _Spec(
        "cost",
        "Cost",
        "cost_per_success",
        "per successful task",
        (
            _Drawn("cost_per_success", "per success", _1),
            _Drawn("cost_per_request", "per request", _4, _QUIET),
        ),
        ("cost",),
    ),
    _Spec(
        "latency",
        "Latency",
        "latency_p95",
        "p95",
        (
            _Drawn("latency_p50", "p50", _1),
            _Drawn("latency_p95", "p95", _2, _2),
            _Drawn("latency_p99", "p99", _4, _QUIET),
            _Drawn("ttft_p95", "first token", _3, _3),
        ),
        ("ttft_p50", "ttft_p99"),
    ),
    _Spec(
        "reliability",
        "Timeouts, retries, fallbacks",
        "retry_rate",
        "of requests retried",
        (
            _Drawn("retry_rate", "retries", _1),
            _Drawn("timeout_rate", "timeouts", _2, _2),
            _Drawn("fallback_rate", "fallbacks", _3, _3),
        ),
    ),
    _Spec(
        "tokens",
        "Tokens per request",
        "tokens_per_request",
        "in and out",
        (
            _Drawn("input_tokens_per_request", "input", _1),
            _Drawn("output_tokens_per_request", "output", _4, _QUIET),
        ),
    ),
    _Spec(
        "reviews",
        "Failed by reviewers",
        "review_fail_rate",
        "of reviewed",
        (_Drawn("review_fail_rate", "failed", _1),),
        ("reviewed",),
    ),
    _Spec(
        "outcomes",
        "Outcomes",
        "resolved_rate",
        "resolved without a person",
        (
            _Drawn("escalated_rate", "escalated", _1),
            _Drawn("refused_rate", "refused", _2, _2),
            _Drawn("insufficient_rate", "insufficient", _3, _3),
        ),
        tuple(f"outcome_{name}" for name in OUTCOMES),
    ),
    _Spec(
        "feedback",
        "Feedback",
        "negative_feedback_rate",
        "of scores are negative",
        (_Drawn("negative_feedback_rate", "negative", _1),),
        ("feedback",),
    ),
)
_SHOWN = {name for spec in _SPECS for name in (*(d.metric for d in spec.lines), *spec.columns)}
_SHOWN |= {spec.headline for spec in _SPECS}
COUNTERS = frozenset(name for each in _SHOWN for name in METRICS[each].counters)
MEASURES = frozenset(METRICS[each].measure for each in _SHOWN if METRICS[each].measure)


def say(metric: Metric, value: Number | None) -> str:
    """Write a value as the copy rules want it; "none" when it is not known."""
    if value is None:
        return "none"
    if metric.unit == "share":
        return copy.rate(float(value))
    if metric.unit == "usd":
        return copy.money(value, whole=metric.name == "cost")
    if metric.unit == "ms":
        return copy.duration(float(value))
    return copy.total(float(value)) if metric.unit == "count" else copy.count(float(value))


def tick(metric: Metric, value: Number | None) -> str:
    """Write a round value at the axis, in little room.

    >>> [tick(METRICS[n], v) for n, v in (("failing_rate", 0.05), ("cost", 0.025), ("cost", 0))]
    ['5%', '$0.025', '$0.00']
    >>> [tick(METRICS["latency_p50"], v) for v in (0, 500, 2500)]
    ['0 s', '500 ms', '2.5 s']
    """
    number = float(value or 0)
    if metric.unit == "share":
        return f"{number * 100:g}%"
    if metric.unit == "usd":
        text = f"{number:.6f}".rstrip("0")
        return f"${text}" if len(text.partition(".")[2]) > 2 else f"${number:.2f}"
    if metric.unit == "ms":
        return f"{number:g} ms" if 0 < number < 1000 else f"{number / 1000:g} s"
    return f"{number / 1000:g}k" if number >= 1000 else f"{number:g}"


def build(frame: Window, found: Groups, group: str, markers: Sequence[Marker]) -> list[Panel]:
    """Return the panels, for one line each ("" in `group`) or one line a group."""
    if group:
        totals = {label: added(steps.values()) for label, steps in found.items()}
        return [_grouped(spec, frame, found, totals, markers) for spec in _SPECS]
    sides = _sides(found.get("", {}), markers)
    return [_whole(spec, frame, found.get("", {}), sides, markers) for spec in _SPECS]


@dataclass(frozen=True, slots=True)
class _Sides:
    """The sums before and after the last version marker; all are after when there is none."""

    before: Sums
    after: Sums
    whole: Sums


def _sides(steps: Mapping[datetime, Sums], markers: Sequence[Marker]) -> _Sides:
    since = markers[-1].at if markers else datetime.min.replace(tzinfo=UTC)
    before = added(sums for at, sums in steps.items() if at < since)
    after = added(sums for at, sums in steps.items() if at >= since)
    return _Sides(before, after, added((before, after)))


def _whole(
    spec: _Spec,
    frame: Window,
    steps: Mapping[datetime, Sums],
    sides: _Sides,
    markers: Sequence[Marker],
) -> Panel:
    lines = {name: line(METRICS[name], "", frame, steps, sides.whole) for name in _names(spec)}
    headline = METRICS[spec.headline]
    curves = [_curve(drawn, lines[drawn.metric], frame) for drawn in spec.lines]
    parts = {"say": lambda v: say(headline, v), "tick": lambda v: tick(headline, v)}
    if spec.key == "requests":
        figure = charts.requests_figure(frame, curves[0], curves[1], markers, **parts)
    else:
        figure = charts.figure(frame, curves, markers, **parts)
    note, tone = _change(headline, sides, markers)
    stat = say(headline, lines[spec.headline].total)
    label = _stat_label(spec, frame, lines[spec.headline])
    shown = [*(d.metric for d in spec.lines), *spec.columns]
    return Panel(
        spec.key, spec.title, stat, label, note, tone,
        about=_about(spec.title, f"{stat} {label}", note, curves),
        figure=figure,
        head=["Time (UTC)", *(METRICS[name].title for name in shown)],
        rows=[
            [_clock(mark, frame), *cells]
            for mark, *cells in zip(
                frame.marks,
                *([say(METRICS[n], v) for v in lines[n].values] for n in shown),
                strict=True,
            )
        ],
        exact=[
            [mark.isoformat(), *cells]
            for mark, *cells in zip(frame.marks, *(lines[n].values for n in shown), strict=True)
        ],
        units=[METRICS[n].unit for n in shown],
    )  # fmt: skip


def _names(spec: _Spec) -> list[str]:
    return [*dict.fromkeys([spec.headline, *(d.metric for d in spec.lines), *spec.columns])]


def _grouped(
    spec: _Spec,
    frame: Window,
    found: Groups,
    totals: Mapping[str, Sums],
    markers: Sequence[Marker],
) -> Panel:
    metric = METRICS[spec.headline]
    lines = [
        line(metric, label, frame, steps, totals[label]) for label, steps in by_requests(found)
    ]
    inks = ("var(--ink)", _2, _3, _QUIET)
    curves = [
        Curve(name_of(each.group), each.values, say(metric, _last(each.values)), colour, ink)
        for each, colour, ink in zip(lines, charts.COLOURS, inks, strict=False)
    ]
    whole = added(totals.values())
    title = spec.title if spec.key == "tokens" else metric.title
    more = len(lines) - len(curves)
    note = f"{len(curves)} of {len(lines)} drawn" if more > 0 else ""
    stat = say(metric, metric.value(whole))
    return Panel(
        spec.key, title, stat, "in all groups", note, "neutral",
        about=_about(title, f"{stat} in all groups", note, curves),
        figure=charts.figure(
            frame, curves, markers, say=lambda v: say(metric, v), tick=lambda v: tick(metric, v)
        ),
        head=["Group", "Requests", title],
        rows=[
            [name_of(each.group), copy.total(sum(each.requests)), say(metric, each.total)]
            for each in lines
        ],
        exact=[[each.group, sum(each.requests), each.total] for each in lines],
        units=["count", metric.unit],
    )  # fmt: skip


def name_of(group: str) -> str:
    return group or "none"


def _curve(drawn: _Drawn, found: Line, frame: Window) -> Curve:
    metric = METRICS[drawn.metric]
    last = say(metric, _last(found.values))
    if drawn.metric == "requests":
        last = f"{last} / {_length(frame.step)}"
    if drawn.metric == "review_fail_rate":
        return _reviewed_curve(drawn, found, frame)
    return Curve(drawn.label, found.values, last, drawn.colour, drawn.ink)


def _reviewed_curve(drawn: _Drawn, found: Line, frame: Window) -> Curve:
    """People review few traces: several steps make one point, with its 95 % interval."""
    metric, many = METRICS[drawn.metric], _steps_a_point(found)
    sums = [added(found.steps[n : n + many]) for n in range(0, len(found.steps), many)]
    values, bands = [metric.value(each) for each in sums], [metric.interval(each) for each in sums]
    known = [bounds for bounds in bands if bounds]
    last = say(metric, _last(values))
    if known:
        last = f"{last} ± {(known[-1][1] - known[-1][0]) * 50:.1f}"
    middle = frame.step * (many - 1) / 2
    times = [at + middle for at in frame.marks[::many]]
    return Curve(drawn.label, values, last, drawn.colour, drawn.ink, bands, times)


def _steps_a_point(found: Line) -> int:
    reviewed = float(METRICS["reviewed"].value(found.sums) or 0)
    wanted = len(found.steps) * REVIEWS_A_POINT / max(1.0, reviewed)
    return min(max(1, math.ceil(wanted)), max(1, len(found.steps) // 4))


def _last(values: Sequence[Number | None]) -> Number | None:
    return next((value for value in reversed(values) if value is not None), None)


def _length(step: timedelta) -> str:
    """Write a step in its unit.

    >>> _length(timedelta(hours=6)), _length(timedelta(days=2)), _length(timedelta(minutes=5))
    ('6 h', '2 d', '5 min')
    """
    seconds = step.total_seconds()
    for unit, name in ((86400, "d"), (3600, "h")):
        if seconds % unit == 0:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 60:.0f} min"


def _stat_label(spec: _Spec, frame: Window, headline: Line) -> str:
    sums = headline.sums
    if spec.key == "reviews":
        reviewed = float(METRICS["reviewed"].value(sums) or 0)
        step = _length(frame.step * _steps_a_point(headline))
        return f"of {copy.total(reviewed)} reviewed" + (f", by {step}" if reviewed else "")
    if spec.key != "requests":
        return spec.label
    days = (frame.end - frame.start) / timedelta(days=1)
    requests = float(sums["requests"])
    if days < 2:
        return f"failing of {copy.count(requests)} requests"
    return f"failing of {copy.count(requests / days)} a day"


def _change(metric: Metric, sides: _Sides, markers: Sequence[Marker]) -> tuple[str, str]:
    """Return how the metric changed with the last version, and its tone.

    Red and green are verdicts: they need two shares whose 95 % intervals do not touch.
    """
    before, after = sides.before, sides.after
    old, new = metric.value(before), metric.value(after)
    few = min(before["requests"], after["requests"]) < ENOUGH
    if old is None or new is None or few:
        return "", "neutral"
    since = f"since {markers[-1].version}"
    if metric.unit == "share":
        return f"{copy.points(float(new) - float(old))} {since}", _verdict(metric, before, after)
    if metric.unit == "ms":
        sign = copy.MINUS if new < old else "+"
        return f"{sign}{copy.duration(abs(float(new) - float(old)))} {since}", "neutral"
    if not old:
        return "", "neutral"
    percent = round((float(new) / float(old) - 1) * 100)
    return f"{percent:+d}% {since}".replace("-", copy.MINUS) if percent else "", "neutral"


def _verdict(metric: Metric, before: Sums, after: Sums) -> str:
    old, new = metric.interval(before), metric.interval(after)
    if old is None or new is None:
        return "neutral"
    if new[0] <= old[1] and new[1] >= old[0]:
        return "neutral"
    better = (new[0] > old[1]) == (metric.name in metrics.HIGHER_IS_BETTER)
    return "pass" if better else "fail"


def _about(title: str, stat: str, note: str, curves: Sequence[Curve]) -> str:
    ends = "At the end: " + ", ".join(f"{curve.label} {curve.last}" for curve in curves)
    return ". ".join(part for part in (title, stat, note, ends) if part) + "."


def _clock(mark: datetime, frame: Window) -> str:
    return mark.strftime("%Y-%m-%d" if frame.step >= timedelta(days=1) else "%Y-%m-%d %H:%M")


def counts_twice(group: str) -> bool:
    return metrics.GROUPS[group][0] in ("model", "prompt")
