"""The span tree as rows: order, depth, bars, totals, and which rows are there at first.

Spans come in any shape: parents that never arrived, parents in a circle, a chain of thousands.
Nothing here recurses, and a large tree gives a bounded number of rows at first.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import TypeVar

from tracehub.core.trace import Span
from tracehub.web.trace_view.text import visible

T = TypeVar("T", int, Decimal)

ROWS_AT_FIRST = 120
ROWS_MORE = 200
DEEPEST_CLASS = 12  # the style sheet has d-1 to d-12
BEFORE_SELECTED = 20  # siblings shown above a selected span in a long list


@dataclass(slots=True)
class Node:
    """A span in the tree. `note` says what is odd about its place; `span` is None at the top."""

    span: Span | None
    parent: Node | None = None
    children: list[Node] = field(default_factory=list)
    level: int = 0
    descendants: int = 0
    tokens: int | None = None
    cost: Decimal | None = None
    attempt: int = 0
    note: str = ""

    @property
    def id(self) -> str:
        return self.span.span_id if self.span else ""


@dataclass(slots=True)
class Tree:
    """All spans of a trace under one unnamed top node, in order of start."""

    top: Node
    nodes: dict[str, Node]
    start_ns: int
    end_ns: int

    @property
    def total_ms(self) -> float:
        return (self.end_ns - self.start_ns) / 1e6


@dataclass(slots=True, frozen=True)
class Row:
    """A row of the tree: a span, or (with `more`) the place of `more` rows not rendered yet.

    `x`, `width` and `label_x` are percentages of the trace's time, as text for SVG.
    """

    span: Span | None
    level: int
    depth: int
    guides: range
    parent_id: str = ""
    first: int = 0
    past: int = 0
    more: int = 0
    x: str = "0%"
    width: str = "0%"
    label: str = ""
    label_x: str = "0%"
    label_end: bool = False
    tokens: int | None = None
    cost: Decimal | None = None
    failed: bool = False
    attempt: int = 0
    descendants: int = 0
    expanded: bool | None = None  # None: has no children
    note: str = ""

    @property
    def name(self) -> str:
        return visible(self.span.name) if self.span else ""

    @property
    def error_word(self) -> str:
        """A status such as `503` to stand beside the name; a longer type is in the title."""
        word = (self.span.error_type or "") if self.span else ""
        return visible(word) if len(word) <= 5 else ""


def build(spans: Sequence[Span], failed: Collection[str] = ()) -> Tree:
    """Return the tree of the spans. Orphans and the first span of a circle become roots.

    `failed` names spans that a signal says went wrong though they report no error themselves.
    """
    ordered = sorted(spans, key=lambda s: (s.start_ns, s.span_id))
    nodes = {span.span_id: Node(span) for span in ordered}
    top = Node(None)
    for span in ordered:
        _attach(nodes[span.span_id], span.parent_id, nodes, top)
    _break_circles(nodes, top)
    _levels_and_totals(top, failed)
    start = min((s.start_ns for s in ordered), default=0)
    end = max((s.start_ns + (s.duration_ns or 0) for s in ordered), default=0)
    return Tree(top, nodes, start, max(end, start))


def _attach(node: Node, parent_id: str | None, nodes: dict[str, Node], top: Node) -> None:
    parent = nodes.get(parent_id) if parent_id else None
    if parent_id and parent is None:
        node.note = "parent not received"
    if parent is None or parent is node:
        parent = top
    node.parent = parent
    parent.children.append(node)


def _break_circles(nodes: dict[str, Node], top: Node) -> None:
    """Hang the earliest span of each circle under the top, until every span is reachable."""
    seen: set[str] = set()
    for node in _walk(top):
        seen.add(node.id)
    for node in nodes.values():
        if node.id in seen:
            continue
        if node.parent is not None:
            node.parent.children.remove(node)
        node.parent, node.note = top, "parents form a circle"
        top.children.append(node)
        seen.update(found.id for found in _walk(node))
    top.children.sort(key=lambda n: (n.span.start_ns, n.id) if n.span else (0, ""))


def _walk(start: Node) -> Iterator[Node]:
    """Yield a node and all below it, parents first."""
    stack = [start]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(node.children))


def _levels_and_totals(top: Node, failed: Collection[str]) -> None:
    order = list(_walk(top))
    for node in order:
        for child in node.children:
            child.level = node.level + 1
        _count_attempts(node.children, failed)
    counted: dict[int, tuple[int | None, Decimal | None]] = {}
    for node in reversed(order):
        below = [counted[id(child)] for child in node.children]
        own_tokens = node.span.tokens.total if node.span and node.span.tokens else None
        own_cost = node.span.cost if node.span else None
        real = node.span is not None and node.span.tokens_counted
        tokens = _sum([own_tokens if real else None, *(t for t, _ in below)])
        cost = _sum([own_cost if real else None, *(c for _, c in below)])
        counted[id(node)] = (tokens, cost)
        node.tokens = tokens if own_tokens is None else own_tokens
        node.cost = cost if own_cost is None else own_cost
        node.descendants = sum(1 + child.descendants for child in node.children)


def _sum(values: Sequence[T | None]) -> T | None:
    known = [value for value in values if value is not None]
    return sum(known[1:], known[0]) if known else None


def _count_attempts(siblings: Sequence[Node], failed: Collection[str]) -> None:
    """Number the tries of a call that failed before with the same name, kind and input."""
    failures: Counter[tuple[str, str, str]] = Counter()
    for node in siblings:
        same = _call(node)
        if node.span is None or same is None:
            continue
        node.attempt = failures[same]
        failures[same] += is_failed(node.span, failed)


def _call(node: Node) -> tuple[str, str, str] | None:
    """Return what tries of one call have in common; None for spans that are no call."""
    span = node.span
    if span is None or span.kind not in {"llm", "tool", "retriever", "embedding"}:
        return None
    asked = span.tool.arguments if span.kind == "tool" and span.tool else None
    return span.kind, span.name, repr(asked)[:2_000]


def tries(tree: Tree, span_id: str) -> list[Span]:
    """Return all tries of the call that a span is, in order; nothing when it was never retried."""
    node = tree.nodes.get(span_id)
    if node is None or node.parent is None or (same := _call(node)) is None:
        return []
    found = [other for other in node.parent.children if _call(other) == same]
    if not any(other.attempt for other in found):
        return []
    return [other.span for other in found if other.span is not None]


def is_failed(span: Span, failed: Collection[str] = ()) -> bool:
    """Whether a span is drawn as a failure: by its own report, or by a signal on it."""
    return span.error or bool(span.validation_errors) or span.span_id in failed


def path_to(tree: Tree, span_id: str) -> list[Node]:
    """Return the nodes from the top down to a span, the span last; empty if it is not there."""
    path: list[Node] = []
    node = tree.nodes.get(span_id)
    while node is not None:
        path.append(node)
        node = node.parent
    return path[::-1]


def rows(
    tree: Tree,
    *,
    selected: str = "",
    failed: Collection[str] = (),
    under: str = "",
    first: int = 0,
    past: int | None = None,
    from_end: bool = False,
) -> list[Row]:
    """Return the rows to show: about `ROWS_AT_FIRST`, always with the path to `selected`.

    `under` names a span whose children `first` to `past` are wanted (all spans without it), the
    first of them, or the last with `from_end`.
    """
    start = tree.nodes.get(under, tree.top)
    first = min(max(first, 0), len(start.children))
    past = None if past is None else min(max(past, first), len(start.children))
    budget = ROWS_AT_FIRST if start is tree.top and not first else ROWS_MORE
    path = path_to(tree, selected)
    if from_end and past is not None:
        leading, first = first, max(first, past - budget)
    else:
        leading = first if past is not None else 0
    windows = _windows(start, budget, path, first=first, past=past)
    out: list[Row] = []
    stack: list[Iterator[Row | Node]] = [_children_of(start, windows, leading, past)]
    while stack:
        item = next(stack[-1], None)
        if item is None:
            stack.pop()
        elif isinstance(item, Row):
            out.append(item)
        elif item.span is not None:
            shown = item.id in windows
            expanded = shown if item.children else None
            out.append(_row(tree, item, item.span, failed, expanded=expanded))
            if shown:
                stack.append(_children_of(item, windows))
    return out


def _windows(
    start: Node, budget: int, path: Sequence[Node], *, first: int, past: int | None
) -> dict[str, tuple[int, int]]:
    """Choose which children of which node are rendered, level by level until `budget` is used."""
    on_path = {node.id: child for node, child in pairwise(path)}
    windows: dict[str, tuple[int, int]] = {}
    left = budget
    waiting = deque([(start, first, len(start.children) if past is None else past)])
    while waiting:
        node, lo, hi = waiting.popleft()
        count = min(hi - lo, left)
        wanted = on_path.get(node.id)
        if wanted is not None and wanted not in node.children[lo : lo + max(count, 0)]:
            count = max(count, 2 * BEFORE_SELECTED)
            lo = max(lo, min(node.children.index(wanted) - BEFORE_SELECTED, hi - count))
            count = min(hi - lo, count)
        if count <= 0:
            continue
        windows[node.id] = (lo, lo + count)
        left -= count
        shown = node.children[lo : lo + count]
        waiting.extend((c, 0, len(c.children)) for c in shown if c.children)
    return windows


def _children_of(
    node: Node, windows: dict[str, tuple[int, int]], first: int = 0, past: int | None = None
) -> Iterator[Row | Node]:
    lo, hi = windows.get(node.id, (first, first))
    end = len(node.children) if past is None else past
    if lo > first:
        yield _gap(node, first, lo)
    yield from node.children[lo:hi]
    if hi < end:
        yield _gap(node, hi, end)


def _gap(node: Node, first: int, past: int) -> Row:
    level = node.level + 1
    depth = min(level, DEEPEST_CLASS)
    return Row(None, level, depth, range(2, depth + 1), node.id, first, past, more=past - first)


def _row(
    tree: Tree, node: Node, span: Span, failed: Collection[str], *, expanded: bool | None
) -> Row:
    total = max(tree.end_ns - tree.start_ns, 1)
    begin = (span.start_ns - tree.start_ns) / total * 100
    length = tree.end_ns - span.start_ns if span.duration_ns is None else span.duration_ns
    width = min(max(length / total * 100, 0.5), 100)
    begin = min(begin, 100 - width)
    depth = min(node.level, DEEPEST_CLASS)
    end_side = begin > 100 - begin - width  # more room before the bar than after it
    return Row(
        span=span,
        level=node.level,
        depth=depth,
        guides=range(2, depth + 1),
        parent_id=node.parent.id if node.parent else "",
        x=f"{begin:.2f}%",
        width=f"{width:.2f}%",
        label="" if width > 60 else _seconds(span.duration_ns),
        label_x=f"{begin if end_side else begin + width:.2f}%",
        label_end=end_side,
        tokens=node.tokens,
        cost=node.cost,
        failed=is_failed(span, failed),
        attempt=node.attempt,
        descendants=node.descendants,
        expanded=expanded,
        note=node.note,
    )


def _seconds(duration_ns: int | None) -> str:
    if duration_ns is None:
        return "running"
    seconds = duration_ns / 1e9
    return f"{seconds:.2f}" if seconds < 100 else f"{seconds:.0f}"
