"""The most different of many: greedy k-centre on sets of cheap features."""

from __future__ import annotations

from collections.abc import Sequence

Features = frozenset[str]


def most_different(
    features: Sequence[Features], count: int, *, away_from: Sequence[Features] = ()
) -> list[int]:
    """Return the places of `count` items, each far from those before it and from `away_from`.

    The first item comes first when there is nothing to be away from. Distance is one minus the
    overlap of two sets (Jaccard). Costs `count` times the number of items.
    Source: Gonzalez 1985, https://doi.org/10.1016/0304-3975(85)90224-5

    >>> most_different([frozenset("ab"), frozenset("ab"), frozenset("xy")], 2)
    [0, 2]
    >>> most_different([frozenset("ab"), frozenset("xy")], 1, away_from=[frozenset("ab")])
    [1]
    """
    nearest = [min((_distance(one, far) for far in away_from), default=1.0) for one in features]
    chosen: list[int] = []
    for _ in range(min(count, len(features))):
        left = (i for i in range(len(features)) if i not in chosen)
        chosen.append(max(left, key=lambda i: (nearest[i], -i)))
        newest = features[chosen[-1]]
        nearest = [
            min(far, _distance(newest, one)) for far, one in zip(nearest, features, strict=True)
        ]
    return chosen


def _distance(left: Features, right: Features) -> float:
    both = len(left | right)
    return 1.0 - len(left & right) / both if both else 0.0
