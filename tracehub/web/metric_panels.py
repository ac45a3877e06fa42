"""What each panel of the Metrics page says and draws."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from tracehub.core import metrics
from tracehub.core.metrics import METRICS, Metric, Number, Sums
from tracehub.core.query import Filter, parse
from tracehub.core.query.tree import Absent, Pattern, Term
from tracehub.core.steps import Window
from tracehub.core.trace import Json
from tracehub.metrics import charts
from tracehub.metrics.charts import Curve
from tracehub.metrics.querysets import Groups, Line, Marker, added, by_requests, line
from tracehub.web import copy
from tracehub.web.metric_specs import ESTIMATE, QUIET, Drawn, Spec
from tracehub.web.metric_words import ENOUGH, Finding, change, length, name_of, period, say, tick

Links = Callable[[datetime, datetime, str], str]  # from, to, filter -> address of the traces
REVIEWS_A_POINT = 15
_REVIEWS = ("review_fail_rate", "review_fail_estimate")
_INKS = ("var(--ink)", "var(--series-2)", "var(--series-3)", QUIET)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a chart's table and the address of the traces behind it."""

    url: str
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel as the template writes it: a headline, a figure, and the same as a table."""

    key: str
    name: str
    title: str  # the subject of the finding, or what is drawn when there is none
    finding: Finding | None
    stat: str
    stat_label: str
    was: str  # the headline in the period before
    note: str
    about: str  # for screen readers, in place of the picture
    figure: Json
    traces: str  # the address of those behind it
    sort: str  # their order
    head: list[str]
    rows: list[Row]
    exact: list[list[str | Number | None]]  # the rows with numbers as they are, for files
    units: list[str]  # of the columns after the first


@dataclass(frozen=True)
class Data:
    """All that the charts draw: sums by group, those of the period before, version markers.

    `wanted` is the filter of the page, and `links` leads to traces. `before` is None when the
    period before is not compared with. What all charts share is added up once.
    """

    frame: Window
    found: Groups
    group: str
    markers: Sequence[Marker]
    wanted: Filter
    links: Links
    before: Groups | None = None

    @cached_property
    def totals(self) -> dict[str, Sums]:
        """The sums of each group over the whole range."""
        return {label: added(steps.values()) for label, steps in self.found.items()}

    @cached_property
    def whole(self) -> Sums:
        return added(self.totals.values())

    @cached_property
    def was(self) -> Sums | None:
        """The sums of the period before, of all groups."""
        if self.before is None:
            return None
        return added(sums for steps in self.before.values() for sums in steps.values())

    @cached_property
    def sides(self) -> tuple[Sums, Sums]:
        """The sums before and after the last version marker."""
        steps, last = self.found.get("", {}), self.markers[-1].at
        before = added(sums for at, sums in steps.items() if at < last)
        return before, added(sums for at, sums in steps.items() if at >= last)

    def only(self, more: str) -> str:
        """Return the filter of the page and of a line: "" for a line that counts every trace."""
        return str(self.wanted.plus(parse(more))) if more else ""

    def of_group(self, label: str) -> str:
        value = Pattern((label,)) if label else Absent()
        return str(self.wanted.plus(Filter(Term(self.group, (value,)))))


def build(specs: Iterable[Spec], data: Data, apart: Mapping[str, Data]) -> list[Panel]:
    """Return the panels: one line each, one line a group, or by what a chart is always grouped by.

    `apart` holds the data of charts that have a grouping of their own, by that grouping.
    """
    panels = []
    for spec in specs:
        own = apart[spec.by] if spec.by else data
        if spec.key == ESTIMATE.key and own.whole["weight_reviewed"]:
            spec = ESTIMATE
        if not own.group:
            panels.append(_whole(spec, own))
        elif own.group != "tool" or not METRICS[spec.headline].measure:
            panels.append(_grouped(spec, own))
    return panels


def _whole(spec: Spec, data: Data) -> Panel:
    frame, steps = data.frame, data.found.get("", {})
    lines = {name: line(METRICS[name], "", frame, steps, data.whole) for name in spec.names}
    headline = METRICS[spec.headline]
    earlier = None if data.before is None else data.before.get("", {})
    curves = [_curve(drawn, lines[drawn.metric], data) for drawn in spec.lines]
    dashed = [] if earlier is None else _dashed(spec, data, earlier)
    parts = {"say": lambda v: say(headline, v), "tick": lambda v: tick(headline, v)}
    if spec.key == "requests":
        figure = charts.requests_figure(
            frame, curves[0], curves[1], data.markers, before=dashed, **parts
        )
    else:
        figure = charts.figure(frame, curves, data.markers, before=dashed, **parts)
    finding = _finding(headline, data)
    shown = [*(d.metric for d in spec.lines), *spec.columns]
    table = _table(spec, data, lines, shown, earlier)
    return _panel(spec, data, finding, lines[spec.headline], curves, figure, table)


@dataclass(frozen=True, slots=True)
class _Table:
    head: list[str]
    rows: list[Row]
    exact: list[list[str | Number | None]]
    units: list[str]


def _panel(
    spec: Spec,
    data: Data,
    finding: Finding | None,
    headline: Line,
    curves: Sequence[Curve],
    figure: Json,
    table: _Table,
    note: str = "",
) -> Panel:
    metric = METRICS[spec.headline]
    title = metric.title if finding else spec.title
    stat = say(metric, headline.total)
    label = "in all groups" if data.group else _stat_label(spec, data.frame, headline)
    if data.group and spec.by:
        label = spec.label
    earlier = "" if data.was is None else _was(metric, data.was, data.frame)
    heading = f"{title} {finding.text}" if finding else title
    ends = "At the end: " + ", ".join(f"{curve.label} {curve.last}" for curve in curves)
    said = (heading, f"{stat} {label}", earlier, note, ends)
    return Panel(
        spec.key, spec.title, title, finding, stat, label, earlier, note,
        about=". ".join(part for part in said if part) + ".",
        figure=figure, traces=_behind(spec, data), sort=spec.sort,
        head=table.head, rows=table.rows, exact=table.exact, units=table.units,
    )  # fmt: skip


def _behind(spec: Spec, data: Data) -> str:
    """Return the address of the traces of the whole range, those that matter most first."""
    found = data.links(data.frame.start, data.frame.end, str(data.wanted))
    return f"{found}&sort={spec.sort}" if spec.sort else found


def _was(metric: Metric, was: Sums, frame: Window) -> str:
    value = metric.value(was) if was["requests"] else None
    if value is None:
        return f"Nothing counted in the {period(frame)} before"
    return f"{say(metric, value)} in the {period(frame)} before, dashed"


def _finding(metric: Metric, data: Data) -> Finding | None:
    """Return the change on the period before, or else since the last version."""
    if data.was is not None:
        return change(metric, data.was, data.whole, f"vs {period(data.frame)} before")
    if not data.markers or not (metric.under or metric.measure):  # sums of different lengths
        return None
    return change(metric, *data.sides, f"since {data.markers[-1].version}")


def _table(
    spec: Spec,
    data: Data,
    lines: Mapping[str, Line],
    shown: Sequence[str],
    earlier: Mapping[datetime, Sums] | None,
) -> _Table:
    frame, step = data.frame, data.frame.step
    columns = [(METRICS[name], METRICS[name].title, lines[name].values) for name in shown]
    if earlier is not None:
        drawn = METRICS[_compared(spec).metric]
        past = line(drawn, "", frame.before(), earlier)
        columns.append((drawn, f"{drawn.title} before", past.values))
    only = data.only(spec.lines[0].only) or str(data.wanted)
    every = list(zip(frame.marks, *(values for *_, values in columns), strict=True))
    metrics_shown = [metric for metric, *_ in columns]
    return _Table(
        head=["Time (UTC)", *(title for _, title, _ in columns)],
        rows=[
            Row(
                data.links(mark, mark + step, only),
                [_clock(mark, frame), *map(say, metrics_shown, cells)],
            )
            for mark, *cells in every
        ],
        exact=[[mark.isoformat(), *cells] for mark, *cells in every],
        units=[metric.unit for metric in metrics_shown],
    )


def _compared(spec: Spec) -> Drawn:
    """The line that is drawn for the period before: the headline's, or the first one."""
    return next((drawn for drawn in spec.lines if drawn.metric == spec.headline), spec.lines[0])


def _dashed(spec: Spec, data: Data, earlier: Mapping[datetime, Sums]) -> list[Curve]:
    drawn = _compared(spec)
    if drawn.metric in _REVIEWS:  # too few in a step for a line of its own
        found = line(METRICS[drawn.metric], "", data.frame.before(), earlier)
        return [_reviewed_curve(drawn, found, data, plain=True)]
    return [_past(METRICS[drawn.metric], drawn.label, drawn.colour, data, earlier)]


def _past(
    metric: Metric, label: str, colour: str, data: Data, earlier: Mapping[datetime, Sums]
) -> Curve:
    found = line(metric, "", data.frame.before(), earlier)
    return Curve(f"{label}, {period(data.frame)} before", found.values, "", colour)


def _grouped(spec: Spec, data: Data) -> Panel:
    metric, frame = METRICS[spec.headline], data.frame
    lines = [
        line(metric, label, frame, steps, data.totals[label]) for label, steps in _ordered(data)
    ]
    if spec.by:
        lines = sorted(lines, key=lambda each: -each.sums[metric.under[0]])
    curves = [
        replace(
            Curve(name_of(each.group), each.values, say(metric, _last(each.values)), colour, ink),
            only=data.of_group(each.group),
        )
        for each, colour, ink in zip(lines, charts.COLOURS, _INKS, strict=False)
    ]
    earlier = data.before or {}
    dashed = [
        _past(metric, name_of(each.group), curve.colour, data, earlier[each.group])
        for each, curve in zip(lines, curves, strict=False)
        if each.group in earlier
    ]
    figure = charts.figure(
        frame, curves, data.markers,
        say=lambda v: say(metric, v), tick=lambda v: tick(metric, v), before=dashed,
    )  # fmt: skip
    finding = _highest(metric, lines) if data.was is None else _finding(metric, data)
    more = len(lines) - len(curves)
    note = f"{len(curves)} of {len(lines)} drawn" if more > 0 else ""
    total = line(metric, "", frame, {}, data.whole)
    table = _groups_table(spec, data, lines)
    return _panel(spec, data, finding, total, curves, figure, table, note)


def _ordered(data: Data) -> list[tuple[str, dict[datetime, Sums]]]:
    """The groups, the busiest first; a trace without a tool is no group of tools."""
    return [pair for pair in by_requests(data.found) if pair[0] or data.group != "tool"]


def _highest(metric: Metric, lines: Sequence[Line]) -> Finding | None:
    """Return which group is highest, of those with enough requests."""
    known = [(float(each.total), each) for each in lines if each.total is not None]
    known = [pair for pair in known if pair[1].sums["requests"] >= ENOUGH]
    if len(known) < 2 or len({value for value, _ in known}) == 1:
        return None
    value, top = max(known, key=lambda pair: pair[0])
    return Finding(f"is highest in {name_of(top.group)}, {say(metric, value)}")


def _groups_table(spec: Spec, data: Data, lines: Sequence[Line]) -> _Table:
    metric, frame = METRICS[spec.headline], data.frame
    more = [METRICS[name] for name in spec.columns] if spec.by else []
    return _Table(
        head=["Group", "Requests", metric.title, *(each.title for each in more)],
        rows=[
            Row(
                data.links(frame.start, frame.end, data.of_group(each.group)),
                [
                    name_of(each.group),
                    copy.total(float(each.sums["requests"])),
                    say(metric, each.total),
                    *(say(column, column.value(each.sums)) for column in more),
                ],
            )
            for each in lines
        ],
        exact=[
            [each.group, each.sums["requests"], each.total, *(c.value(each.sums) for c in more)]
            for each in lines
        ],
        units=["count", metric.unit, *(column.unit for column in more)],
    )


def _curve(drawn: Drawn, found: Line, data: Data) -> Curve:
    metric = METRICS[drawn.metric]
    last = say(metric, _last(found.values))
    if drawn.metric == "requests":
        last = f"{last} / {length(data.frame.step)}"
    if drawn.metric in _REVIEWS:
        return _reviewed_curve(drawn, found, data)
    return Curve(
        drawn.label, found.values, last, drawn.colour, drawn.ink, only=data.only(drawn.only)
    )


def _reviewed_curve(drawn: Drawn, found: Line, data: Data, *, plain: bool = False) -> Curve:
    """People review few traces: several steps make one point, with its 95 % interval.

    `plain` is the line of the period before, which stands at the times of this one.
    """
    metric, many = METRICS[drawn.metric], _steps_a_point(found)
    sums = [added(found.steps[n : n + many]) for n in range(0, len(found.steps), many)]
    values, bands = [metric.value(each) for each in sums], [metric.interval(each) for each in sums]
    known = [bounds for bounds in bands if bounds]
    last = say(metric, _last(values))
    if known:
        last = f"{last} ± {(known[-1][1] - known[-1][0]) * 50:.1f}"
    middle = data.frame.step * (many - 1) / 2
    times = [at + middle for at in data.frame.marks[::many]]
    label = f"{drawn.label}, {period(data.frame)} before" if plain else drawn.label
    only = "" if plain else data.only(drawn.only)
    band = None if plain else bands
    return Curve(label, values, last, drawn.colour, drawn.ink, band, times, only)


def _steps_a_point(found: Line) -> int:
    reviewed = float(METRICS["reviewed"].value(found.sums) or 0)
    wanted = len(found.steps) * REVIEWS_A_POINT / max(1.0, reviewed)
    return min(max(1, math.ceil(wanted)), max(1, len(found.steps) // 4))


def _last(values: Sequence[Number | None]) -> Number | None:
    return next((value for value in reversed(values) if value is not None), None)


def _stat_label(spec: Spec, frame: Window, headline: Line) -> str:
    sums = headline.sums
    if spec.key == "reviews":
        reviewed = float(METRICS["reviewed"].value(sums) or 0)
        step = length(frame.step * _steps_a_point(headline))
        known = "of all, by" if spec.headline == ESTIMATE.headline else "of"
        return f"{known} {copy.total(reviewed)} reviewed" + (f", by {step}" if reviewed else "")
    if spec.key != "requests":
        return "in this range" if headline.total is None else spec.label
    days = (frame.end - frame.start) / timedelta(days=1)
    requests = float(sums["requests"])
    if days < 2:
        return f"failing of {copy.count(requests)} requests"
    return f"failing of {copy.count(requests / days)} a day"


def _clock(mark: datetime, frame: Window) -> str:
    return mark.strftime("%Y-%m-%d" if frame.step >= timedelta(days=1) else "%Y-%m-%d %H:%M")


def counts_twice(group: str) -> bool:
    return metrics.GROUPS[group][0] in ("model", "prompt", "tool")
