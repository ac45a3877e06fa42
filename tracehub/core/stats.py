"""Intervals: how sure a number is."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist


def wilson_interval(failed: int, total: int, level: float = 0.95) -> tuple[float, float]:
    """Return the score interval for a failing rate, as two fractions (not percent).

    Holds for small samples and for 0 of n, where the normal interval does not.
    Raises ValueError if `total` is 0 or `failed` lies outside 0..total.
    Source: Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953

    >>> [round(x, 3) for x in wilson_interval(3, 50)]
    [0.021, 0.162]
    >>> [round(x, 3) for x in wilson_interval(0, 20)]
    [0.0, 0.161]
    """
    if total <= 0 or not 0 <= failed <= total:
        raise ValueError(f"needs 0 <= failed <= total and total > 0. Got {failed} of {total}.")
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share, weight = failed / total, z * z / total
    middle = (share + weight / 2) / (1 + weight)
    half = z / (1 + weight) * sqrt(share * (1 - share) / total + weight / (4 * total))
    return max(0.0, middle - half), min(1.0, middle + half)
