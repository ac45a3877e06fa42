"""The syntax tree of a filter. Every node prints as text that parses to an equal node."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

Comparison = Literal[">", ">=", "<", "<="]
# What a value may hold without quotes; the first character must not begin a comparison.
_PLAIN = re.compile(r"[^\s\"(),*<>=\\][^\s\"(),*\\]*")
_PLAIN_REST = re.compile(r"[^\s\"(),*\\]+")
# A free word must also not read as a key, an exclusion or a connective.
_WORD = re.compile(r"(?!(?:OR|AND|NOT)$)[^\s\"()\-:\\][^\s\"():\\]*")


def quote(text: str) -> str:
    """Return `text` in quotes.

    >>> print(quote('say "no"'))
    "say \\"no\\""
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@dataclass(frozen=True, slots=True)
class Pattern:
    """Text to match; between two `parts` stood a `*`. One part is matched as it is."""

    parts: tuple[str, ...]

    def __str__(self) -> str:
        if len(self.parts) == 1:
            text = self.parts[0]
            plain = _PLAIN.fullmatch(text) and text != "none"
            return text if plain else quote(text)
        pieces = []
        for index, part in enumerate(self.parts):
            form = _PLAIN_REST if index else _PLAIN
            pieces.append(part if not part or form.fullmatch(part) else quote(part))
        return "*".join(pieces)


@dataclass(frozen=True, slots=True)
class Absent:
    """`none`: the trace has no such value."""

    def __str__(self) -> str:
        return "none"


@dataclass(frozen=True, slots=True)
class Amount:
    """A number in the base unit of its key (ns, US dollars, a count), and how it was written."""

    value: Decimal
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Compared:
    """`>5s`."""

    op: Comparison
    amount: Amount

    def __str__(self) -> str:
        return f"{self.op}{self.amount}"


@dataclass(frozen=True, slots=True)
class Between:
    """`1s..5s`, both ends included."""

    low: Amount
    high: Amount

    def __str__(self) -> str:
        return f"{self.low}..{self.high}"


Value = Pattern | Absent | Amount | Compared | Between


@dataclass(frozen=True, slots=True)
class Term:
    """`key:a,b`: any of the values. `key` is as in the key table, with `meta.` names whole."""

    key: str
    values: tuple[Value, ...]
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"{self.key}:{','.join(map(str, self.values))}"


@dataclass(frozen=True, slots=True)
class Text:
    """Free text, matched as it is in any upper or lower case."""

    words: str
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return self.words if _WORD.fullmatch(self.words) else quote(self.words)


@dataclass(frozen=True, slots=True)
class Not:
    """`-term`: everything else, traces without such a value included."""

    node: Node

    def __str__(self) -> str:
        return f"-{_grouped(self.node, Or, And, Not)}"


@dataclass(frozen=True, slots=True)
class And:
    nodes: tuple[Node, ...]

    def __str__(self) -> str:
        return " ".join(_grouped(node, Or, And) for node in self.nodes)


@dataclass(frozen=True, slots=True)
class Or:
    nodes: tuple[Node, ...]

    def __str__(self) -> str:
        return " OR ".join(_grouped(node, Or) for node in self.nodes)


Node = Term | Text | Not | And | Or


def _grouped(node: Node, *kinds: type) -> str:
    return f"({node})" if isinstance(node, kinds) else str(node)


@dataclass(frozen=True, slots=True)
class Filter:
    """A whole filter; `root` is None for the empty one, which every trace matches."""

    root: Node | None = None

    def __str__(self) -> str:
        return "" if self.root is None else str(self.root)

    @property
    def parts(self) -> tuple[Node, ...]:
        """What is joined by AND at the top: the chips of the filter bar."""
        if self.root is None:
            return ()
        return self.root.nodes if isinstance(self.root, And) else (self.root,)

    @classmethod
    def of(cls, parts: tuple[Node, ...]) -> Filter:
        """Return the filter of all `parts`."""
        if len(parts) < 2:
            return cls(parts[0] if parts else None)
        flat: list[Node] = []
        for part in parts:
            flat.extend(part.nodes if isinstance(part, And) else (part,))
        return cls(And(tuple(flat)))

    def plus(self, other: Filter) -> Filter:
        """Return the filter of both."""
        return Filter.of((*self.parts, *other.parts))

    def without(self, part: Node) -> Filter:
        """Return the filter without one of its `parts`."""
        return Filter.of(tuple(node for node in self.parts if node != part))

    def ignoring(self, key: str) -> Filter:
        """Return the filter without the terms of `key` that stand alone or excluded at the top."""
        return Filter.of(tuple(node for node in self.parts if _key_of(node) != key))

    def values_of(self, key: str) -> tuple[Value, ...]:
        """Return the values that the top of the filter asks for under `key`."""
        terms = [node for node in self.parts if isinstance(node, Term) and node.key == key]
        return tuple(value for term in terms for value in term.values)

    def toggled(self, key: str, value: Value) -> Filter:
        """Return the filter with `value` added to those of `key`, or taken out when it is there."""
        adding = value not in self.values_of(key)
        parts: list[Node] = []
        for node in self.parts:
            if isinstance(node, Term) and node.key == key:
                values = (*node.values, value) if adding else node.values
                kept = tuple(v for v in values if adding or v != value)
                if kept:
                    parts.append(Term(key, kept))
                adding = False
            else:
                parts.append(node)
        return Filter.of((*parts, Term(key, (value,))) if adding else tuple(parts))


def _key_of(node: Node) -> str | None:
    inner = node.node if isinstance(node, Not) else node
    return inner.key if isinstance(inner, Term) else None
