"""What the filter field offers for what is typed: keys, then values of this list with counts."""

from __future__ import annotations

from typing import NamedTuple

from django.utils.text import capfirst

from tracehub.core.query import keys
from tracehub.core.query.keys import Key
from tracehub.core.query.tree import Pattern
from tracehub.traces import facets
from tracehub.traces.filter_sql import COLUMNS
from tracehub.web import marks
from tracehub.web.trace_list import named
from tracehub.web.trace_list.state import ListState

KEYS_SHOWN = 6
VALUES_SHOWN = 8
SIGNALS_SHOWN = 3  # while nothing is typed
MANY = {"env": "environments", "severity": "severities", "finish": "finish reasons"}
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
    if text.startswith(named.LEADS):
        found = _named(state, sign, name, begun, colon)
        return found if found or colon else keys_only(typed)
    if colon:
        return [_values(state, sign, key, begun.rpartition(",")[2], begun)] if key else []
    found_keys = _keys(sign, text)
    offered = [keys.find(offer.text.removeprefix(sign)[:-1]) for offer in found_keys]
    clear = next((one for one in offered if one and (_stored(one) or one.choices)), None)
    shown = [Group("Keys", found_keys)] if found_keys else []
    if not text:
        signals = _values(state, sign, keys.KEYS["signal"], "", "")
        return [signals._replace(offers=signals.offers[:SIGNALS_SHOWN]), *shown]
    if text and clear:
        return [_values(state, sign, clear, "", ""), *shown]
    return shown


def _named(state: ListState, sign: str, name: str, begun: str, colon: str) -> list[Group]:
    """Return keys of the metadata or attributes, and after a colon values of one of them."""
    if state.within.project.hides_content:
        return []  # these are parts of the content
    lead, dot, rest = name.partition(".")
    of = named.Newest.of(state, f"{lead}{dot}")
    title = f"in the newest {of.count:,} of these results" if of.count else ""
    if not colon:
        offers = [
            Offer(f"{sign}{lead}.{key}:", False, traces=count)
            for key, count in of.keys(rest, VALUES_SHOWN)
        ]
        return [Group(f"{lead} {title}", offers)] if offers else []
    last = begun.rpartition(",")[2]
    before = begun[: len(begun) - len(last)]
    offers = [
        Offer(f"{sign}{name}:{before}{Pattern((value,))}", True, traces=count)
        for value, count in of.values(rest, last.strip('"'), VALUES_SHOWN)
    ]
    return [Group(f"{name} {title}", offers)] if offers else []


def keys_only(typed: str) -> list[Group]:
    """Return what can be offered without the database."""
    found = _keys("", typed) if ":" not in typed else []
    return [Group("Keys", found)] if found else []


def _keys(sign: str, text: str) -> list[Offer]:
    low = text.lower()
    names = [k for k in keys.KEYS if k.startswith(low)] if low else list(_FIRST)
    offers = [Offer(f"{sign}{name}:", False, hint=keys.KEYS[name].help) for name in names]
    more = [lead for lead in keys.NAMED if low and lead.startswith(low)]
    offers += [Offer(f"{sign}{lead}", False, hint=f"As in {keys.NAMED[lead]}") for lead in more]
    return offers[:KEYS_SHOWN]


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
        return Group(f"{capfirst(MANY.get(key.name, f'{key.name}s'))} in these results", offers)
    offers = [Offer(f"{lead}{choice}", True) for choice in key.choices if choice.startswith(begun)]
    return Group(key.help, offers[:VALUES_SHOWN] if key.name != "is" else offers)


def _icon(key: Key, value: str) -> str:
    if key.name == "signal":
        return marks.signal(value).icon
    return marks.verdict(value).icon if key.name == "verdict" else ""
