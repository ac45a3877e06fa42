"""The attributes of one span, with everything that depends only on their keys worked out once.

Clients send the same few sets of keys over and over. A `Shape` belongs to one set of keys and
remembers what each convention made of it: which conventions are there, which keys hold which
field, how flattened lists (`llm.input_messages.0.message.role`) fit together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

from tracehub.core.trace import Json, RawSpan
from tracehub.core.wire.found import Found

T = TypeVar("T")

MAX_TEXT = 2_000_000  # characters of all remembered keys, about 20 MB with what is made of them
MAX_SHAPE_TEXT = 40_000  # of one shape; longer ones are worked out anew each time
MAX_DIGITS = 40  # of an index; only its order matters, nothing is allocated for it
MAX_DEPTH = 12  # steps of a flattened path; deeper ones are left in the attributes

# A tree of keys: a list for indices, a dict for names, a string (the attribute's key) as leaf.
Node = Any


class Row(NamedTuple):
    """One attribute that holds one field. `read` gives None for an unusable value."""

    field: str
    key: str
    read: Callable[[Json], Json]


class Shape:
    """What a set of attribute keys means."""

    __slots__ = ("_made", "keys", "names")

    def __init__(self, keys: tuple[str, ...]) -> None:
        self.keys = keys
        self.names = frozenset(keys)
        self._made: dict[Any, Any] = {}

    def once(self, make: Callable[[Shape], T]) -> T:
        """The result of `make` for this shape, made at most once."""
        try:
            result: T = self._made[make]
        except KeyError:
            result = self._made[make] = make(self)
        return result

    def rows(self, table: tuple[Row, ...]) -> tuple[Row, ...]:
        """The rows of a constant table whose key is there, in the table's order."""
        marker = id(table)
        try:
            result: tuple[Row, ...] = self._made[marker]
        except KeyError:
            result = self._made[marker] = tuple(row for row in table if row.key in self.names)
        return result

    def under(self, prefix: str) -> tuple[tuple[str, str], ...]:
        """(key, rest of the key) of every key that starts with `prefix`, in order."""
        try:
            result: tuple[tuple[str, str], ...] = self._made[prefix]
        except KeyError:
            cut = len(prefix)
            result = self._made[prefix] = tuple(
                (key, key[cut:]) for key in self.keys if key.startswith(prefix) and len(key) > cut
            )
        return result


class Attributes:
    """One span's attributes and their shape; what every convention reads."""

    __slots__ = ("get", "raw", "shape", "values")

    def __init__(self, raw: RawSpan, shape: Shape) -> None:
        self.raw = raw
        self.values = raw.attributes
        self.get = raw.attributes.get
        self.shape = shape

    def take(self, table: tuple[Row, ...]) -> Found:
        """Per field the first usable value of a constant table."""
        found: dict[str, Any] = {}
        values = self.values
        for field, key, read in self.shape.rows(table):
            if field not in found:
                value = read(values[key])
                if value is not None:
                    found[field] = value
        return found  # type: ignore[return-value]  # the tables name fields of Found

    def under(self, prefix: str) -> dict[str, Json]:
        """The attributes below a prefix, without it."""
        values = self.values
        return {rest: values[key] for key, rest in self.shape.under(prefix)}


class Convention(NamedTuple):
    """One naming convention. `read` is pure: attributes of a span -> what they say.

    It is asked only when a key starts with one of `prefixes`, or, with `events`, when the span has
    events.
    """

    name: str
    prefixes: tuple[str, ...]
    read: Callable[[Attributes], Found]
    events: bool = False


class _Shapes(dict[tuple[str, ...], Shape]):
    """Shapes by their keys; forgotten all at once when they become too many."""

    text = 0

    def __missing__(self, keys: tuple[str, ...]) -> Shape:
        shape = Shape(keys)
        size = sum(map(len, keys))
        if size <= MAX_SHAPE_TEXT:
            self.text += size
            if self.text > MAX_TEXT:
                self.clear()
                self.text = size
            self[keys] = shape
        return shape


_shapes = _Shapes()


def shape_of(attributes: dict[str, Json]) -> Shape:
    """The shape of a span's keys, remembered unless it is unusually large."""
    return _shapes[tuple(attributes)]


def tree(pairs: Iterable[tuple[str, str]]) -> Node:
    """Flattened keys as a tree; indices become lists in numeric order, gaps are closed.

    >>> tree([("m.10.role", "10.role"), ("m.2.role", "2.role")])
    [{'role': 'm.2.role'}, {'role': 'm.10.role'}]
    """
    root: dict[str, Node] = {}
    for key, rest in pairs:
        path = rest.split(".", MAX_DEPTH)
        if len(path) <= MAX_DEPTH:
            _insert(root, path, key)
    return _with_lists(root)


def _insert(root: dict[str, Node], path: list[str], key: str) -> None:
    node = root
    for step in path[:-1]:
        below = node.get(step)
        if not isinstance(below, dict):  # `a` beside `a.b`: the longer one wins
            below = node[step] = {}
        node = below
    node.setdefault(path[-1], key)


def _with_lists(root: dict[str, Node]) -> Node:
    holder: dict[str, Node] = {"": root}
    waiting: list[tuple[Any, Any]] = [(holder, "")]
    while waiting:
        parent, step = waiting.pop()
        node = parent[step]
        if not isinstance(node, dict):
            continue
        if node and all(name.isascii() and name.isdigit() for name in node):
            usable = [name for name in node if len(name) <= MAX_DIGITS]
            node = parent[step] = [node[name] for name in sorted(usable, key=int)]
            waiting.extend((node, index) for index in range(len(node)))
        else:
            waiting.extend((node, name) for name in node)
    return holder[""]


def fill(node: Node, values: dict[str, Json]) -> Json:
    """A tree of keys with the values put in. At most MAX_DEPTH levels deep."""
    if isinstance(node, str):
        return values[node]
    if isinstance(node, list):
        return [fill(item, values) for item in node]
    return {name: fill(item, values) for name, item in node.items()}


def leaf(node: Node, *path: str) -> str | None:
    """The key at a path of a tree, None when there is none."""
    for step in path:
        if not isinstance(node, dict):
            return None
        node = node.get(step)
    return node if isinstance(node, str) else None
