"""How far reviewers agree with each other, and with a judge. Plain Python, no clock, own dice.

Ratings come as rows of reviewers over the same items, with None where one did not say:
`[[1, 0, None], [1, 1, 0]]` are two reviewers and three items.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from itertools import combinations
from random import Random

Ratings = Sequence[Sequence[Hashable | None]]
FEWEST_SHARED = 10  # items; below it a coefficient says more than is known
FEWEST_INFORMATIVE = 1.1  # TPR + TNR of a judge; at 1 it throws a coin


def percent_agreement(rows: Ratings) -> float | None:
    """Return the share of equal pairs of verdicts on the shared items; None without any.

    >>> percent_agreement([[1, 1, 0, None], [1, 0, 0, 1]])
    0.6666666666666666
    """
    units = _shared(rows)
    if not units:
        return None
    return sum(_equal_pairs(unit) for unit in units) / len(units)


def cohen_kappa(a: Sequence[Hashable | None], b: Sequence[Hashable | None]) -> float | None:
    """Return kappa of two reviewers over the items that both rated.

    None when they share no item, or when both gave one and the same rating throughout: then
    chance alone explains everything. Source: Cohen 1960, https://doi.org/10.1177/001316446002000104

    >>> round(cohen_kappa([1, 1, 1, 0, 1, 1, 0, 1, 1, 1], [1, 1, 1, 0, 1, 0, 0, 1, 1, 1]), 6)
    0.736842
    """
    pairs = [(x, y) for x, y in zip(a, b, strict=True) if x is not None and y is not None]
    if not pairs:
        return None
    total = len(pairs)
    first, second = Counter(x for x, _ in pairs), Counter(y for _, y in pairs)
    observed = sum(x == y for x, y in pairs) / total
    expected = sum(first[value] * second[value] for value in first) / total**2
    return None if expected == 1 else (observed - expected) / (1 - expected)


def krippendorff_alpha(rows: Ratings) -> float | None:
    """Return nominal alpha of any number of reviewers with gaps.

    None without a shared item or without two different ratings.
    Source: Krippendorff 2011, https://repository.upenn.edu/handle/20.500.14332/2089
    """
    units = _shared(rows)
    totals = Counter(value for unit in units for value in unit)
    count = sum(totals.values())
    if len(totals) < 2:
        return None
    disagreed = sum(len(unit) * (1 - _equal_pairs(unit)) for unit in units) / count
    by_chance = 1 - sum(n * (n - 1) for n in totals.values()) / (count * (count - 1))
    return 1 - disagreed / by_chance


def ordinal_alpha(rows: Sequence[Sequence[int | None]]) -> float | None:
    """Return ordinal alpha: ratings far apart in rank disagree more. For severities as 1, 2, …

    None without a shared item or without two different ratings.
    Source: Krippendorff 2011, https://repository.upenn.edu/handle/20.500.14332/2089
    """
    units = [[v for v in unit if v is not None] for unit in zip(*rows, strict=True)]
    units = [unit for unit in units if len(unit) > 1]
    totals = Counter(value for unit in units for value in unit)
    count = sum(totals.values())
    if len(totals) < 2:
        return None

    def apart(one: int, other: int) -> float:
        """The squared number of ratings from one rank to another, both ends counted half."""
        low, high = min(one, other), max(one, other)
        between = sum(n for value, n in totals.items() if low <= value <= high)
        return float(between - (totals[one] + totals[other]) / 2) ** 2

    disagreed = sum(
        2 * sum(apart(x, y) for x, y in combinations(unit, 2)) / (len(unit) - 1) for unit in units
    )
    by_chance = sum(2 * totals[x] * totals[y] * apart(x, y) for x, y in combinations(totals, 2)) / (
        count - 1
    )
    return 1 - disagreed / by_chance


def gwet_ac1(rows: Ratings) -> float | None:
    """Return AC1, which keeps its sense when nearly all verdicts are alike.

    None without a shared item or without two different ratings.
    Source: Gwet 2008, https://doi.org/10.1348/000711006X126600
    """
    units = _shared(rows)
    rated = [[v for v in unit if v is not None] for unit in zip(*rows, strict=True)]
    rated = [unit for unit in rated if unit]
    values = {value for unit in rated for value in unit}
    if not units or len(values) < 2:
        return None
    observed = sum(_equal_pairs(unit) for unit in units) / len(units)
    shares = [sum(unit.count(v) / len(unit) for unit in rated) / len(rated) for v in values]
    by_chance = sum(share * (1 - share) for share in shares) / (len(values) - 1)
    return (observed - by_chance) / (1 - by_chance)


def bootstrap(
    measure: Callable[[Ratings], float | None], rows: Ratings, *, draws: int = 1000, seed: int = 0
) -> tuple[float, float] | None:
    """Return the 95% percentile interval of `measure` over resampled items.

    None when fewer than half of the resamples have a value.
    Source: Efron 1979, https://doi.org/10.1214/aos/1176344552
    """
    dice = Random(seed)  # noqa: S311 statistics, not secrets
    items = list(zip(*rows, strict=True))
    found = []
    for _ in range(draws):
        drawn = measure(list(zip(*dice.choices(items, k=len(items)), strict=True)))
        if drawn is not None:
            found.append(drawn)
    return _middle(found) if len(found) * 2 >= draws else None


def true_rate(judged: float, tpr: float, tnr: float) -> float:
    """Return the true failing rate behind what a judge says, clipped to [0, 1].

    Raises ValueError when the judge tells too little: TPR + TNR of 1.1 or less.
    Source: Rogan, Gladen 1978, https://doi.org/10.1093/oxfordjournals.aje.a112510

    >>> round(true_rate(0.30, 0.85, 0.90), 4)
    0.2667
    """
    if tpr + tnr <= FEWEST_INFORMATIVE:
        raise ValueError(
            f"the judge tells too little: TPR {tpr:.2f} and TNR {tnr:.2f} must add up to more "
            f"than {FEWEST_INFORMATIVE}."
        )
    return min(1.0, max(0.0, (judged + tnr - 1) / (tpr + tnr - 1)))


def true_rate_interval(
    judged: tuple[int, int],
    caught: tuple[int, int],
    cleared: tuple[int, int],
    *,
    draws: int = 10_000,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the 95% interval of `true_rate`, each part as (hits, number).

    Draws each of the three rates anew from its counts (a Beta with Jeffreys' prior), so both the
    labelled sample and the judged traces vary. Raises ValueError as `true_rate` does.
    """
    dice = Random(seed)  # noqa: S311 statistics, not secrets
    true_rate(0.5, caught[0] / caught[1], cleared[0] / cleared[1])
    found = []
    for _ in range(draws):
        p, tpr, tnr = (
            dice.betavariate(hits + 0.5, number - hits + 0.5)
            for hits, number in (judged, caught, cleared)
        )
        if tpr + tnr > 1:
            found.append(min(1.0, max(0.0, (p + tnr - 1) / (tpr + tnr - 1))))
    return _middle(found)


def _shared(rows: Ratings) -> list[list[Hashable]]:
    """Return the ratings of each item that two or more reviewers rated."""
    units = ([v for v in unit if v is not None] for unit in zip(*rows, strict=True))
    return [unit for unit in units if len(unit) > 1]


def _equal_pairs(unit: Sequence[Hashable]) -> float:
    pairs = list(combinations(unit, 2))
    return sum(x == y for x, y in pairs) / len(pairs)


def _middle(values: list[float]) -> tuple[float, float]:
    values.sort()
    last = len(values) - 1
    return values[round(0.025 * last)], values[round(0.975 * last)]
