"""Which change separates the traces of a failure from the others best, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tracehub.core.stats import exact_interval, wilson_interval

DIMENSIONS = ("prompt", "model", "release", "cohort", "tool")
VERSIONED = ("prompt", "tool")  # name@version: the versions of one name are a family
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

    @property
    def name(self) -> str:
        """What its family has in common: `refund` of refund@v12, elsewhere the value."""
        return self.value.rpartition("@")[0] if self.version else self.value

    @property
    def version(self) -> str:
        """`@v12`, which is never cut off; nothing elsewhere."""
        at = self.value.rfind("@") if self.dimension in VERSIONED else -1
        return self.value[at:] if at > 0 else ""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A value whose rate lies above that of its siblings; Wilson's 95% intervals do not touch.

    `share` is its part of all hits of its family. Rates, shares and the exact 95% intervals
    (`interval` of the rate) are fractions.
    """

    part: Part
    share: float
    share_interval: tuple[float, float]
    interval: tuple[float, float]
    rest_hits: int
    rest_total: int

    @property
    def rest_rate(self) -> float:
        return self.rest_hits / self.rest_total


def parts(hits: Mapping[tuple[str, str], int], totals: Mapping[tuple[str, str], int]) -> list[Part]:
    """Return every value of the families that the failure touches, most hits first.

    Versions of one prompt or tool are a family of their own. A count that is behind its hits (the
    totals are a moment older) is raised to them.
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
    best = max(_compared(values), key=lambda one: one[:2], default=None)
    if best is None:
        return None
    _, _, part, rest, total = best
    return Suspect(
        part,
        part.hits / (part.hits + rest),
        exact_interval(part.hits, part.hits + rest),
        exact_interval(part.hits, part.total),
        rest,
        total,
    )


def _compared(values: list[Part]) -> Iterator[tuple[float, int, Part, int, int]]:
    """Yield what stands out: its gap, the rank of its dimension, and hits and traces of the others.

    Wilson's intervals decide: exact ones cover more than they say, so that few are apart.
    """
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for part in values:
        hits, total = sums.get(family := _family(part.dimension, part.value), (0, 0))
        sums[family] = hits + part.hits, total + part.total
    for part in values:
        hits, total = sums[_family(part.dimension, part.value)]
        total -= part.total
        if part.hits < LEAST or not total:
            continue
        rest = min(hits - part.hits, total)
        if wilson_interval(part.hits, part.total)[0] <= wilson_interval(rest, total)[1]:
            continue
        gap = (part.rate - rest / total) * part.hits / (part.hits + rest)
        yield gap, -DIMENSIONS.index(part.dimension), part, rest, total


def _family(dimension: str, value: str) -> tuple[str, str]:
    return dimension, value.rpartition("@")[0] if dimension in VERSIONED else ""
