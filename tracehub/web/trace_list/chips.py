"""The chips of the filter bar: one for each part, the wrong one marked."""

from __future__ import annotations

import re
from typing import NamedTuple, Protocol

from tracehub.core.query import Filter, FilterError

# A part as it was typed: up to white space, which quotes and parentheses protect.
_PART = re.compile(r'(?:"(?:[^"\\]|\\.)*"?|\([^)]*\)?|[^\s"(])+', re.DOTALL)
_KEY = re.compile(r'-?[^\s":(),]+:')


class Filtered(Protocol):
    """The state of a list under a filter."""

    @property
    def text(self) -> str: ...
    @property
    def wanted(self) -> Filter: ...
    @property
    def error(self) -> FilterError | None: ...
    def filtered(self, wanted: Filter | str) -> str: ...


class Chip(NamedTuple):
    """`key` ends in a colon, and is empty for free text. `remove` is the address without it."""

    key: str
    value: str
    text: str
    remove: str
    wrong: bool = False


def chips(state: Filtered) -> list[Chip]:
    """Return the chips of a filter; of one that does not parse, the parts of its text."""
    if state.error is not None:
        return _typed(state, state.error)
    return [
        _chip(str(part), state.filtered(state.wanted.without(part))) for part in state.wanted.parts
    ]


def _typed(state: Filtered, error: FilterError) -> list[Chip]:
    found = []
    for match in _PART.finditer(state.text):
        start, end = match.span()
        wrong = start < max(error.end, error.start + 1) and error.start < end
        rest = f"{state.text[:start]} {state.text[end:]}".strip()
        found.append(_chip(match[0], state.filtered(rest))._replace(wrong=wrong))
    return found


def _chip(text: str, remove: str) -> Chip:
    key = _KEY.match(text)
    start = key.end() if key else 0
    return Chip(text[:start], text[start:], text, remove)
