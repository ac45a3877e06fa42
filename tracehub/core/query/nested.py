"""Values inside values: `{"customer": {"tier": "gold"}}` is `customer.tier` with `gold`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

Json = Any


def leaves(value: Json, path: str = "", *, numbered: bool = True) -> Iterator[tuple[str, Json]]:
    """Yield each part of an object with its path; objects and lists also as a whole.

    Items of a list have their number in the path, or that of the list when not `numbered`.

    >>> [path for path, _ in leaves({"a": {"b": 1, "c": [True]}})]
    ['a', 'a.b', 'a.c', 'a.c.0']
    """
    waiting: list[tuple[str, Json]] = [(path, value)]
    while waiting:
        at, held = waiting.pop()
        if at:
            yield at, held
        lead = f"{at}." if at else ""
        inner: list[tuple[str, Json]] = []
        if isinstance(held, Mapping):
            inner = [(f"{lead}{name}", one) for name, one in held.items()]
        elif isinstance(held, list):
            inner = [(f"{lead}{n}" if numbered else at, one) for n, one in enumerate(held)]
        waiting += reversed(inner)


def scalar(value: Json) -> str | None:
    """Return the text of a value that is no object, list or null: as JSON has it, text bare.

    >>> scalar("a"), scalar(True), scalar(1.0), scalar(None), scalar([1])
    ('a', 'true', '1.0', None, None)
    """
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, bool | int | float) else None
