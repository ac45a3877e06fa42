"""The axes of the figures: times below, values at the left."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from tracehub.core.metrics import Number
from tracehub.core.steps import Window

Say = Callable[[Number | None], str]  # a value as the page writes it


def time_axis(frame: Window) -> dict[str, Any]:
    marks = frame.marks
    shown = [marks[0], marks[len(marks) // 2], marks[-1]] if len(marks) > 2 else marks
    form = "%H:%M" if frame.end - frame.start <= timedelta(days=2) else "%-d %b"
    return {
        "type": "date",
        "tickvals": [mark.strftime("%Y-%m-%dT%H:%M:%S") for mark in shown],
        "ticktext": [mark.strftime(form) for mark in shown],
        "range": [iso(marks[0] - frame.step / 2), iso(marks[-1] + frame.step / 2)],
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
        "showline": True,
        "linecolor": "var(--line-2)",
        "ticklabelstandoff": 3,
        "hoverformat": "%-d %b %H:%M UTC",
        "showspikes": False,
    }


def iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


def value_axis(ticks: list[float], tick: Say) -> dict[str, Any]:
    return {
        "range": [0, ticks[-1]],
        "tickvals": ticks,
        "ticktext": [tick(each) for each in ticks],
        "ticklabelstandoff": 6,
        "gridcolor": "var(--line)",
        "zeroline": True,
        "zerolinecolor": "var(--line-2)",
        "zerolinewidth": 1,
        "fixedrange": True,
    }


def hidden_axis(most: float) -> dict[str, Any]:
    return {
        "range": [0, most],
        "showticklabels": False,
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
    }


def nice_ticks(top: float, *, most: int = 4) -> list[float]:
    """Return round numbers from 0 to the first one at or above `top`, in at most `most` steps.

    >>> nice_ticks(0.061, most=2)
    [0.0, 0.05, 0.1]
    >>> nice_ticks(14.8)
    [0.0, 5.0, 10.0, 15.0]
    """
    if top <= 0:
        return [0.0, 1.0]
    size = 10.0 ** math.floor(math.log10(top / most))
    step = next(size * n for n in (1, 2, 2.5, 5, 10) if size * n * most >= top * 0.999)
    return [round(n * step, 12) for n in range(math.ceil(top / step - 0.001) + 1)]
