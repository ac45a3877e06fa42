"""The rules of a gate, as a set keeps them: their names, bounds and defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from tracehub.core.cases import KINDS
from tracehub.core.shape import Schema, check

_PERCENT: Schema = {"type": ["number", "null"], "minimum": 0, "maximum": 100}
_RATIO: Schema = {"type": ["number", "null"], "minimum": 0.01, "maximum": 100}
SCHEMA: Schema = {
    "type": "object",
    "title": "gate rules",
    "properties": {
        "block": {"type": "boolean"},
        "retries": {"type": "integer", "minimum": 0, "maximum": 10},
        "floors": {
            "type": "object",
            "properties": dict.fromkeys(KINDS, _PERCENT),
            "additionalProperties": False,
        },
        "drop": {"type": "boolean"},
        "cost": _RATIO,
        "latency": _RATIO,
        "minimum": {"type": "integer", "minimum": 0, "maximum": 20_000},
        "pass_score": {"type": "number", "minimum": 0, "maximum": 1},
    },
    "additionalProperties": False,
}


def _floors() -> dict[str, float | None]:
    return {"known_failure": 95.0, "success": None, "risky_edge": None, "format": 100.0}


@dataclass(frozen=True, slots=True)
class Rules:
    """What a set asks of a run. `cost` and `latency` are ratios to the baseline, None for off.

    `floors` are percent per kind, `retries` how often `tracehub run` tries a failing case again,
    `minimum` the fewest cases in common with the baseline, `pass_score` the score that passes for
    results that say a score only.
    """

    block: bool = True
    retries: int = 1
    floors: Mapping[str, float | None] = field(default_factory=_floors)
    drop: bool = True
    cost: float | None = None
    latency: float | None = None
    minimum: int = 0
    pass_score: float = 0.5

    def as_json(self) -> dict[str, Any]:
        """Return the rules in the form that `read` takes."""
        return {**asdict(self), "floors": dict(self.floors)}


def read(stored: Mapping[str, Any]) -> Rules:
    """Return rules from what is stored or sent; what is absent has its default.

    Raises ShapeError, which names the field.

    >>> read({"floors": {"success": 80}}).floors["format"]
    100.0
    """
    check(dict(stored), SCHEMA)
    floors = {**_floors(), **stored.get("floors", {})}
    return Rules(**{**stored, "floors": floors})
