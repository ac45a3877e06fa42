"""Which change separates the traces of a failure from the others best, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tracehub.core.stats import wilson_interval

DIMENSIONS = ("prompt", "model", "release", "cohort")
LEAST = 3  # hits that a value needs before it is worth suspecting


@dataclass(frozen=True, slots=True)
class Part:
    """One value of a dimension: its traces in the failure, of all its traces."""

    dimension: str
    value: str
    hits: int
    total: int

    @property
    def rate(self) -> float:
        return self.hits / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True)
class Suspect:
    """A value whose rate lies above that of its siblings, with 95% intervals that do not touch.

    `share` is its part of all hits of its family; rates and intervals are fractions.
    """

    part: Part
    share: float
    interval: tuple[float, float]
    rest_hits: int
    rest_total: int

    @property
    def rest_rate(self) -> float:
        return self.rest_hits / self.rest_total


def parts(hits: Mapping[tuple[str, str], int], totals: Mapping[tuple[str, str], int]) -> list[Part]:
    """Return every value of the families that the failure touches, most hits first.

    Versions of one prompt are a family of their own. A count that is behind its hits (the totals
    are a moment older) is raised to them.
    """
    touched = {_family(key, value) for key, value in hits}
    found = [
        Part(key, value, hits.get((key, value), 0), max(total, hits.get((key, value), 0)))
        for (key, value), total in totals.items()
        if _family(key, value) in touched
    ]
    known = {(part.dimension, part.value) for part in found}
    found += [Part(*place, n, n) for place, n in hits.items() if place not in known]
    return sorted(found, key=lambda part: (-part.hits, -part.total, part.value))


def find(values: list[Part]) -> Suspect | None:
    """Return the value whose rate stands out most, None when none does for sure."""
    best: tuple[float, int, Suspect] | None = None
    for part in values:
        family = _family(part.dimension, part.value)
        others = [
            one for one in values if one is not part and _family(one.dimension, one.value) == family
        ]
        total = sum(one.total for one in others)
        if part.hits < LEAST or not total:
            continue
        rest = min(sum(one.hits for one in others), total)
        interval = wilson_interval(part.hits, part.total)
        if interval[0] <= wilson_interval(rest, total)[1]:
            continue
        share = part.hits / (part.hits + rest)
        gap = (part.rate - rest / total) * share
        rank = -DIMENSIONS.index(part.dimension)
        if best is None or (gap, rank) > best[:2]:
            best = (gap, rank, Suspect(part, share, interval, rest, total))
    return best[2] if best else None


def _family(dimension: str, value: str) -> tuple[str, str]:
    return dimension, value.rpartition("@")[0] if dimension == "prompt" else ""
