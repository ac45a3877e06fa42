"""The figures of the Metrics page, built with Plotly and drawn by plotly.js in the browser.

Colours are names of our tokens (`var(--series-1)`); the page's script puts in what they are in the
theme at hand. Names that come from traces are escaped: Plotly reads a little HTML in every text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from itertools import groupby
from typing import Any

import plotly.graph_objects as go

from tracehub.core.hidden import visible
from tracehub.core.metrics import Number
from tracehub.core.steps import Window
from tracehub.core.trace import Json
from tracehub.metrics.axes import Say, hidden_axis, iso, nice_ticks, time_axis, value_axis
from tracehub.metrics.querysets import Marker

HEIGHT, TOP, BOTTOM, LEFT, RIGHT = 156, 12, 20, 40, 78  # px
LABEL_PX = 26  # a label at the end of a line: name and value
SHOWN = 4  # lines of one chart; as many as there are series colours
COLOURS = tuple(f"var(--series-{n})" for n in range(1, SHOWN + 1))
PLOT_PX, LETTER_PX = 250, 6  # about; a plot is as wide as its panel
LONGEST_LABEL = 12  # characters that fit beside the plot
CHECKED = False  # whether Plotly checks what it is given
MARKER_ROWS = 2  # of names of versions above each other; the line of another stands alone


@dataclass(frozen=True, slots=True)
class Curve:
    """One line: its values in the steps of the window, and what stands at its end.

    `times` are those of the values where they are not the steps of the window; `only` is the
    filter of the traces that the line counts, "" where it is that of the page.
    """

    label: str
    values: Sequence[Number | None]
    last: str
    colour: str = COLOURS[0]
    ink: str = "var(--ink)"
    band: Sequence[tuple[float, float] | None] | None = None
    times: Sequence[datetime] | None = None
    only: str = ""


def figure(
    frame: Window,
    curves: Sequence[Curve],
    markers: Sequence[Marker],
    *,
    say: Say,
    tick: Say,
    before: Sequence[Curve] = (),
) -> Json:
    """Return a line chart as plotly.js takes it: `data` and `layout`.

    `say` writes a value, `tick` a round one at the axis. `before` are lines of an earlier period,
    in the steps of this one: dashed, below the others.
    """
    top = _top([*curves, *before])
    traces = [_dashed(frame, curve, say) for curve in before]
    traces += [trace for curve in curves for trace in _traces(frame, curve, say)]
    ticks = nice_ticks(top)
    layout = _layout(frame, markers)
    layout["yaxis"] = value_axis(ticks, tick)
    layout["annotations"] += _end_labels(curves, ticks[-1], HEIGHT - TOP - BOTTOM)
    return _finished(traces, layout)


def requests_figure(
    frame: Window,
    failing: Curve,
    requests: Curve,
    markers: Sequence[Marker],
    *,
    say: Say,
    tick: Say,
    before: Sequence[Curve] = (),
) -> Json:
    """Return the failing rate as a line above the requests as bars; each has its own scale."""
    ticks = nice_ticks(_top([failing, *before]), most=2)
    layout = _layout(frame, markers)
    layout["yaxis"] = value_axis(ticks, tick) | {"domain": [0.5, 1]}
    most = max((float(value or 0) for value in requests.values), default=0) or 1
    layout["yaxis2"] = hidden_axis(most) | {"domain": [0, 0.36]}
    layout["xaxis"]["anchor"] = "y2"
    height = HEIGHT - TOP - BOTTOM
    layout["annotations"] += _end_labels([failing], ticks[-1], height / 2, domain="y domain")
    layout["annotations"] += _label(requests, "y2 domain", 0.5, 0)
    bars = _made(
        go.Bar,
        x=_times(frame),
        y=[float(value or 0) for value in requests.values],
        yaxis="y2",
        name=requests.label,
        marker={"color": "var(--neutral-2)", "line": {"width": 0}},
        customdata=[f"{value or 0:,.0f}" for value in requests.values],
        hovertemplate=_HOVER,
    )
    layout["bargap"] = 0.2
    dashed = [_dashed(frame, curve, say) for curve in before]
    return _finished([bars, *dashed, *_traces(frame, failing, say)], layout)


_HOVER = "%{fullData.name} %{customdata}<extra></extra>"
_FONT = {"size": 11, "color": "var(--ink-3)"}


def _made(kind: Any, *given: Any, **properties: Any) -> Any:
    """Make an object of Plotly. The tests have it check every property: 5 ms a figure."""
    return kind(*given, **properties, _validate=CHECKED)


def _finished(traces: list[Any], layout: dict[str, Any]) -> Json:
    """Return the figure as JSON. To make a whole one of the package takes a fifth of the page."""
    if CHECKED:
        go.Figure(traces, layout=layout | {"template": {}})
    return {"data": [trace.to_plotly_json() for trace in traces], "layout": layout}


def _times(frame: Window) -> list[str]:
    return [mark.strftime("%Y-%m-%dT%H:%M:%S") for mark in frame.marks]


def _traces(frame: Window, curve: Curve, say: Say) -> list[Any]:
    times = _times(frame) if curve.times is None else [iso(at) for at in curve.times]
    values = [None if v is None else float(v) for v in curve.values]
    drawn = []
    if curve.band is not None:
        drawn += _band(times, curve.band)
    drawn.append(_line(times, values, curve, say, {"color": curve.colour, "width": 1.5}))
    return drawn


def _dashed(frame: Window, curve: Curve, say: Say) -> Any:
    times = _times(frame) if curve.times is None else [iso(at) for at in curve.times]
    values = [None if v is None else float(v) for v in curve.values]
    dashes = {"color": curve.colour, "width": 1, "dash": "4px,3px"}
    return _line(times, values, curve, say, dashes, opacity=0.6)


def _line(
    times: list[str],
    values: list[float | None],
    curve: Curve,
    say: Say,
    line: dict[str, Any],
    **more: Any,
) -> Any:
    return _made(
        go.Scatter,
        x=times,
        y=values,
        mode="lines+markers",
        name=_plain(curve.label),
        line=line,
        marker={"size": _lone_points(values), "color": curve.colour, "line": {"width": 0}},
        customdata=[say(value) for value in curve.values],
        hovertemplate=_HOVER,
        meta=curve.only,
        **more,
    )


def _band(times: list[str], bounds: Sequence[tuple[float, float] | None]) -> list[Any]:
    """Return the area of an interval, with a gap where nothing was counted.

    A time between two gaps has no area: a bar stands for it.
    """
    edge = {"mode": "lines", "hoverinfo": "skip", "showlegend": False}
    fill = {"fill": "tonexty", "fillcolor": "var(--neutral-2)", "opacity": 0.55}
    drawn = []
    together = groupby(zip(times, bounds, strict=True), key=lambda pair: pair[1] is not None)
    for known, pairs in together:
        if not known:
            continue
        run = [(at, band) for at, band in pairs if band]
        at, low, high = [a for a, _ in run], [b[0] for _, b in run], [b[1] for _, b in run]
        if len(run) == 1:
            bar = {"color": "var(--neutral-2)", "width": 5}
            drawn.append(_made(go.Scatter, x=at * 2, y=[*low, *high], line=bar, **edge))
            continue
        drawn.append(_made(go.Scatter, x=at, y=low, line={"width": 0}, **edge))
        drawn.append(_made(go.Scatter, x=at, y=high, line={"width": 0}, **edge, **fill))
    return drawn


def _lone_points(values: Sequence[float | None]) -> list[int]:
    """A value between two gaps has no line: give it a dot."""
    padded = [None, *values, None]  # one before, one after: zip ends with `values`
    return [
        4 if value is not None and before is None and after is None else 0
        for before, value, after in zip(padded, values, padded[2:], strict=False)
    ]


def _layout(frame: Window, markers: Sequence[Marker]) -> dict[str, Any]:
    return {
        "height": HEIGHT,
        "margin": {"t": TOP, "b": BOTTOM, "l": LEFT, "r": RIGHT, "pad": 0},
        "font": _FONT,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "showlegend": False,
        "dragmode": False,
        "selectdirection": "h",
        "newselection": {"line": {"color": "var(--ink-3)", "width": 1, "dash": "2px,2px"}},
        "hovermode": "x unified",
        "hoverlabel": {
            "bgcolor": "var(--raised)",
            "bordercolor": "var(--line-2)",
            "font": {"size": 11, "color": "var(--ink)"},
        },
        "xaxis": time_axis(frame),
        "shapes": [_marker_line(marker) for marker in markers],
        "annotations": _marker_names(frame, markers),
    }


def _top(curves: Sequence[Curve]) -> float:
    values = [float(value) for curve in curves for value in curve.values if value is not None]
    bands = [band[1] for curve in curves for band in curve.band or () if band]
    return max([*values, *bands], default=0.0)


def _marker_line(marker: Marker) -> dict[str, Any]:
    at = iso(marker.at)
    return {
        "type": "line",
        "xref": "x",
        "yref": "paper",
        "x0": at,
        "x1": at,
        "y0": 0,
        "y1": 1,
        "line": {"color": "var(--ink-3)", "width": 1, "dash": "1px,3px"},
        "layer": "below",
    }


def _marker_names(frame: Window, markers: Sequence[Marker]) -> list[dict[str, Any]]:
    """Names beside the marker lines, on the side with room, each in the first free row.

    Where two rows are not enough the newest keep their names.
    """
    one = len({each.name for each in markers}) == 1
    length = frame.end - frame.start
    rows: list[list[tuple[float, float]]] = [[] for _ in range(MARKER_ROWS)]  # taken, in px
    notes = []
    for marker in reversed(markers):
        name = marker.version if one else f"{marker.name} {marker.version}"
        at = (marker.at - frame.start) / length * PLOT_PX
        width = len(_short(name)) * LETTER_PX
        late = at + width > PLOT_PX
        span = (at - width - LETTER_PX, at) if late else (at, at + width + LETTER_PX)
        for row, taken in enumerate(rows):
            if all(span[1] <= low or high <= span[0] for low, high in taken):
                taken.append(span)
                notes.append(_marker_name(marker, name, row, late))
                break
    return notes[::-1]


def _marker_name(marker: Marker, name: str, row: int, late: bool) -> dict[str, Any]:
    return {
        "text": _plain(_short(name)),
        "xref": "x",
        "yref": "paper",
        "x": iso(marker.at),
        "y": 1,
        "yanchor": "top",
        "xanchor": "right" if late else "left",
        "xshift": -2 if late else 2,
        "yshift": 8 - 12 * row,
        "showarrow": False,
        "font": _FONT,
    }


def _end_labels(
    curves: Sequence[Curve], top: float, height: float, domain: str = "paper"
) -> list[dict[str, Any]]:
    """Names and values at the ends of the lines, moved apart until none covers another."""
    wanted = []
    for curve in curves:
        last = next((float(v) for v in reversed(curve.values) if v is not None), None)
        if last is not None:
            wanted.append((min(last / top, 1.0) * height, curve))
    labels: list[dict[str, Any]] = []
    for middle, curve in _apart(sorted(wanted, key=lambda each: each[0]), height):
        labels += _label(curve, domain, middle / height, 0)
    return labels


def _apart(wanted: list[tuple[float, Curve]], height: float) -> list[tuple[float, Curve]]:
    gap = min(LABEL_PX, height / max(1, len(wanted)))
    placed: list[tuple[float, Curve]] = []
    for middle, curve in wanted:
        lowest = placed[-1][0] + gap if placed else gap / 2
        placed.append((max(middle, lowest), curve))
    ceiling = height - gap / 2 + 6
    for position in range(len(placed) - 1, -1, -1):
        middle, curve = placed[position]
        placed[position] = (min(middle, ceiling), curve)
        ceiling = placed[position][0] - gap
    return placed


def _label(curve: Curve, domain: str, y: float, shift: float) -> list[dict[str, Any]]:
    shared = {
        "xref": "paper",
        "x": 1,
        "xanchor": "left",
        "xshift": 6,
        "yref": domain,
        "y": y,
        "yanchor": "middle",
        "align": "left",
        "showarrow": False,
    }
    name = {"text": _plain(_short(curve.label)), "yshift": shift + 6}
    value = {"text": escape(curve.last, quote=False), "yshift": shift - 6}
    return [
        {**shared, **name, "font": {"size": 11, "color": curve.ink}},
        {**shared, **value, "font": _FONT},
    ]


def _plain(text: str) -> str:
    """A name as Plotly draws it: its pseudo-HTML is text, and nothing in it is hidden."""
    return escape(visible(text), quote=False)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_LABEL else text[: LONGEST_LABEL - 1] + "…"
