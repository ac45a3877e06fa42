"""What a case came to in one run, and what became of it between two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tracehub.core.assess.tries import ERROR, FAIL, PASS, SKIPPED

GRAVE = ("high", "critical")
# What can become of a case, in the order in which people look at the cases of a run.
CHANGES = (
    "regressed", "both_fail", "failed", "error", "flaky", "fixed", "only_run", "both_pass",
    "skipped",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """A case in one run, over its tries; cost (US dollars) and latency are means per try.

    `tries` are those that were told, `passes` how many of them passed.
    """

    kind: str
    status: str
    flaky: bool = False
    severity: str = ""
    cost: float | None = None
    latency_ms: float | None = None
    tries: int = 1
    passes: int = 0

    @property
    def blocks(self) -> bool:
        return self.kind in {"known_failure", "format"} or self.severity in GRAVE


Outcomes = Mapping[str, Outcome]  # by case id


def change(now: Outcome | None, before: Outcome | None) -> str:
    """Return what became of a case since the baseline, one of `CHANGES` or `only_baseline`."""
    if now is None:
        return "only_baseline"
    if now.status in {SKIPPED, ERROR}:
        return now.status
    if before is None or before.status == SKIPPED:
        return "only_run"
    if now.flaky:
        return "flaky"
    if now.status == PASS:
        return "both_pass" if before.status == PASS else "fixed"
    return "regressed" if before.status == PASS else "both_fail"


def rank(change: str, status: str) -> int:
    """Return the place of a change in `CHANGES`; what is new and fails is `failed`.

    >>> rank("regressed", "fail"), rank("only_run", "fail"), rank("only_run", "pass")
    (0, 2, 6)
    """
    return CHANGES.index("failed" if change == "only_run" and status == FAIL else change)
