"""A project's own signals: a filter, and a pattern in linear time if need be. No code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import re2

from tracehub.core.mask import own_rule
from tracehub.core.query import Filter, parse
from tracehub.core.query.errors import FilterError
from tracehub.core.query.tree import And, Node, Not, Or, Pattern, Term
from tracehub.core.signals.kinds import CUSTOM
from tracehub.core.trace import Severity, Signal

FIELDS = ("input", "output", "error")
SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,49}")
# What follows from signals and reviews: a rule that asked for it would depend on itself.
CONCLUSIONS = frozenset({"verdict", "mode", "severity", "failure", "reviewer", "queue", "set"})
STATES = frozenset({"failing", "passing", "reviewed", "unreviewed", "promoted"})


@dataclass(frozen=True, slots=True)
class CustomRule:
    """A rule. `field` and `pattern` are empty without a pattern."""

    slug: str
    name: str
    severity: Severity
    q: str
    field: str = ""
    pattern: str = ""

    @property
    def kind(self) -> str:
        return f"{CUSTOM}{self.slug}"

    def fits(self, text: str) -> bool:
        """Whether the pattern is in a text of `field`; any text fits a rule without one."""
        return not self.pattern or bool(_compiled(self.pattern).search(text))

    def signal(self) -> Signal:
        return Signal(self.kind, self.name, self.severity, evidence={"rule": self.slug})


def check_filter(q: str) -> Filter:
    """Return the filter of a rule. Raises FilterError, also for what asks about conclusions."""
    wanted = parse(q)
    for part in wanted.parts:
        for term in _terms(part):
            if term.key in CONCLUSIONS or _concludes(term):
                said = f"A rule makes a signal, so it cannot ask about {term}, which follows from"
                raise FilterError(term.start, term.end, f"{said} signals.")
    return wanted


def check_pattern(pattern: str) -> None:
    """Raise mask.BadPattern for a pattern that RE2 does not take, or that fits any text."""
    own_rule("new", pattern)


def slug_of(name: str) -> str:
    """Return the slug that a name gives; empty when it gives none.

    >>> slug_of("Promises a refund!")
    'promises-a-refund'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:50].strip("-")


def _terms(node: Node) -> Iterator[Term]:
    if isinstance(node, Term):
        yield node
    elif isinstance(node, Not):
        yield from _terms(node.node)
    elif isinstance(node, And | Or):
        for inner in node.nodes:
            yield from _terms(inner)


def _concludes(term: Term) -> bool:
    if term.key not in ("is", "signal"):
        return False
    for value in term.values:
        if not isinstance(value, Pattern) or len(value.parts) > 1:
            return True
        if value.parts[0] in STATES or value.parts[0].startswith(CUSTOM):
            return True
    return False


@lru_cache(maxsize=500)
def _compiled(pattern: str) -> Any:
    return re2.compile(pattern)
