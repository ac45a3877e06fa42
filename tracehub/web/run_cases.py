"""The cases of a run in the order in which people look at them: what fell first.

`Kept` reads a page of them by the gate that is kept with the run. `Compared` has all of them, for a
baseline that the person chose and the gate was decided against just now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from django.db.models import QuerySet

from tracehub.core.assess.tries import ERROR, FAIL
from tracehub.core.gating import Gate
from tracehub.core.outcomes import CHANGES
from tracehub.evals import run_querysets
from tracehub.evals.models import Run, RunResult

ONLY = ("failed", "regressed", "flaky", "fixed")
PAGE = 200  # cases listed at once
FAILED = (FAIL, ERROR)


@dataclass(frozen=True, slots=True)
class Place:
    """A case in the list: its number, what became of it, and its status."""

    number: int
    change: str
    status: str

    @property
    def id(self) -> str:
        return f"c_{self.number:04d}"

    @property
    def rank(self) -> int:
        return CHANGES.index(self.change)


class Cases(Protocol):
    """What the page of a run asks; `only` is one of `ONLY` or "" for all."""

    total: int
    counts: dict[str, int]

    def page(self, only: str, after: Place | None) -> tuple[list[Place], bool]:
        """Return a page of the list after a place, and whether more follow."""

    def find(self, number: int) -> Place | None:
        """Return the place of a case, None when the run has no such case."""

    def beside(self, only: str, place: Place) -> tuple[str, str]:
        """Return the ids of the cases before and after a place, "" at the ends."""


class Kept:
    """The cases by the kept gate: each call reads what it returns, from one index."""

    def __init__(self, run: Run) -> None:
        self._run = run
        counts = run.gate["counts"]
        self.total = run.gate["results"]
        self.counts = {
            "failed": run.gate["failed"],
            **{only: counts[only] for only in ONLY if only != "failed"},
        }

    def page(self, only: str, after: Place | None) -> tuple[list[Place], bool]:
        rows = self._rows(only)
        rows = run_querysets.after(rows, after.rank, after.number) if after else rows
        found = [_place(*row) for row in rows.values_list("number", "rank", "status")[: PAGE + 1]]
        return found[:PAGE], len(found) > PAGE

    def find(self, number: int) -> Place | None:
        rows = run_querysets.listed(self._run).filter(number=number)
        row = rows.values_list("number", "rank", "status").first()
        return _place(*row) if row else None

    def beside(self, only: str, place: Place) -> tuple[str, str]:
        rows = self._rows(only)
        near = (
            run_querysets.before(rows, place.rank, place.number).only("number").first(),
            run_querysets.after(rows, place.rank, place.number).only("number").first(),
        )
        before, after = (row.case_id if row else "" for row in near)
        return before, after

    def _rows(self, only: str) -> QuerySet[RunResult]:
        statuses = FAILED if only == "failed" else ()
        ranks = (CHANGES.index(only),) if only and only != "failed" else ()
        return run_querysets.listed(self._run, ranks, statuses)


class Compared:
    """The cases by a gate that was decided for this page."""

    def __init__(self, gate: Gate) -> None:
        places = (_place(int(id[2:]), gate.rank(id), status) for id, status in gate.after.items())
        self._all = sorted(places, key=lambda place: (place.rank, place.number))
        self.total = len(self._all)
        self.counts = {only: len(self._listed(only)) for only in ONLY}

    def page(self, only: str, after: Place | None) -> tuple[list[Place], bool]:
        listed = self._listed(only)
        start = listed.index(after) + 1 if after in listed else 0
        return listed[start : start + PAGE], start + PAGE < len(listed)

    def find(self, number: int) -> Place | None:
        return next((place for place in self._all if place.number == number), None)

    def beside(self, only: str, place: Place) -> tuple[str, str]:
        listed = self._listed(only)
        at = listed.index(place) if place in listed else 0
        before = listed[at - 1].id if at else ""
        return before, listed[at + 1].id if at + 1 < len(listed) else ""

    def _listed(self, only: str) -> list[Place]:
        if only == "failed":
            return [place for place in self._all if place.status in FAILED]
        return [place for place in self._all if not only or place.change == only]


def _place(number: int, rank: int, status: str) -> Place:
    return Place(number, CHANGES[rank], status)
