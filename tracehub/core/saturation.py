"""Whether reading more traces would show new kinds of failure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from tracehub.core.stats import wilson_interval

RECENT = 20  # traces
READ_AT_LEAST = 30  # before "saturated" is said: groups come after 30 to 50 notes
ENOUGH = 0.05  # share of failures in unseen modes


@dataclass(frozen=True, slots=True)
class Saturation:
    """`steps` has one entry a trace: "new" mode, known "hit", or "" for none.

    `unseen` is the estimated share of failures whose mode was never seen, with its interval; None
    before the first failure.
    """

    steps: list[str]
    recent_new: int
    last_new: int  # number of the trace, from 1; 0 without any
    unseen: float | None
    interval: tuple[float, float] | None

    @property
    def saturated(self) -> bool:
        enough = len(self.steps) >= READ_AT_LEAST and self.recent_new == 0
        return enough and self.unseen is not None and self.unseen <= ENOUGH


def saturation(read: Sequence[Sequence[Hashable]]) -> Saturation:
    """Return how far the modes of traces, in the order of reading, are known.

    The share of failures in unseen modes is the number of modes seen once over the number of
    failures: Good 1953, https://doi.org/10.1093/biomet/40.3-4.237 (Turing's estimator). Its
    interval is Wilson's for that share.

    >>> found = saturation([["a"], ["a", "b"], [], ["a"]])
    >>> found.steps, found.last_new, found.unseen
    (['new', 'new', '', 'hit'], 2, 0.25)
    """
    seen: Counter[Hashable] = Counter()
    steps = []
    for modes in read:
        new = any(mode not in seen for mode in modes)
        seen.update(set(modes))
        steps.append("new" if new else "hit" if modes else "")
    failures = sum(seen.values())
    once = sum(count == 1 for count in seen.values())
    return Saturation(
        steps,
        steps[-RECENT:].count("new"),
        max((i for i, step in enumerate(steps, 1) if step == "new"), default=0),
        once / failures if failures else None,
        wilson_interval(once, failures) if failures else None,
    )
