"""What the filter field offers for what is typed: keys, then values of this list with counts."""

from __future__ import annotations

from typing import NamedTuple

from tracehub.core.query import keys
from tracehub.core.query.keys import Key
from tracehub.core.query.tree import Pattern
from tracehub.traces import facets
from tracehub.traces.filter_sql import COLUMNS
from tracehub.web import marks
from tracehub.web.trace_list.state import ListState

KEYS_SHOWN = 6
VALUES_SHOWN = 8
_FIRST = ("is", "signal", "verdict", "prompt", "model", "latency", "cost", "env")


class Offer(NamedTuple):
    """`text` goes into the field; `whole` tells whether it is a filter already."""

    text: str
    whole: bool
    hint: str = ""
    traces: int | None = None
    icon: str = ""


class Group(NamedTuple):
    title: str
    offers: list[Offer]


def groups(state: ListState, typed: str) -> list[Group]:
    """Return the groups for `typed`: values once a key is clear, else keys. One query at most."""
    sign, text = ("-", typed[1:]) if typed.startswith("-") else ("", typed)
    name, colon, begun = text.partition(":")
    key = keys.find(name.lower())
    if colon:
        return [_values(state, sign, key, begun.rpartition(",")[2], begun)] if key else []
    found = _keys(sign, text)
    offered = [keys.find(offer.text.removeprefix(sign)[:-1]) for offer in found]
    clear = next((one for one in offered if one and (_stored(one) or one.choices)), None)
    shown = [Group("Keys", found)] if found else []
    if text and clear:
        return [_values(state, sign, clear, "", ""), *shown]
    return shown


def keys_only(typed: str) -> list[Group]:
    """Return what can be offered without the database."""
    found = _keys("", typed) if ":" not in typed else []
    return [Group("Keys", found)] if found else []


def _keys(sign: str, text: str) -> list[Offer]:
    low = text.lower()
    names = [k for k in keys.KEYS if k.startswith(low)] if low else list(_FIRST)
    return [
        Offer(f"{sign}{name}:", False, hint=keys.KEYS[name].help) for name in names[:KEYS_SHOWN]
    ]


def _stored(key: Key) -> bool:
    return key.type == "text" and key.name in COLUMNS


def _values(state: ListState, sign: str, key: Key, begun: str, typed: str) -> Group:
    before = typed[: len(typed) - len(begun)]
    lead = f"{sign}{key.name}:{before}"
    if _stored(key) or key.name in ("signal", "verdict", "severity", "outcome"):
        wanted = begun.strip('"')
        found = facets.values(state.within, state.wanted, key.name, wanted, VALUES_SHOWN)
        offers = [
            Offer(f"{lead}{Pattern((value,))}", True, traces=count, icon=_icon(key, value))
            for value, count in found
        ]
        return Group(f"{key.name} in these results", offers)
    offers = [Offer(f"{lead}{choice}", True) for choice in key.choices if choice.startswith(begun)]
    return Group(key.help, offers[:VALUES_SHOWN] if key.name != "is" else offers)


def _icon(key: Key, value: str) -> str:
    if key.name == "signal":
        return marks.signal(value).icon
    return marks.verdict(value).icon if key.name == "verdict" else ""
