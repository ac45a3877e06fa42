"""The most different of many: greedy k-centre on sets of cheap features."""

from __future__ import annotations

from collections.abc import Sequence


def most_different(features: Sequence[frozenset[str]], count: int) -> list[int]:
    """Return the places of `count` items, the first one first, each far from those before it.

    Distance is one minus the overlap of two sets (Jaccard). Costs `count` times the number of
    items. Source: Gonzalez 1985, https://doi.org/10.1016/0304-3975(85)90224-5

    >>> most_different([frozenset("ab"), frozenset("ab"), frozenset("xy")], 2)
    [0, 2]
    """
    if not features or count < 1:
        return []
    chosen = [0]
    nearest = [_distance(features[0], one) for one in features]
    while len(chosen) < min(count, len(features)):
        place = max(
            range(len(features)), key=lambda i: (nearest[i], -i) if i not in chosen else (-1.0, -i)
        )
        chosen.append(place)
        nearest = [
            min(far, _distance(features[place], one))
            for far, one in zip(nearest, features, strict=True)
        ]
    return chosen


def _distance(left: frozenset[str], right: frozenset[str]) -> float:
    both = len(left | right)
    return 1.0 - len(left & right) / both if both else 0.0
