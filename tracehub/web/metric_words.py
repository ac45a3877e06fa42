"""How the Metrics pages write values, changes and findings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from tracehub.core import comparison, metrics
from tracehub.core.metrics import Metric, Number, Sums
from tracehub.core.steps import Window
from tracehub.web import copy

ENOUGH = 30  # requests on each side of a change, before it is worth a word


@dataclass(frozen=True, slots=True)
class Finding:
    """What a chart shows in words ("rose 4.0 pts since v12"); red and green are verdicts."""

    text: str
    tone: str = "neutral"


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

    >>> from tracehub.core.metrics import METRICS
    >>> [tick(METRICS[n], v) for n, v in (("failing_rate", 0.05), ("cost", 0.025), ("cost", 0))]
    ['5%', '$0.025', '$0.00']
    >>> [tick(METRICS["latency_p50"], v) for v in (0, 500, 2500)]
    ['0 s', '500 ms', '2.5 s']
    >>> tick(METRICS["input_tokens"], 2_500_000), tick(METRICS["cost"], 20_000)
    ('2.5M', '$20k')
    """
    number = float(value or 0)
    if metric.unit == "share":
        return f"{number * 100:g}%"
    if metric.unit == "usd":
        if number >= 1000:
            return f"${_short(number)}"
        text = f"{number:.6f}".rstrip("0")
        return f"${text}" if len(text.partition(".")[2]) > 2 else f"${number:.2f}"
    if metric.unit == "ms":
        return f"{number:g} ms" if 0 < number < 1000 else f"{number / 1000:g} s"
    return _short(number)


def _short(number: float) -> str:
    for unit, name in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if number >= unit:
            return f"{number / unit:g}{name}"
    return f"{number:g}"


def length(span: timedelta) -> str:
    """Write a length of time in its unit.

    >>> length(timedelta(hours=6)), length(timedelta(days=2)), length(timedelta(minutes=5))
    ('6 h', '2 d', '5 min')
    """
    seconds = span.total_seconds()
    for unit, name in ((86400, "d"), (3600, "h")):
        if seconds % unit == 0:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 60:.0f} min"


def period(frame: Window) -> str:
    """Write how long a window is, to the step: "14 days", "24 hours", "60 minutes"."""
    span = max(1, (frame.end - frame.start) // frame.step) * frame.step
    for unit, name in ((timedelta(days=1), "day"), (timedelta(hours=1), "hour")):
        if span >= 2 * unit:
            return f"{span / unit:.0f} {name}s"
    return f"{span / timedelta(minutes=1):.0f} minutes"


def change(metric: Metric, before: Sums, after: Sums, when: str) -> Finding | None:
    """Return how a metric changed, `when` last; None when either side has too little.

    A share or a quantile rose or fell when the 95 % interval of the difference leaves zero out.
    """
    old, new = metric.value(before), metric.value(after)
    few = min(before["requests"], after["requests"]) < ENOUGH
    if old is None or new is None or few:
        return None
    verb = "rose" if new > old else "fell"
    if metric.unit in ("share", "ms"):
        if not _clear(metric, before, after):
            return Finding(f"no clear change {when}")
        worse = (new > old) != (metric.name in metrics.HIGHER_IS_BETTER)
        gap = abs(float(new) - float(old))
        size = f"{gap * 100:.1f} pts" if metric.unit == "share" else copy.duration(gap)
        return Finding(f"{verb} {size} {when}", "fail" if worse else "pass")
    if not old:
        return None
    percent = round(abs(float(new) / float(old) - 1) * 100)
    return Finding(f"{verb} {percent}% {when}" if percent else f"stayed the same {when}")


def _clear(metric: Metric, before: Sums, after: Sums) -> bool:
    if metric.measure:
        old, new = (sums.buckets.get(metric.measure, {}) for sums in (before, after))
        found = comparison.quantiles_differ(old, new, metric.quantile)
    else:
        found = comparison.rates_differ(metric.counted(before), metric.counted(after))
    return found is not None and (found[0] > 0 or found[1] < 0)


def name_of(group: str) -> str:
    return group or "none"
