"""A contract before it is published: which past outputs would newly fail, and which newly pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tracehub.core.contracts import checking
from tracehub.core.contracts.checking import Contract
from tracehub.core.contracts.problems import Problem
from tracehub.core.grouping.v1 import place_of

Json = Any
SHARED = 0.8  # of the outputs that fail at a place have what is told of them
LEAST_SHARED = 3  # outputs
MOST_FIELDS = 60  # of one output that are looked at for it
LONGEST = 60  # characters of a value that is told


@dataclass(frozen=True, slots=True)
class Given:
    """A past output: what names it, the version of the prompt, and what it was."""

    name: Any
    version: str
    output: Json


@dataclass(frozen=True, slots=True)
class Hit:
    """An output that newly fails or passes at a place: its number, what it says, what breaks."""

    number: int
    value: Json
    problem: Problem


@dataclass(slots=True)
class Path:
    """One place and rule: the outputs that newly break it, and those that no longer do.

    `alone` are those of the first that broke nothing before: they newly fail as a whole.
    `shared` is what nearly all that newly fail have and the others seldom: pointer, value, number.
    """

    pointer: str
    rule: str
    failing: list[Hit] = field(default_factory=list)
    passing: list[Hit] = field(default_factory=list)
    alone: int = 0
    shared: tuple[str, str, int] | None = None

    @property
    def newly_fail(self) -> int:
        return len(self.failing)

    @property
    def newly_pass(self) -> int:
        return len(self.passing)


@dataclass(slots=True)
class Outcome:
    """The four parts of all outputs, those that hand over to a person, and the changed paths."""

    pass_both: int = 0
    newly_pass: int = 0
    newly_fail: int = 0
    fail_both: int = 0
    escalated: int = 0
    escalated_before: int = 0
    paths: list[Path] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.pass_both + self.newly_pass + self.newly_fail + self.fail_both


def compare(old: Contract | None, new: Contract, outputs: Sequence[Given]) -> Outcome:
    """Return what a new version changes for these outputs, the paths that change most first.

    Without an old version everything passed before.
    """
    outcome = Outcome()
    paths: dict[tuple[str, str], Path] = {}
    values = [checking.read(new, given.output) for given in outputs]
    for number, given in enumerate(outputs):
        before = _broken(old, given.output) if old is not None else {}
        after = _broken(new, given.output)
        if after:
            outcome.fail_both += bool(before)
            outcome.newly_fail += not before
        else:
            outcome.newly_pass += bool(before)
            outcome.pass_both += not before
        outcome.escalated += checking.escalates(new, given.output)
        outcome.escalated_before += old is not None and checking.escalates(old, given.output)
        for place in after.keys() - before.keys():
            path = paths.setdefault(place, Path(*place))
            path.failing.append(Hit(number, values[number], after[place]))
            path.alone += not before
        for place in before.keys() - after.keys():
            path = paths.setdefault(place, Path(*place))
            path.passing.append(Hit(number, values[number], before[place]))
    for path in paths.values():
        path.shared = _shared(path, values)
    outcome.paths = sorted(
        paths.values(), key=lambda one: (-one.newly_fail, -one.newly_pass, one.pointer, one.rule)
    )
    return outcome


def _broken(contract: Contract, output: Json) -> dict[tuple[str, str], Problem]:
    found = checking.check(contract, output)
    return {(place_of(one.pointer), one.rule): one for one in reversed(found)}


def _shared(path: Path, values: Sequence[Json]) -> tuple[str, str, int] | None:
    """Return the text that sets the outputs which newly fail at a path apart from the others."""
    total = len(path.failing)
    if total < LEAST_SHARED:
        return None
    theirs = Counter(pair for hit in path.failing for pair in set(_texts(hit.value)))
    theirs = Counter({p: n for p, n in theirs.items() if p[0] != path.pointer})
    likely = {pair for pair, n in theirs.items() if n >= SHARED * total}
    if not likely:
        return None
    all_of = Counter(pair for value in values for pair in set(_texts(value)) if pair in likely)
    others = len(values) - total

    def apart(pair: tuple[str, str]) -> float:
        return theirs[pair] / total - (all_of[pair] - theirs[pair]) / max(1, others)

    best = max(sorted(likely), key=apart)
    return (*best, theirs[best]) if apart(best) >= SHARED / 2 else None


def _texts(value: Json) -> Iterator[tuple[str, str]]:
    """Yield pointer and text of the short texts in an output, those near the top first."""
    level: list[tuple[str, Json]] = [("", value)]
    left = MOST_FIELDS
    while level and left > 0:
        below: list[tuple[str, Json]] = []
        for pointer, one in level:
            left -= 1
            if isinstance(one, dict):
                below += [(f"{pointer}/{key}", inner) for key, inner in one.items()]
            elif isinstance(one, str) and len(one) <= LONGEST:
                yield pointer, one
        level = below[:left] if left > 0 else []
