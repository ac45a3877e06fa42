"""Several tries of each case: how often one of k passes, and how often all k do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import comb
from statistics import fmean


def pass_at(k: int, tries: int, passed: int) -> float:
    """Return the chance that at least one of k tries passes, without bias, for k <= tries.

    Source: Chen et al. 2021, arXiv 2107.03374, equation 1.

    >>> round(pass_at(1, 5, 2), 4), round(pass_at(3, 5, 2), 4), pass_at(4, 5, 2)
    (0.4, 0.9, 1.0)
    """
    return 1 - comb(tries - passed, k) / comb(tries, k)


def pass_hat(k: int, tries: int, passed: int) -> float:
    """Return the chance that all of k tries pass (pass^k), without bias, for k <= tries.

    Source: Yao et al. 2024, arXiv 2406.12045 (tau-bench), section 3.

    >>> round(pass_hat(1, 5, 4), 4), round(pass_hat(3, 5, 4), 4), pass_hat(5, 5, 4)
    (0.8, 0.4, 0.0)
    """
    return comb(passed, k) / comb(tries, k)


@dataclass(frozen=True, slots=True)
class Repeats:
    """pass@k and pass^k as means over the cases that were tried k times or more."""

    k: int
    cases: int
    pass_at: float
    pass_hat: float

    def sentence(self) -> str:
        """`pass@5 96 %, pass^5 71 % over 26 cases`."""
        return (
            f"pass@{self.k} {self.pass_at:.0%}, pass^{self.k} {self.pass_hat:.0%} "
            f"over {self.cases} case{'' if self.cases == 1 else 's'}"
        )


def summed(counts: Iterable[tuple[int, int]]) -> Repeats | None:
    """Return both rates over cases as (tries, passed); k is the fewest tries that any case had.

    None when that is below two: a retry of what failed says nothing of how steady the rest is.

    >>> summed([(3, 3), (3, 1), (4, 0)])
    Repeats(k=3, cases=3, pass_at=0.6666666666666666, pass_hat=0.3333333333333333)
    >>> summed([(1, 1), (2, 0)]) is None
    True
    """
    told = [pair for pair in counts if pair[0]]
    k = min((tries for tries, _ in told), default=0)
    if k < 2:
        return None
    return Repeats(
        k,
        len(told),
        fmean(pass_at(k, *pair) for pair in told),
        fmean(pass_hat(k, *pair) for pair in told),
    )
