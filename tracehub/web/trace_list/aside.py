"""The facets beside the list, and the terms to narrow it by."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tracehub.core.narrowing import LIMITS
from tracehub.core.query import parse
from tracehub.core.query.terms import Pair
from tracehub.core.query.tree import Absent, Filter, Node, Not, Pattern, Term, Value
from tracehub.review.models import FailureMode
from tracehub.traces.facets import Counts
from tracehub.web import marks
from tracehub.web.trace_list.state import ListState

TITLES = {
    "verdict": "Verdict",
    "signal": "Failure signals",
    "prompt": "Prompt",
    "model": "Model",
    "env": "Environment",
    "cohort": "Rollout cohort",
    "mode": "Failure modes",
    "tag": "Tags",
}
SHOWN = 5


class FacetRow(NamedTuple):
    label: str
    traces: int
    share: int  # percent of the largest count
    url: str
    chosen: bool
    mark: marks.Mark | None = None


@dataclass(frozen=True, slots=True)
class Facet:
    key: str
    title: str
    first: list[FacetRow]
    rest: list[FacetRow] = field(default_factory=list)
    estimated: bool = False

    @property
    def mono(self) -> bool:
        return self.key == "prompt"

    @property
    def open(self) -> bool:
        return self.key != "tag" or any(row.chosen for row in self.first + self.rest)


def facets(
    state: ListState,
    counts: Counts,
    modes: Sequence[FailureMode],
) -> list[Facet]:
    """Return the facets that have a value, the chosen ones among the first five."""
    names = {mode.slug: mode.name for mode in modes}
    found = []
    for key, values in counts.values.items():
        if not values:
            continue
        most = max(count for _, count in values)
        made = [_row(state, key, value, count, most, names) for value, count in values]
        if key == "verdict":
            order = [*marks.VERDICTS, "none"]
            by_value = dict(zip((value for value, _ in values), made, strict=True))
            made = [by_value[value] for value in order if value in by_value]
        first = made[:SHOWN]
        late = [row for row in made[SHOWN:] if row.chosen]
        rest = [row for row in made[SHOWN:] if not row.chosen]
        found.append(Facet(key, TITLES[key], first + late, rest, key in counts.estimated))
    return found


def _row(
    state: ListState, key: str, text: str, count: int, most: int, names: Mapping[str, str]
) -> FacetRow:
    value: Value = Absent() if key == "verdict" and text == "none" else Pattern((text,))
    chosen, after = _toggle(state.wanted, key, value, text)
    mark = marks.verdict(text) if key == "verdict" else None
    label = text
    if key == "signal":
        label = marks.signal(text).label
    elif key == "mode":
        label = names.get(text) or marks.words(text)
    elif mark:
        label = mark.label
    share = max(1, round(100 * count / most))
    return FacetRow(label, count, share, state.filtered(after), chosen, mark)


def _toggle(wanted: Filter, key: str, value: Value, text: str) -> tuple[bool, Filter]:
    """Tell whether a value is chosen, and return the filter after a click on it."""
    excluded: Node = Not(Term(key, (value,)))
    if excluded in wanted.parts:
        return False, wanted.without(excluded)
    values = wanted.values_of(key)
    if value not in values and any(_covers(key, one, text) for one in values):
        return True, wanted.plus(Filter(excluded))
    return value in values, wanted.toggled(key, value)


def _covers(key: str, value: Value, text: str) -> bool:
    """Tell whether a wildcard, or a prompt without version, lets `text` through."""
    if not isinstance(value, Pattern):
        return False
    form = ".*".join(map(re.escape, value.parts))
    if key == "prompt" and not any("@" in part for part in value.parts):
        form = f"{form}(?:@.*)?"
    return re.fullmatch(form, text, re.DOTALL) is not None


def _value(key: str, text: str) -> Value:
    """A value as counts name it: a limit such as `>=0.03`, else the text itself."""
    if key not in LIMITS:
        return Pattern((text,))
    (part,) = parse(f"{key}:{text}").parts
    assert isinstance(part, Term)  # noqa: S101 of our own making
    return part.values[0]


class Narrower(NamedTuple):
    """A term that sets failing traces apart, and the list with it."""

    key: str
    value: str
    traces: int
    url: str
    title: str


def narrow(state: ListState, found: Sequence[tuple[Pair, int, int]]) -> list[Narrower]:
    """Return the terms to narrow by; of a list of failing traces, with how many of those."""
    asked = [str(value) for value in state.wanted.values_of("is")]
    return [
        Narrower(
            key,
            value,
            failing if asked == ["failing"] else traces,
            state.filtered(state.wanted.toggled(key, _value(key, value))),
            f"{round(100 * failing / traces)}% of them fail",
        )
        for (key, value), traces, failing in found
    ]
