"""How numbers and times read on pages: the copy rules of docs/design, as plain functions."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

MINUS = "−"


def count(value: float) -> str:
    """Return a count in as little room as its size needs.

    >>> [count(n) for n in (847, 1200, 12_480, 148_200, 999_960, 2_500_000)]
    ['847', '1.2k', '12.5k', '148k', '1.0M', '2.5M']
    """
    if value < 999.5:
        return f"{value:.0f}"
    for unit, name in ((1_000_000_000, "B"), (1_000_000, "M"), (1000, "k")):
        if value >= unit * 0.9995:
            size = value / unit
            return f"{size:.1f}{name}" if size < 99.95 else f"{size:.0f}{name}"
    return f"{value:.0f}"


def total(value: float) -> str:
    """Return a whole number with separators.

    >>> total(12480)
    '12,480'
    """
    return f"{value:,.0f}".replace("-", MINUS)


def money(value: Decimal | float, *, whole: bool = False) -> str:
    """Return US dollars: four decimals for one call, two for a total (`whole`).

    >>> money(Decimal("0.0042")), money(41.2, whole=True), money(0.000004), money(-0.5)
    ('$0.0042', '$41.20', '<$0.0001', '−$0.5000')
    """
    sign = MINUS if value < 0 else ""
    size = abs(Decimal(str(value)))
    smallest = Decimal("0.01") if whole else Decimal("0.0001")
    if 0 < size < smallest / 2:
        return f"{sign}<${smallest}"
    return f"{sign}${size:,.{2 if whole or size >= 10 else 4}f}"


def duration(ms: float) -> str:
    """Return a duration of `ms` milliseconds.

    >>> [duration(x) for x in (0.42, 380, 3400, 30_000, 72_000, 10_560_000)]
    ['0.4 ms', '380 ms', '3.4 s', '30.0 s', '1 min 12 s', '2 h 56 min']
    """
    if ms < 9.95:
        return f"{ms:.1f} ms" if ms else "0 ms"
    if ms < 999.5:
        return f"{ms:.0f} ms"
    seconds = ms / 1000
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def about(ms: float) -> str:
    """Return a guess of how long something takes: whole minutes, from an hour on in tens.

    >>> [about(x) for x in (20_000, 380_000, 6_010_000, 7_140_000)]
    ['1 min', '6 min', '1 h 40 min', '2 h']
    """
    minutes = max(1, round(ms / 60_000))
    return duration(60_000 * (minutes if minutes < 60 else 10 * round(minutes / 10)))


def age(moment: datetime, now: datetime) -> str:
    """Return how long ago `moment` was, in its largest unit.

    >>> now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    >>> age(datetime(2026, 11, 24, 11, 58, tzinfo=UTC), now)
    '2 min'
    >>> age(datetime(2026, 10, 14, tzinfo=UTC), now)
    '41 d'
    """
    seconds = max(0, int((now - moment).total_seconds()))
    for unit, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"


def exact(moment: datetime) -> str:
    """Return the UTC time for a title.

    >>> exact(datetime(2026, 11, 24, 9, 40, 12, tzinfo=UTC))
    '2026-11-24 09:40:12 UTC'
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def points(fraction: float) -> str:
    """Return a difference of two rates.

    >>> points(0.04), points(-0.012)
    ('+4.0 pts', '−1.2 pts')
    """
    return f"{plain_points(fraction)} pts"


def plain_points(fraction: float) -> str:
    """Return a difference of two rates where a head says that it is in points.

    >>> plain_points(-0.012)
    '−1.2'
    """
    return f"{fraction * 100:+.1f}".replace("-", MINUS)


def part(some: float, of: float) -> int | None:
    """Return whole percent for a word beside a name; None when that tells nothing.

    >>> part(21, 210), part(1, 999), part(7, 7)
    (10, None, None)
    """
    percent = round(100 * some / of) if of else 0
    return percent if 0 < percent < 100 else None


def percent(fraction: float) -> str:
    """Return a rate where its tenths say nothing, as of an estimate.

    >>> percent(0.0412)
    '4%'
    """
    return f"{fraction * 100:.0f}%"


def rate(fraction: float) -> str:
    """Return a rate.

    >>> rate(0.0612)
    '6.1%'
    """
    return f"{fraction * 100:.1f}%"
