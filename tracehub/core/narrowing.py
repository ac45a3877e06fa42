"""Which values of a result set its failing traces apart from the others."""

from __future__ import annotations

import math
from collections.abc import Mapping

from tracehub.core.query.terms import Pair

LEAST = 5  # failing traces with a value, seen and not estimated: below it a rate is chance
LIFT = 1.3  # times the failing rate of all
WIDEST = 0.8  # of all traces: what nearly all have separates nothing
SHOWN = 4


def separating(
    pairs: Mapping[Pair, tuple[int, int]], traces: int, failing: int
) -> list[tuple[Pair, int, int]]:
    """Return the best values with their (traces, failing), at most one of each key.

    `pairs` holds (traces, failing) of each key and value among `traces`, of which `failing` fail.
    The score of a value is its failing traces times the logarithm of its lift: how much it tells.

    >>> separating({("cohort", "canary"): (10, 9), ("env", "eu"): (50, 10)}, 100, 20)
    [(('cohort', 'canary'), 10, 9)]
    """
    if not failing or failing == traces:
        return []
    best: dict[str, tuple[float, Pair, int, int]] = {}
    for pair, (count, bad) in pairs.items():
        if bad < LEAST or count > WIDEST * traces:
            continue
        lift = (bad / count) / (failing / traces)
        score = bad * math.log(lift)
        if lift >= LIFT and score > best.get(pair[0], (0.0,))[0]:
            best[pair[0]] = (score, pair, count, bad)
    ranked = sorted(best.values(), key=lambda one: (-one[0], one[1]))
    return [(pair, count, bad) for _, pair, count, bad in ranked[:SHOWN]]
