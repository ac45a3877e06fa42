"""What a limit that hides everything would have to be: the most, or the least, that there is."""

from __future__ import annotations

from tracehub.core.query import Filter
from tracehub.core.query.tree import Compared, Node, Term
from tracehub.traces import listing
from tracehub.traces.models import Trace
from tracehub.web import copy
from tracehub.web.trace_list.state import ListState

# Of keys that a list can be sorted by: for a limit from below, and for one from above.
_WORDS = {
    "cost": ("The most expensive one of them cost", "The cheapest one of them cost"),
    "latency": ("The slowest one of them took", "The fastest one of them took"),
    "tokens": ("The largest one of them has", "The smallest one of them has"),
}


def told(state: ListState, part: Node, *, seconds: float) -> str:
    """Say how far the traces without `part` go towards its limit; "" when it is none.

    One read of a page of one, by the index of the order. Raises TooSlow.
    """
    if not isinstance(part, Term) or part.key not in _WORDS:
        return ""
    (value, *others) = part.values
    if others or not isinstance(value, Compared):
        return ""
    below = value.op.startswith(">")
    wanted: Filter = state.wanted.without(part)
    sort = f"-{part.key}" if below else part.key
    page = listing.read(state.within, wanted, sort=sort, limit=1, seconds=seconds)
    said = _amount(part.key, page.traces[0]) if page.traces else ""
    return f"{_WORDS[part.key][not below]} {said}." if said else ""


def _amount(key: str, trace: Trace) -> str:
    if key == "cost":
        return "" if trace.cost is None else copy.money(trace.cost)
    if key == "latency":
        return "" if trace.duration_ns is None else copy.duration(trace.duration_ns / 1e6)
    return "" if trace.total_tokens is None else f"{copy.total(trace.total_tokens)} tokens"
