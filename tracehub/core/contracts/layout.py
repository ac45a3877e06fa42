"""JSON as people write it: what fits on a line stands on one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

Json = Any


def pretty(value: Json, width: int = 76) -> str:
    """Return JSON for reading: what fits on a line stands on one.

    >>> print(pretty({"type": "object", "required": ["a"]}, 20))
    {
      "type": "object",
      "required": ["a"]
    }
    """
    return "\n".join(_lines(value, "", "", width))


def _lines(value: Json, indent: str, head: str, width: int) -> Iterable[str]:
    whole = indent + head + _inline(value)
    if not isinstance(value, dict | list) or not value or (indent and len(whole) <= width):
        yield whole
        return
    opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
    yield f"{indent}{head}{opening}"
    items = value.items() if isinstance(value, dict) else [("", item) for item in value]
    last = len(value) - 1
    for i, (name, inner) in enumerate(items):
        label = f"{json.dumps(name, ensure_ascii=False)}: " if isinstance(value, dict) else ""
        lines = list(_lines(inner, indent + "  ", label, width))
        yield from lines[:-1]
        yield lines[-1] + ("," if i < last else "")
    yield indent + closing


def _inline(value: Json) -> str:
    if isinstance(value, dict) and value:
        parts = (f"{json.dumps(k, ensure_ascii=False)}: {_inline(v)}" for k, v in value.items())
        return "{ " + ", ".join(parts) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
