"""What a project wants of the detectors: limits, switches, scores and baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from tracehub.core.signals.kinds import KINDS


class ScoreLimit(NamedTuple):
    """When a score of one name is negative: a number up to `at_most`, or one of these labels."""

    at_most: float | None = None
    labels: frozenset[str] = frozenset()  # in lower case


class Baseline(NamedTuple):
    """95th percentiles of the calls of one prompt, or of one span name without a prompt."""

    calls: int
    duration_ns: float | None = None
    cost: float | None = None  # US dollars
    tokens: float | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything that detectors are told about a project. Empty: what holds for all."""

    off: frozenset[str] = frozenset()
    thresholds: Mapping[str, float] = field(default_factory=dict)
    scores: Mapping[str, ScoreLimit] = field(default_factory=dict)
    baselines: Mapping[str, Baseline] = field(default_factory=dict)

    def limit(self, kind: str) -> float:
        """Return the number from which a kind fires.

        >>> Rules().limit("tool_loop"), Rules(thresholds={"tool_loop": 6.0}).limit("tool_loop")
        (4, 6.0)
        """
        usual = KINDS[kind].threshold
        if usual is None:
            raise KeyError(f"{kind} has no threshold.")
        return self.thresholds.get(kind, usual.usual)


def baseline_key(prompt: str | None, name: str) -> str:
    """Return under which name a call's baseline is kept: its prompt, else its span.

    >>> baseline_key("refund@v12", "compose"), baseline_key(None, "compose")
    ('prompt refund', 'span compose')
    """
    return f"prompt {prompt.partition('@')[0]}" if prompt else f"span {name}"
