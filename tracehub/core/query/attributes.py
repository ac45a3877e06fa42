"""Attributes of spans, for search: what the index holds of a trace, and what a query asks of it.

The index is a text search vector whose words are `key`, for that a span has it, and `key`, a
separator and the value. So it tells exact values, their beginnings and presence by itself.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from tracehub.core.query import keys
from tracehub.core.query.nested import leaves, scalar
from tracehub.core.query.tree import Absent, Filter, Pattern, Term, Value

LONGEST = keys.LONGEST_ATTRIBUTE  # characters of a key, and of a value, that are found
VALUES = 50  # different values of one attribute in a trace
MOST = 1000  # words of a trace
SIZE = 200_000  # characters of them all: Postgres holds 1 MB in a vector
SEPARATOR = "\x1f"
JOIN = "\x1e"  # between words on their way into the database
_SPEAKABLE = re.compile(r"[^\s\"():,]+").fullmatch
_OURS = str.maketrans({SEPARATOR: "\ufffd", JOIN: "\ufffd", "\x00": "\ufffd"})


class Indexed(NamedTuple):
    """Words of a trace, in order of meeting; `cut` when there were more than are kept."""

    words: list[str]
    cut: bool


def indexed(spans: Iterable[Mapping[str, Any]]) -> Indexed:
    """Return what is found of a trace by the attributes of its spans, in order of start.

    Scalars of up to LONGEST characters with their values, all others by their keys; what lies in
    objects under paths with dots, items of lists under the key of the list. At most VALUES values
    of a key, MOST words in all.

    >>> indexed([{"http.status": 200, "ok": True}, {"ok": True}]).words
    ['http.status', 'http.status\\x1f200', 'ok', 'ok\\x1ftrue']
    """
    seen: dict[str, None] = {}
    values: Counter[str] = Counter()
    cut, size = False, 0
    for attributes in spans:
        for key, value in pairs(attributes):
            word = key if value is None else f"{key}{SEPARATOR}{value}"
            if word in seen:
                continue
            many = len(seen) >= MOST or size + len(word) > SIZE
            if many or (value is not None and values[key] >= VALUES):
                cut = True
                continue
            seen[word] = None
            size += len(word)
            values[key] += value is not None
    return Indexed(list(seen), cut)


def pairs(attributes: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    """Yield each key, with None and then with its value when that is found too."""
    for key, value in leaves(attributes, numbered=False):
        if len(key) <= LONGEST:
            name = key.translate(_OURS)
            yield name, None
            text = scalar(value)
            if text is not None and len(text) <= LONGEST:
                yield name, text.translate(_OURS)


def split(word: str) -> tuple[str, str | None]:
    """Return key and value of a word of the index."""
    key, separator, value = word.partition(SEPARATOR)
    return key, value if separator else None


def beginning(key: str, begun: str = "") -> str:
    """Return how words of `key` begin whose value begins with `begun`."""
    return f"{key.translate(_OURS)}{SEPARATOR}{begun.translate(_OURS)}"


def is_whole(value: Pattern) -> bool:
    """Tell whether `tsquery` alone says what a value asks: no `*`, or one at the end."""
    return len(value.parts) == 1 or (len(value.parts) == 2 and not value.parts[1])


def tsquery(key: str, value: Pattern) -> str:
    """Return a text search query that every trace with such a value meets.

    >>> tsquery("k", Pattern(("it's",))).replace(SEPARATOR, "=")
    "'k=it''s'"
    >>> tsquery("k", Pattern(("a", "z"))).replace(SEPARATOR, "="), tsquery("k", Pattern(("", "")))
    ("'k=a':*", "'k'")
    """
    if value.parts == ("", ""):
        return _quoted(key.translate(_OURS))
    more = ":*" if len(value.parts) > 1 else ""
    return _quoted(beginning(key, value.parts[0])) + more


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def required(wanted: Filter) -> str:
    """Return a text search query that every match of a filter meets; empty when none is asked."""
    found = [
        "|".join(tsquery(name_of(part.key), one) for one in values)
        for part in wanted.parts
        if isinstance(part, Term) and part.key.startswith(keys.ATTR)
        if (values := _patterns(part.values))
    ]
    return "&".join(f"({one})" for one in found)


def _patterns(values: tuple[Value, ...]) -> list[Pattern]:
    """Return the values when each is text; nothing when one is `none`."""
    texts = [value for value in values if isinstance(value, Pattern)]
    return texts if not any(isinstance(value, Absent) for value in values) else []


def name_of(key: str) -> str:
    """Return the attribute that a key of the language names."""
    return key.removeprefix(keys.ATTR)


def term(lead: str, key: str, value: Any) -> str:
    """Return the filter that finds `value` of a key after `lead`; "" when the language cannot.

    >>> term("meta.", "tier", "gold plus"), term("attr.", "a b", 1), term("attr.", "n", None)
    ('meta.tier:"gold plus"', '', '')
    """
    text = scalar(value)
    if text is None or not text or max(len(text), len(key)) > LONGEST or not _SPEAKABLE(key):
        return ""
    return str(Term(f"{lead}{key}", (Pattern((text,)),)))
