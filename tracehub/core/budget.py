"""What a month will cost, from what its days cost so far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import NormalDist, fmean, stdev

PAST_DAYS = 28  # four whole weeks, so that weekends weigh what they do
LEAST_DAYS = 7  # with fewer the spread of days is not known: no interval
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Forecast:
    """US dollars at the end of the month, and the 95 % interval when enough days are known."""

    middle: float
    interval: tuple[float, float] | None


def forecast(spent: float, days: Sequence[float], left: float) -> Forecast:
    """Return what is spent plus `left` more days (with a fraction) like the past ones.

    `days` are the costs of whole days before today. The interval is that of a sum of future values
    under the mean method: t · s · sqrt(left + left² / n), the spread of the days to come and that
    of their mean. Days count as independent of each other; what was spent already stays.
    Source: Hyndman, Athanasopoulos 2021, Forecasting 5.5.

    >>> forecast(100.0, [10.0] * 28, 10.0)
    Forecast(middle=200.0, interval=(200.0, 200.0))
    >>> forecast(0.0, [], 30.0)
    Forecast(middle=0.0, interval=None)
    """
    mean = fmean(days) if days else 0.0
    middle = spent + left * mean
    if len(days) < LEAST_DAYS:
        return Forecast(middle, None)
    half = t_quantile(0.975, len(days) - 1) * stdev(days)
    half *= math.sqrt(left + left * left / len(days))
    return Forecast(middle, (max(spent, middle - half), middle + half))


def t_quantile(p: float, freedom: int) -> float:
    """Return a quantile of Student's t, within 0.1 % from six degrees of freedom on.

    Source: Abramowitz, Stegun 1964, 26.7.5.

    >>> round(t_quantile(0.975, 6), 2), round(t_quantile(0.975, 27), 3)
    (2.45, 2.052)
    """
    z = NormalDist().inv_cdf(p)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / freedom ** (power + 1) for power, term in enumerate(terms))


def month(now: datetime) -> tuple[datetime, datetime]:
    """Return the start of the month (UTC) and of the next one.

    >>> [at.isoformat()[:10] for at in month(datetime(2026, 12, 5, tzinfo=UTC))]
    ['2026-12-01', '2027-01-01']
    """
    start = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return start, (start + 31 * DAY).replace(day=1)
