"""Two groups of requests side by side: how much they differ, and how sure that is.

Each method turns the counts of both groups into an interval of the difference at any level. The p
of a difference is read off the same interval (the level at which it just touches zero), so that a
reading never contradicts what is drawn. Intervals take requests as independent of each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from tracehub.core import rollup
from tracehub.core.stats import wilson_interval

Interval = tuple[float, float]
IntervalAt = Callable[[float], Interval | None]  # level -> interval; None when there is too little
Reading = Literal["worse", "better", "unclear"]

LEVEL = 0.95
POWER = 0.8  # chance to see a difference of the size asked for
SAME_MIX = 0.05  # mixes that lie closer than this count as the same, however many requests say so
_CHANCE, _RARE = 0.001, 5
_HALVINGS = 40  # of the level when looking for p: twelve digits


def square_and_add(
    control: float, control_interval: Interval, other: float, other_interval: Interval
) -> Interval:
    """Return the interval of other - control from the intervals of both.

    Source: Zou, Donner 2008, https://doi.org/10.1002/sim.3095 (MOVER).
    """
    gap = other - control
    below = math.hypot(other - other_interval[0], control_interval[1] - control)
    above = math.hypot(other_interval[1] - other, control - control_interval[0])
    return gap - below, gap + above


def rates_differ(
    control: tuple[int, int], other: tuple[int, int], level: float = LEVEL
) -> Interval | None:
    """Return the interval of the difference of two rates, each (count, of how many).

    Source: Newcombe 1998, Stat Med 17:873, method 10, from Wilson's intervals.

    >>> [round(x, 4) for x in rates_differ((48, 80), (56, 70)) or ()]
    [0.0524, 0.3339]
    """
    if not control[1] or not other[1]:
        return None
    return square_and_add(
        control[0] / control[1],
        wilson_interval(*control, level),
        other[0] / other[1],
        wilson_interval(*other, level),
    )


@dataclass(frozen=True, slots=True)
class Change:
    """How much higher the second of two rates is, with its 95 % interval."""

    difference: float
    interval: Interval
    p: float

    @property
    def sure(self) -> bool:
        """Whether the interval at 95 % leaves zero out."""
        return self.p < 1 - LEVEL


def rate_change(control: tuple[int, int], other: tuple[int, int]) -> Change | None:
    """Return the change of a rate, each (count, of how many); None where one is of nothing.

    >>> found = rate_change((13, 9000), (328, 5655))
    >>> f"{found.difference:.3f} {found.interval[0]:.3f} {found.interval[1]:.3f} {found.sure}"
    '0.057 0.051 0.063 True'
    """
    interval = rates_differ(control, other)
    if interval is None:
        return None
    p = p_value(lambda level: rates_differ(control, other, level))
    return Change(other[0] / other[1] - control[0] / control[1], interval, p)


def smallest_seen(control: tuple[int, int], of: int) -> float:
    """Return the least change of a rate that `of` more cases would show, with 80 % power.

    The rate is at least one case in the control: none at all says nothing of how rare it is.

    >>> round(smallest_seen((26, 340), 60), 2)
    0.1
    """
    share = min(max(control[0], 1) / control[1], 0.5)
    error = math.sqrt(share * (1 - share) * (1 / control[1] + 1 / of))
    return (_z(LEVEL) + NormalDist().inv_cdf(POWER)) * error


@dataclass(frozen=True, slots=True)
class Spread:
    """Sums of one group for a ratio: requests, the sum and the sum of squares of costs, successes.

    Costs of failing requests count too: that is what a success costs.
    """

    requests: int
    cost: float
    cost_squares: float
    successes: int

    @property
    def ratio(self) -> float | None:
        return self.cost / self.successes if self.successes and self.cost > 0 else None

    def log_variance(self) -> float:
        """Return the variance of the logarithm of the ratio by the delta method.

        How cost and success go together is not kept, so the worst is assumed (each dear request
        fails): the interval is never too narrow for that, and at most some wider than needed.
        """
        cost = max(0.0, self.requests * self.cost_squares / self.cost**2 - 1)
        success = self.requests / self.successes - 1
        return (math.sqrt(cost) + math.sqrt(success)) ** 2 / self.requests


def ratios_differ(control: Spread, other: Spread, level: float = LEVEL) -> Interval | None:
    """Return the interval of other ÷ control - 1, by the delta method on the logarithm.

    None where a group has less than two requests or no success.
    """
    if min(control.requests, other.requests) < 2 or not control.ratio or not other.ratio:
        return None
    middle = math.log(other.ratio / control.ratio)
    half = _z(level) * math.sqrt(control.log_variance() + other.log_variance())
    return math.expm1(middle - half), math.expm1(min(middle + half, 500.0))


def quantile_interval(
    buckets: Mapping[int, int], q: float, level: float = LEVEL
) -> Interval | None:
    """Return the interval of a quantile from log buckets, by order statistics.

    The ranks are those of the normal approximation of the binomial; None when the upper one lies
    beyond the last value. Source: Conover 1999, Practical Nonparametric Statistics, 3.2.

    >>> quantile_interval({rollup.bucket(100): 20}, 0.95) is None
    True
    """
    total = sum(n for n in buckets.values() if n > 0)
    half = _z(level) * math.sqrt(total * q * (1 - q))
    low, high = math.floor(total * q - half), math.ceil(total * q + half) + 1
    if low < 1 or high > total:
        return None
    first, last = (rollup.quantile(buckets, rank / total) for rank in (low, high))
    return None if first is None or last is None else (first, last)


def quantiles_differ(
    control: Mapping[int, int], other: Mapping[int, int], q: float, level: float = LEVEL
) -> Interval | None:
    """Return the interval of the difference of two quantiles, in the unit of the buckets."""
    found = []
    for buckets in (control, other):
        value, interval = rollup.quantile(buckets, q), quantile_interval(buckets, q, level)
        if value is None or interval is None:
            return None
        found.append((value, interval))
    (old, old_interval), (new, new_interval) = found
    return square_and_add(old, old_interval, new, new_interval)


def p_value(interval_at: IntervalAt) -> float:
    """Return one minus the highest level at which the interval leaves zero out.

    >>> round(p_value(lambda level: rates_differ((50, 1000), (80, 1000), level)), 3)
    0.007
    """
    least, most = 0.0, 1.0
    for _ in range(_HALVINGS):
        level = (least + most) / 2
        found = interval_at(level)
        if found is not None and (found[0] > 0 or found[1] < 0):
            least = level
        else:
            most = level
    return 1 - least


def holm(ps: Sequence[float]) -> list[float]:
    """Return the p-values corrected for their number, in the same order.

    Source: Holm 1979, Scand J Stat 6:65; the numbers are those of `p.adjust` of R.

    >>> [round(p, 2) for p in holm([0.01, 0.04, 0.03, 0.005])]
    [0.03, 0.06, 0.06, 0.02]
    """
    order = sorted(range(len(ps)), key=ps.__getitem__)
    corrected, highest = [0.0] * len(ps), 0.0
    for place, index in enumerate(order):
        highest = max(highest, min(1.0, (len(ps) - place) * ps[index]))
        corrected[index] = highest
    return corrected


def reading(corrected_p: float, difference: float, *, higher_is_worse: bool) -> Reading:
    """Say what a difference means, when it is sure enough at 95 %."""
    if corrected_p > 1 - LEVEL or not difference:
        return "unclear"
    return "worse" if (difference > 0) == higher_is_worse else "better"


def requests_needed(interval: Interval, wanted: float, requests: int) -> int:
    """Return how many more requests show a difference of `wanted` with 95 % and 80 % power.

    `interval` is the 95 % interval of the difference that `requests` gave, both groups together;
    they keep their proportion. Its width goes with the root of the number of requests.

    >>> requests_needed((-0.01, 0.01), 0.02, 1000), requests_needed((-0.02, 0.02), 0.02, 1000)
    (0, 1044)
    """
    error = (interval[1] - interval[0]) / 2 / _z(LEVEL)
    times = ((_z(LEVEL) + NormalDist().inv_cdf(POWER)) * error / abs(wanted)) ** 2
    return max(0, math.ceil(requests * (times - 1)))


def _z(level: float) -> float:
    return NormalDist().inv_cdf(0.5 + level / 2)


def apart(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Return how far two mixes differ: the part that would have to move, from 0 to 1.

    >>> apart({"a": 50, "b": 50}, {"a": 90, "b": 10})
    0.4
    """
    first, second = sum(one.values()), sum(other.values())
    if not first or not second:
        return 0.0
    shares = ((one.get(key, 0) / first, other.get(key, 0) / second) for key in {*one, *other})
    return round(sum(abs(a - b) for a, b in shares) / 2, 12)


def mixes_differ(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    """Tell whether two groups got different inputs: by more than 5 %, and not by chance.

    Chance is Pearson's chi-squared test at 0.001, since it is asked of several mixes; its tail is
    that of Wilson, Hilferty 1931. Values too rare for it (fewer than five expected) count as one.
    """
    first, second = sum(one.values()), sum(other.values())
    if not first or not second or apart(one, other) < SAME_MIX:
        return False
    cells: dict[str, list[float]] = {}
    for key in {*one, *other}:
        pair = one.get(key, 0), other.get(key, 0)
        rare = sum(pair) * min(first, second) / (first + second) < _RARE
        cell = cells.setdefault("" if rare else f"={key}", [0.0, 0.0])
        cell[0] += pair[0]
        cell[1] += pair[1]
    freedom = len(cells) - 1
    if freedom < 1:
        return False
    statistic = 0.0
    for both in cells.values():
        for count, size in zip(both, (first, second), strict=True):
            expected = sum(both) * size / (first + second)
            statistic += (count - expected) ** 2 / expected
    spread = 2 / (9 * freedom)
    z = ((statistic / freedom) ** (1 / 3) - (1 - spread)) / math.sqrt(spread)
    return NormalDist().cdf(-z) < _CHANCE
