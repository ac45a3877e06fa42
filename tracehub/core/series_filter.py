"""Filters that the series of the charts can answer, without looking at single traces."""

from __future__ import annotations

from dataclasses import dataclass

from tracehub.core.query.tree import Absent, Filter, Not, Pattern, Term

_COLUMNS = {"name": "name", "env": "environment", "cohort": "cohort", "release": "release"}
_SHARED = ("model", "prompt")  # a trace can have several of them


@dataclass(frozen=True, slots=True)
class Condition:
    """One term on a dimension of the series: any of the values, or none of them."""

    column: str  # name, environment, cohort, release, model or prompt
    values: tuple[Pattern | Absent, ...]
    negated: bool = False

    @property
    def shared(self) -> bool:
        return self.column in _SHARED


def conditions(wanted: Filter, group: str = "") -> tuple[Condition, ...] | None:
    """Return the filter as conditions on series; None when only the traces can answer it.

    Series answer names, environments, cohorts and releases, and one model or one prompt version
    that is not grouped by: a trace would count twice in two of them.

    >>> from tracehub.core.query.parser import parse
    >>> [each.column for each in conditions(parse("-env:test cohort:canary,none")) or ()]
    ['environment', 'cohort']
    >>> conditions(parse("latency:>5s")) is conditions(parse("model:a,b")) is None
    True
    """
    found = []
    for part in wanted.parts:
        negated = isinstance(part, Not)
        node = part.node if isinstance(part, Not) else part
        if not isinstance(node, Term):
            return None
        values = tuple(value for value in node.values if isinstance(value, Pattern | Absent))
        if len(values) != len(node.values):
            return None
        if node.key in _COLUMNS:
            found.append(Condition(_COLUMNS[node.key], values, negated))
        elif node.key in _SHARED and not negated and _one(node.key, values):
            found.append(Condition(node.key, values))
        else:
            return None
    shared = [each for each in found if each.shared]
    if len(shared) > 1 or (shared and group in (*_SHARED, "tool")):
        return None
    return tuple(found)


def _one(key: str, values: tuple[Pattern | Absent, ...]) -> bool:
    """Tell whether these values mean one series: a prompt without `@` is all of its versions."""
    if len(values) != 1 or not isinstance(values[0], Pattern) or len(values[0].parts) != 1:
        return False
    return key == "model" or "@" in values[0].parts[0]
