"""One break of a contract, and the words that tell what came."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

Json = Any
MAX_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """One break of a contract. `pointer` is "" for the whole output.

    `value` is what stood there (an object whose field is absent, for `required`), `at` where the
    rule stands: its path in the schema, or the pointer of a label or null rule.
    """

    kind: str
    pointer: str
    rule: str
    message: str
    value: Json = None
    at: tuple[str | int, ...] = ()


def few(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def shown(value: Json) -> str:
    """What came, as a sentence ends with it.

    >>> shown("418.60 EUR"), shown(None), shown([1, 2])
    ('the string `"418.60 EUR"`', 'null', 'an array of 2 items')
    """
    if isinstance(value, str):
        text = value if len(value) <= MAX_SHOWN else value[:MAX_SHOWN] + "…"
        return f"the string `{json.dumps(text, ensure_ascii=False)}`"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return f"an array of {len(value)} item{'' if len(value) == 1 else 's'}"
    if isinstance(value, dict):
        return f"an object with {len(value)} field{'' if len(value) == 1 else 's'}"
    return f"`{str(value)[:MAX_SHOWN]}`"
