"""Which values of a result set its failing traces apart from the others."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal

from tracehub.core.query.terms import Pair

LEAST = 5  # failing traces with a value, seen and not estimated: below it a rate is chance
LIFT = 1.3  # times the failing rate of all
WIDEST = 0.8  # of all traces: what nearly all have separates nothing
SHOWN = 4


# Amounts that a limit is tried at, in the unit of the column: 1, 2, 3, 5 of each power of ten.
_STEPS = (1, 2, 3, 5)
LIMITS: dict[str, tuple[Decimal, ...]] = {
    "cost": tuple(Decimal(step).scaleb(power) for power in range(-4, 2) for step in _STEPS),
    "latency": tuple(Decimal(step * 10**power) for power in range(8, 12) for step in _STEPS),  # ns
    "tokens": tuple(Decimal(step * 10**power) for power in range(2, 6) for step in _STEPS),
}


def above(rows: Iterable[tuple[str, str, int, int]]) -> dict[Pair, tuple[int, int]]:
    """Return (traces, failing) from each limit on, of rows (key, bucket, traces, failing).

    Buckets are numbered as by width_bucket: n holds what lies from limit n - 1 on, below n.

    >>> above([("cost", "0", 7, 0), ("cost", "9", 2, 1), ("cost", "10", 1, 1), ("env", "x", 1, 1)])
    {('cost', '>=0.02'): (1, 1), ('cost', '>=0.01'): (3, 2)}
    """
    found: dict[Pair, tuple[int, int]] = {}
    kept = {(key, int(n)): (more, bad) for key, n, more, bad in rows if key in LIMITS}
    for key, limits in LIMITS.items():
        traces = failing = 0
        for number in range(len(limits), 0, -1):
            if (key, number) in kept:
                more, bad = kept[key, number]
                traces, failing = traces + more, failing + bad
                found[key, f">={_said(key, limits[number - 1])}"] = traces, failing
    return found


def _said(key: str, limit: Decimal) -> str:
    if key == "latency":
        ms = int(limit / 10**6)
        return f"{ms // 1000}s" if ms >= 1000 else f"{ms}ms"
    if key == "tokens":
        return f"{int(limit) // 1000}k" if limit >= 1000 else f"{int(limit)}"
    return f"{limit:f}"


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
