"""What an eval set covers: failure modes by kind of case, the holes, and what would fill them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from tracehub.core.cases import KINDS
from tracehub.core.query.tree import quote

NO_MODE = ""  # cases without a failure mode, as most successes are
LEAST_SHARE = 0.1  # of one kind; below, the set leans on the others
_FILLS = {
    "known_failure": "mode:{mode} -is:promoted",
    "risky_edge": "mode:{mode} severity:high,critical -is:promoted",
    "format": "mode:{mode} signal:schema_error,not_json -is:promoted",
    "success": "is:passing -is:promoted",
}
_WANTING = {
    "known_failure": "No known failure: nothing stops one that was mended from coming back.",
    "success": "No success: a program that refuses everything would pass.",
    "risky_edge": "No risky edge: what is rare and dear is not tried.",
    "format": "No format case: what other programs read is not checked.",
}


class Mode(NamedTuple):
    """A failure mode and in how many reviews it was seen."""

    slug: str
    name: str
    used: int


class Cell(NamedTuple):
    """The cases of one mode and kind; a hole when the mode happens and there is none."""

    kind: str
    cases: int
    hole: bool


class Row(NamedTuple):
    mode: Mode
    cells: list[Cell]

    @property
    def cases(self) -> int:
        return sum(cell.cases for cell in self.cells)


def grid(modes: Iterable[Mode], cases: Mapping[tuple[str, str], int]) -> list[Row]:
    """Return a row per mode, those with the most holes that happen the most first.

    `cases` counts them by (mode, kind). Cases without a mode come in the last row.
    """
    rows = [Row(mode, [_cell(mode, kind, cases) for kind in KINDS]) for mode in modes]
    rows.sort(key=lambda row: (row.cases > 0, -row.mode.used, row.mode.name))
    bare = Mode(NO_MODE, "No failure mode", 0)
    return [*rows, Row(bare, [_cell(bare, kind, cases) for kind in KINDS])]


def _cell(mode: Mode, kind: str, cases: Mapping[tuple[str, str], int]) -> Cell:
    count = cases.get((mode.slug, kind), 0)
    return Cell(kind, count, not count and mode.used > 0)


def fill(mode: str, kind: str, segment: tuple[str, str] | None = None) -> str:
    """Return the filter of the traces that would fill a hole.

    >>> fill("wrong-amount", "known_failure", ("prompt", "refund"))
    'mode:"wrong-amount" -is:promoted prompt:"refund"'
    """
    found = _FILLS[kind].format(mode=quote(mode))
    return f"{found} {segment[0]}:{quote(segment[1])}" if segment else found


def imbalance(by_kind: Mapping[str, int]) -> list[str]:
    """Say which of the four kinds is missing, or has less than a tenth of the cases."""
    total = sum(by_kind.values())
    said = []
    for kind in KINDS:
        count = by_kind.get(kind, 0)
        if not count:
            said.append(_WANTING[kind])
        elif count < LEAST_SHARE * total:
            said.append(f"Only {count} of {total} cases are of the kind {kind.replace('_', ' ')}.")
    return said if total else []


def without_case(
    traffic: Sequence[tuple[str, int]], covered: Iterable[str]
) -> list[tuple[str, int]]:
    """Return what is used but has no case, the busiest first.

    >>> without_case([("refund", 90), ("rebook", 10)], ["refund"])
    [('rebook', 10)]
    """
    known = set(covered)
    return [(name, count) for name, count in traffic if name and name not in known]


def by_name(versions: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """Add the traces of versions up by the name of their prompt or tool, the busiest first.

    >>> by_name([("refund@v2", 5), ("rebook@v1", 7), ("refund@v1", 4)])
    [('refund', 9), ('rebook', 7)]
    """
    found: dict[str, int] = {}
    for version, count in versions:
        name = version.rpartition("@")[0] or version
        found[name] = found.get(name, 0) + count
    return sorted(found.items(), key=lambda item: (-item[1], item[0]))


def stale(
    prompts: Mapping[str, int],
    contracts: Mapping[str, int],
    *,
    in_use: Iterable[str],
    newest: Mapping[str, int],
) -> list[tuple[str, str, int]]:
    """Return (`prompt` or `contract`, why, number of cases) for cases whose ground is gone.

    `prompts` and `contracts` count the cases by what they name, contracts as `name/version`;
    `in_use` are prompts that served of late, `newest` the version in force of each contract.

    >>> stale({"old": 2}, {"refund-reply/2": 3}, in_use=["new"], newest={"refund-reply": 3})
    [('prompt', 'old', 2), ('contract', 'refund-reply/2', 3)]
    """
    known = set(in_use)
    found = [("prompt", name, n) for name, n in sorted(prompts.items()) if name not in known]
    for label, cases in sorted(contracts.items()):
        name, _, version = label.rpartition("/")
        if version.isdigit() and newest.get(name, int(version)) != int(version):
            found.append(("contract", label, cases))
    return found
