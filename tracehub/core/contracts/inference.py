"""The draft of a contract from outputs that passed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from tracehub.core.shape import type_of

Json = Any


def infer(outputs: Iterable[Json]) -> dict[str, Json]:
    """Return a draft of a schema that all these values follow: types, and fields always there.

    >>> infer([{"a": 1}, {"a": 2.5, "b": None}])["required"]
    ['a']
    """
    values = list(outputs)
    kinds = Counter(type_of(value) for value in values)
    if kinds["number"] and kinds.pop("integer", 0):
        kinds["number"] += 1
    names = sorted(kinds)
    schema: dict[str, Json] = {"type": names[0] if len(names) == 1 else names} if names else {}
    objects = [value for value in values if isinstance(value, dict)]
    if objects:
        keys = dict.fromkeys(key for value in objects for key in value)
        schema["properties"] = {
            key: infer(value[key] for value in objects if key in value) for key in list(keys)[:100]
        }
        schema["required"] = [key for key in keys if all(key in value for value in objects)]
    items = [item for value in values if isinstance(value, list) for item in value[:50]]
    if items:
        schema["items"] = infer(items)
    return schema
