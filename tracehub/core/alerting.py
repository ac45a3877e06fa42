"""When numbers are news: rules over hourly counts, the same for the past as for now. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tracehub.core.comparison import rates_differ
from tracehub.core.stats import upper_tail, wilson_interval

BASELINE = 7 * 24  # hours before the window that a spike is held against
LEAST_BASELINE = 50  # traces of it; with fewer nothing is known of the usual rate
# That chance alone makes a window so bad. There are 24 windows a day, so a rule whose rate never
# changes fires about once in a year.
CHANCE = 1e-4
LEAST_FAILING = 3  # failing traces in a window that may fire


class Hour(NamedTuple):
    """Traces that started in one hour, and how many of them fail."""

    traces: int = 0
    failing: int = 0


class Finding(NamedTuple):
    """A window that is news: its counts, and what they were held against (`rate` may be none)."""

    traces: int
    failing: int
    against: float
    chance: float | None = None  # of a spike
    interval: tuple[float, float] | None = None  # of the rate, or of the difference


def rise_chance(now: Hour, before: Hour) -> float:
    """Return the one-sided exact p that two counts have one rate, against a rise.

    Given both together, the failing traces of now are binomial with the share of its traces: the
    conditional test of two Poisson rates, which knows that the baseline is uncertain too.
    Source: Przyborowski, Wilenski 1940, Biometrika 31:313.

    >>> round(rise_chance(Hour(100, 8), Hour(1000, 20)), 5)
    0.00274
    >>> rise_chance(Hour(100, 0), Hour(1000, 20))
    1.0
    """
    together = now.failing + before.failing
    share = now.traces / (now.traces + before.traces)
    if now.failing <= together * share:
        return 1.0  # no rise; the tail above half is of no use
    return upper_tail(now.failing, together, share)


@dataclass(frozen=True, slots=True)
class Spike:
    """The failing rate of a window is above what it was in the week before, by `rise_chance`."""

    hours: int = 1

    def holds(self, series: Sequence[Hour], control: Sequence[Hour], end: int) -> Finding | None:
        now = total(series[max(0, end - self.hours) : end])
        before = total(series[max(0, end - self.hours - BASELINE) : max(0, end - self.hours)])
        if before.traces < LEAST_BASELINE or now.failing < LEAST_FAILING:
            return None
        chance = rise_chance(now, before)
        if chance >= CHANCE:
            return None
        return Finding(now.traces, now.failing, before.failing / before.traces, chance)


@dataclass(frozen=True, slots=True)
class Rate:
    """The failing rate of a window is surely above a limit, or above a control by a margin.

    `limit` is a fraction. Sure: the 95 % interval of the rate (Wilson), or of the difference
    (Newcombe), lies above it.
    """

    limit: float
    hours: int = 1
    least: int = 50  # traces in the window
    against: bool = False

    def holds(self, series: Sequence[Hour], control: Sequence[Hour], end: int) -> Finding | None:
        now = total(series[max(0, end - self.hours) : end])
        if now.traces < self.least or not now.traces:
            return None
        if not self.against:
            interval = wilson_interval(min(now.failing, now.traces), now.traces)
            return (
                Finding(now.traces, now.failing, self.limit, interval=interval)
                if interval[0] > self.limit
                else None
            )
        other = total(control[max(0, end - self.hours) : end])
        differs = rates_differ((other.failing, other.traces), (now.failing, now.traces))
        if differs is None or differs[0] <= self.limit:
            return None
        return Finding(now.traces, now.failing, other.failing / other.traces, interval=differs)


def total(hours: Sequence[Hour]) -> Hour:
    """Return the sum of some hours; failing is at most all."""
    traces = max(0, sum(hour.traces for hour in hours))
    return Hour(traces, min(traces, max(0, sum(hour.failing for hour in hours))))


def firings(
    rule: Spike | Rate,
    series: Sequence[Hour],
    control: Sequence[Hour] = (),
    *,
    since: int,
    quiet: int,
    last: int | None = None,
) -> list[tuple[int, Finding]]:
    """Return (end of the window, finding) of every time that a rule fires at or after `since`.

    Ends are places in `series`: the window before place n is complete. After one firing the rule
    is silent for `quiet` hours; `last` is its last firing before.
    """
    found = []
    for end in range(max(1, since), len(series) + 1):
        if last is not None and end - last < quiet:
            continue
        finding = rule.holds(series, control, end)
        if finding is not None:
            found.append((end, finding))
            last = end
    return found


def gathered(times: Sequence[float], *, quiet: float, last: float | None = None) -> list[float]:
    """Return when messages go out for events at these times: at most one in `quiet` of their unit.

    What comes meanwhile goes with the next message.

    >>> gathered([0, 1, 2, 30], quiet=6)
    [0, 6, 30]
    """
    found: list[float] = []
    waiting = False
    for at in sorted(times):
        if waiting and last is not None and at >= last + quiet:
            last, waiting = last + quiet, False
            found.append(last)
        if last is None or at >= last + quiet:
            last = at
            found.append(at)
        else:
            waiting = True
    if waiting and last is not None:
        found.append(last + quiet)
    return found
