"""Intervals and paired tests for small numbers: how sure a number is."""

from __future__ import annotations

import random
from collections.abc import Sequence
from math import comb, exp, lgamma, log, log1p, sqrt
from statistics import NormalDist

DRAWS = 10_000
# Picks that one bootstrap may take, about half a second; with more pairs it draws less often.
_PICKS = 4_000_000


def wilson_interval(failed: float, total: float, level: float = 0.95) -> tuple[float, float]:
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


def exact_interval(failed: int, total: int, level: float = 0.95) -> tuple[float, float]:
    """Return the exact interval for a failing rate, as two fractions to six decimals.

    It covers the rate at least so often as `level` says, however small the numbers; it is wider
    than Wilson's. Raises ValueError as that does.
    Source: Clopper, Pearson 1934, https://doi.org/10.1093/biomet/26.4.404

    >>> [round(x, 4) for x in exact_interval(3, 50)]
    [0.0125, 0.1655]
    >>> [round(x, 4) for x in exact_interval(0, 20)]
    [0.0, 0.1684]
    """
    if total <= 0 or not 0 <= failed <= total:
        raise ValueError(f"needs 0 <= failed <= total and total > 0. Got {failed} of {total}.")
    chance = (1 - level) / 2
    return _lowest(failed, total, chance), 1 - _lowest(total - failed, total, chance)


def _lowest(hits: int, total: int, chance: float) -> float:
    """Return the rate at which so many hits, or more, have a chance: by halving."""
    low, high = 0.0, hits / total
    while high - low > 1e-7:
        middle = (low + high) / 2
        low, high = (low, middle) if upper_tail(hits, total, middle) > chance else (middle, high)
    return low


def upper_tail(hits: int, total: int, share: float) -> float:
    """Return the chance of at least `hits` of `total` at a rate `share` below hits / total.

    The first term by logarithms, the others by their ratio, until they no longer count.

    >>> round(upper_tail(3, 5, 0.5), 6)
    0.5
    """
    if share <= 0:
        return 0.0
    first = lgamma(total + 1) - lgamma(hits + 1) - lgamma(total - hits + 1) + hits * log(share)
    term = exp(first + ((total - hits) * log1p(-share) if total > hits else 0.0))
    tail, odds = term, share / (1 - share) if share < 1 else 0.0
    for n in range(hits, total):
        term *= (total - n) / (n + 1) * odds
        tail += term
        if term <= tail * 1e-12:
            break
    return min(1.0, tail)


def mcnemar_worse(worse: int, better: int) -> float:
    """Return the one-sided exact p of McNemar's test: that chance alone makes so many worse.

    `worse` and `better` count the pairs that changed; those that did not say nothing.
    Source: McNemar 1947, the sign test on the pairs that changed.

    >>> mcnemar_worse(6, 1)
    0.0625
    """
    changed = worse + better
    return float(sum(comb(changed, k) for k in range(worse, changed + 1)) / 2**changed)


def mcnemar_differ(one: int, other: int, *, mid: bool = False) -> float:
    """Return the two-sided exact p of McNemar's test; with `mid`, its mid-p.

    Source: Fagerland, Lydersen, Laake 2013, BMC Med Res Methodol 13:91.

    >>> mcnemar_differ(6, 1), round(mcnemar_differ(6, 1, mid=True), 4)
    (0.125, 0.0703)
    """
    changed, most = one + other, max(one, other)
    tail = mcnemar_worse(most, changed - most)
    if mid:
        tail -= comb(changed, most) / 2**changed / 2
    return min(1.0, 2 * tail)


def ratio_interval(
    before: Sequence[float], after: Sequence[float], *, level: float = 0.95, seed: int = 1
) -> tuple[float, float]:
    """Return the percentile interval of mean(after) / mean(before) by a paired bootstrap.

    Pairs are drawn together, 10 000 times, fewer above 400 pairs and 1000 at least; the same
    numbers always give the same interval. Raises ValueError without pairs or when `before` sums
    to 0. Source: Efron, Tibshirani 1993, chapter 13.

    >>> ratio_interval([1.0, 2.0, 3.0], [1.5, 3.0, 4.5])
    (1.5, 1.5)
    """
    n = len(before)
    if n == 0 or n != len(after) or sum(before) <= 0:
        raise ValueError("needs pairs whose first numbers sum to more than 0.")
    draw = random.Random(seed)  # noqa: S311 a fixed seed, so that a gate says the same twice
    ratios = []
    for _ in range(max(1000, min(DRAWS, _PICKS // n))):
        picked = draw.choices(range(n), k=n)
        base = sum(map(before.__getitem__, picked))
        if base > 0:
            ratios.append(sum(map(after.__getitem__, picked)) / base)
    ratios.sort()
    cut = int((1 - level) / 2 * len(ratios))
    return ratios[cut], ratios[-1 - cut]
