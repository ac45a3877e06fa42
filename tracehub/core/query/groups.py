"""Filters of failures: parts that ask the group itself, and parts that ask the traces in it."""

from __future__ import annotations

from collections.abc import Iterator

from tracehub.core.query.errors import FilterError
from tracehub.core.query.keys import Key
from tracehub.core.query.tree import And, Filter, Node, Not, Or, Term, Text

# What only a group has, beside the keys of traces.
KEYS = {
    "assignee": Key("assignee", "text", "Who has it: me, none, or a part of name or address"),
}
# What a group has itself; for all other keys one of its traces must match.
OWN = frozenset({"signal", "span", "severity", "failure", *KEYS})


def split(wanted: Filter) -> tuple[Filter, Filter]:
    """Return the parts about the group itself, and those about the traces in it.

    Free words are looked for in title, span, kind and key. Raises FilterError on a part that is
    about both: its halves could not be told of one thing.

    >>> from tracehub.core.query import parse
    >>> [str(part) for part in split(parse("refund signal:schema agent:plan -model:a"))]
    ['refund signal:schema_error', 'agent:plan -model:a']
    """
    own: list[Node] = []
    of_traces: list[Node] = []
    for part in wanted.parts:
        leaves = list(_leaves(part))
        kept = [leaf for leaf in leaves if isinstance(leaf, Text) or leaf.key in OWN]
        if kept and len(kept) < len(leaves):
            other = next(leaf for leaf in leaves if leaf not in kept)
            raise FilterError(
                leaves[0].start, leaves[-1].end,
                f"{kept[0]} asks the failure and {other} its traces: join them by a space, not OR.",
            )  # fmt: skip
        (own if kept else of_traces).append(part)
    return Filter.of(tuple(own)), Filter.of(tuple(of_traces))


def _leaves(node: Node) -> Iterator[Term | Text]:
    match node:
        case And() | Or():
            for inner in node.nodes:
                yield from _leaves(inner)
        case Not():
            yield from _leaves(node.node)
        case _:
            yield node
