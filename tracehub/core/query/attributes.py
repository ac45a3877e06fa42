"""Attributes of spans, for search: what is kept of a trace, and what a query asks of it.

Kept is one text: between JOINs, a key (the usual ones as a code), SEPARATOR and the value. LIKE
tells from it what a trace has. The index over it holds a bucket by the hash of each key, of each
key with the first BEGUN characters of a value, and of each with its value: it names the traces
worth reading.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from tracehub.core.mask_places import place_of
from tracehub.core.query import keys
from tracehub.core.query.names import coded
from tracehub.core.query.nested import leaves, scalar
from tracehub.core.query.tree import Absent, Filter, Pattern, Term, Value

LONGEST = keys.LONGEST_ATTRIBUTE  # characters of a key, and of a value, that are found
VALUES = 50  # different values of one attribute in a trace
MOST = 1000  # words of a trace
SIZE = 200_000  # characters of them all
SEPARATOR = "\x1f"
JOIN = "\x1e"
HELD = SEPARATOR  # for a value that is not kept: an object, what was said, a long text, nothing
# Ends of names that tell something else of an input or output than what was said.
ABOUT = frozenset(
    (
        "avgOutputTokensPerSecond",
        "finishReason",
        "finish_reason",
        "format",
        "id",
        "mime_type",
        "model",
        "msToFinish",
        "msToFirstChunk",
        "name",
        "timestamp",
        "type",
        "version",
    )
)
BEGUN = 4  # as in the function `tracehub_attribute_buckets`
_SPEAKABLE = re.compile(r"[^\s\"():,]+").fullmatch
_OURS = str.maketrans({SEPARATOR: "\ufffd", JOIN: "\ufffd", "\x00": "\ufffd"})
_NAME = dict.fromkeys(range(0x20), "\ufffd")  # codes begin with one


class Indexed(NamedTuple):
    """Words of a trace, in order of meeting; `cut` when there were more than are kept."""

    words: list[str]
    cut: bool


def indexed(spans: Iterable[Mapping[str, Any]]) -> Indexed:
    """Return what is found of a trace by the attributes of its spans, in order of start.

    Scalars of up to LONGEST characters with their values, all others by their keys, and so what was
    said and objects that came as text; what lies in objects under paths with dots, items of lists
    under the key of the list. At most VALUES values of a key, MOST words in all.

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
            name = key.translate(_NAME)
            yield name, None
            text = scalar(value)
            if text is not None and len(text) <= LONGEST and not untold(key, text):
                yield name, text.translate(_OURS)


@lru_cache(4096)
def is_said(key: str) -> bool:
    """Tell whether an attribute holds what was said: words find that, beyond LONGEST characters.

    >>> is_said("llm.input_messages.0.message.content"), is_said("gen_ai.prompt.name")
    (True, False)
    """
    return place_of(key) in ("input", "output") and key.rpartition(".")[2] not in ABOUT


def untold(key: str, text: str) -> bool:
    """Tell whether an attribute is found by its key alone, however short its value is."""
    return is_said(key) or (text.startswith('{"') and text.endswith("}"))


def split(word: str) -> tuple[str, str | None]:
    """Return key and value of a word of the index."""
    key, separator, value = word.partition(SEPARATOR)
    return key, value if separator else None


def kept(words: Iterable[str]) -> str:
    """Return the words of a trace as the text that is stored.

    >>> kept(["my.own", "my.own\\x1fx", "b"]).replace(JOIN, "|").replace(SEPARATOR, "=")
    '|my.own=x|b==|'
    """
    split_up = [split(word) for word in words]
    valued = {key for key, value in split_up if value is not None}
    parts = [
        f"{coded(key)}{SEPARATOR}{HELD if value is None else value}"
        for key, value in split_up
        if value is not None or key not in valued
    ]
    return JOIN + "".join(f"{part}{JOIN}" for part in parts)


def beginning(key: str, begun: str = "") -> str:
    """Return how parts of `key` begin whose value begins with `begun`."""
    return f"{coded(key.translate(_NAME))}{SEPARATOR}{begun.translate(_OURS)}"


class Sought(NamedTuple):
    """What the text of a trace must hold."""

    near: tuple[str, ...]  # text with `*` between
    exact: tuple[str, ...]  # the same within one part; empty where `near` says it all
    bucket: str  # what the index is asked for, as if it were a text that is stored


def sought(key: str, value: Pattern) -> Sought:
    """Return what a trace must hold to have such a value of an attribute.

    >>> "*".join(sought("k", Pattern(("v",))).near).replace(JOIN, "|").replace(SEPARATOR, "=")
    '*|k=v|*'
    """
    first, *rest = (part.translate(_OURS) for part in value.parts)
    begun = beginning(key, first)
    if not rest:
        return Sought(("", f"{JOIN}{begun}{JOIN}", ""), (), begun)
    ends = [f"{rest[-1]}{JOIN}", ""] if rest[-1] else [""]
    bucket = begun.partition(SEPARATOR)[0]
    if len(first) >= BEGUN:
        bucket += SEPARATOR + first[:BEGUN]
    near = ("", f"{JOIN}{begun}", *rest[:-1], *ends)
    return Sought(near, (begun, *rest) if any(rest) else (), bucket)


def required(wanted: Filter) -> list[list[Sought]]:
    """Return what every match of a filter meets: one of each list."""
    return [
        [sought(name_of(part.key), one) for one in values]
        for part in wanted.parts
        if isinstance(part, Term)
        if part.key.startswith(keys.ATTR)
        if (values := _patterns(part.values))
    ]


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
    if lead == keys.ATTR and untold(key, text):
        return ""
    return str(Term(f"{lead}{key}", (Pattern((text,)),)))
