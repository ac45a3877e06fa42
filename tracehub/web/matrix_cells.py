"""The cells of the matrix of steps: rates, how they changed, and which are higher than before."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from tracehub.core.comparison import Change, holm, rate_change, reading
from tracehub.core.trace import Kind
from tracehub.core.transitions import START, Matrix
from tracehub.web import copy
from tracehub.web.matrix_reading import Versions
from tracehub.web.trace_list.state import ListState

MOST_STEPS = 14  # rows and columns; rarer steps are left out
SHADES = 10
Place = tuple[str, str]  # last good step, first failing step


@dataclass(frozen=True, slots=True)
class Cell:
    """One pair of steps: `shade` is 0 to 10 of the highest rate, or of the highest rise."""

    before: str
    failing: str
    count: int
    said: str  # the rate, or its change
    title: str
    shade: int
    url: str
    chosen: bool
    hot: bool


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    kind: Kind | None
    passed: int
    cells: list[Cell | None]
    failed: int

    @property
    def rate(self) -> float:
        return self.failed / max(1, self.passed)


def chosen(found: Matrix, asked: Place) -> Place | None:
    """Return the cell that was asked for, else the one with the most traces."""
    if asked in found.cells:
        return asked
    return max(found.cells, key=lambda cell: (len(found.cells[cell]), cell), default=None)


def changes(versions: Versions | None) -> dict[Place, Change]:
    """Return how the rate of each cell of both versions changed, where both can tell."""
    if versions is None:
        return {}
    found = {}
    for place in dict.fromkeys([*versions.new.cells, *versions.old.cells]):
        change = rate_change(counted(versions.old, place), counted(versions.new, place))
        if change is not None:
            found[place] = change
    return found


def counted(found: Matrix, place: Place) -> tuple[int, int]:
    """Return how many traces fail there, of how many that passed the step before."""
    return len(found.cells.get(place, ())), found.passed[place[0]]


def hot(found: dict[Place, Change]) -> set[Place]:
    """Return the cells that are higher than before, 95 % sure for all of them together (Holm)."""
    ps = holm([change.p for change in found.values()])
    return {
        place
        for (place, change), p in zip(found.items(), ps, strict=True)
        if reading(p, change.difference, higher_is_worse=True) == "worse"
    }


def draw(
    found: Matrix, versions: Versions | None, state: ListState, at: Place | None, *, change: bool
) -> dict[str, Any]:
    """Return the rows and columns of the table."""
    failing = Counter(dict.fromkeys(found.names, 0))
    for (_, name), paths in found.cells.items():
        failing[name] += len(paths)
    columns = [name for name in found.names if failing[name]][:MOST_STEPS]
    before = [name for name in [START, *found.names] if any(name == b for b, _ in found.cells)]
    changed = changes(versions)
    risen = hot(changed)
    rises = [changed[place].difference for place in found.cells if place in changed]
    rates = [found.rate(*place) for place in found.cells]
    highest = max(rises if change else rates, default=0.0)

    def cell(place: Place) -> Cell | None:
        count, _ = counted(found, place)
        if not count:
            return None
        rate, moved = found.rate(*place), changed.get(place)
        value = (moved.difference if moved else 0.0) if change else rate
        said = (copy.plain_points(value) if moved else "new") if change else None
        shade = max(0, round(SHADES * value / highest)) if highest > 0 else 0
        more = {"show": "change"} if change else {}
        url = state.url(after=place[0], at=place[1], **more)
        title = _title(versions, place, moved)
        return Cell(
            *place, count, said or copy.rate(rate), title, shade, url, place == at, place in risen
        )

    rows = []
    for name in before[:MOST_STEPS]:
        cells = [cell((name, other)) for other in columns]
        kind = found.kinds.get(name)
        rows.append(Row(name, kind, found.passed[name], cells, sum(c.count for c in cells if c)))
    located = sum(failing.values())
    sums = [(name, found.kinds.get(name), failing[name], failing[name] / max(1, located))
            for name in columns]  # fmt: skip
    return {
        "rows": rows,
        "columns": sums,
        "located": located,
        "located_share": located / max(1, found.passed[START]),
        "highest": highest,
        "any_hot": bool(risen),
    }


def _title(versions: Versions | None, place: Place, moved: Change | None) -> str:
    if versions is None or moved is None:
        return ""
    low, high = (copy.plain_points(end) for end in moved.interval)
    was = copy.rate(versions.old.rate(*place))
    return f"{versions.before} {was}, {copy.points(moved.difference)} ({low} to {high})"
