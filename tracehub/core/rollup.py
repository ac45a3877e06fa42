"""What one trace adds to the charts, and what to add when it changes.

A trace keeps its own contribution, so that late spans, reviews and new prices are exact: the
difference between the old and the new one is all that the rollups ever learn. A trace counts once
in the totals, and once in each of its models, prompts and tools.

Distributions are log buckets: index i holds the values in (GAMMA**(i-1), GAMMA**i]. Unlike a
sketch they can be subtracted again. The middle of a bucket is at most 1 % off (see `bucket_value`).
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import accumulate
from typing import NamedTuple

from tracehub.core.trace import OUTCOMES, Json, Tokens

VERSION = 2
GAMMA = 1.02
LOG_GAMMA = math.log(GAMMA)
ZERO_BUCKET = -32768  # zero and below have no logarithm
COST_UNIT = Decimal("1e-10")  # costs are summed as whole numbers of this many dollars
LABEL_LIMIT = 200  # characters of a name, model or prompt that tell series apart
WEIGHT_UNIT = 1000  # weights of reviews are summed as whole thousandths
MOST_WEIGHT = 10**6
COUNT_LIMIT = 10**12  # of one trace: a sender's absurd number must not overflow a sum

DIMENSIONS = ("name", "environment", "cohort", "release")
# What the series are split by. "" has all dimensions; "model", "prompt" and "tool" have them and
# their label. The others are sums over what they do not name, so that a chart of one dimension
# or label does not add up every combination with the rest.
AXES = ("all", "", *DIMENSIONS, "model", "model:all", "prompt", "prompt:all", "tool")
LATENCY, TTFT, COST = 1, 2, 3  # measures with a distribution: ns, ns, COST_UNIT

COUNTERS = (
    "requests",
    "finished",
    "failing",
    "successes",
    "errors",
    "retried",
    "retries",
    "fell_back",
    "fallbacks",
    "timed_out",
    "timeouts",
    "counted",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "priced",
    "cost",
    "calls",
    "own_input_tokens",
    "own_output_tokens",
    "own_cost",
    "tool_calls",
    "tool_errors",
    "review_fail",
    "review_pass",
    "review_unsure",
    "weight_failed",
    "weight_reviewed",
    "weight_squares",
    "feedback_negative",
    "feedback_positive",
    *(f"outcome_{name}" for name in OUTCOMES),
)
MONEY = frozenset({"cost", "own_cost"})  # in COST_UNIT here, in dollars in the database


@dataclass(frozen=True, slots=True)
class ContributionFacts:
    """All that the charts know of one trace.

    `by_model` and `by_prompt` map a label to `{"calls", "input", "output", "cost"}`, each value
    missing or None when unknown; `by_tool` to `{"calls", "errors"}`. `verdict`
    is the one that counts (fail, pass, unsure or None), `chance` that with which queues took a
    reviewed trace; None when no queue did.
    """

    project_id: int
    started_at: datetime
    name: str
    environment: str | None = None
    cohort: str | None = None
    release: str | None = None
    models: Iterable[str] = ()
    prompts: Iterable[str] = ()
    by_model: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    by_prompt: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    by_tool: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    duration_ns: int | None = None
    ttft_ns: int | None = None
    tokens: Tokens | None = None
    cost: Decimal | None = None
    failing: bool = False
    finished: bool = True
    error: bool = False
    outcome: str | None = None
    retries: int = 0
    fallbacks: int = 0
    timeouts: int = 0
    verdict: str | None = None
    chance: float | None = None
    feedback_negative: int = 0
    feedback_positive: int = 0


class Key(NamedTuple):
    """One row of the rollups: a minute (since the epoch) of one series of one project."""

    project_id: int
    minute: int
    axis: str
    value: str
    name: str
    environment: str
    cohort: str
    release: str


@dataclass(slots=True)
class Delta:
    """What to add to one row: counters by name, and buckets as {(measure, index): count}."""

    counters: dict[str, int] = field(default_factory=dict)
    buckets: dict[tuple[int, int], int] = field(default_factory=dict)

    def add(self, counters: Mapping[str, int], buckets: Iterable[list[int]], sign: int) -> None:
        for name, count in counters.items():
            self.counters[name] = self.counters.get(name, 0) + sign * count
        for measure, index in buckets:
            key = (measure, index)
            self.buckets[key] = self.buckets.get(key, 0) + sign

    def __bool__(self) -> bool:
        return any(self.counters.values()) or any(self.buckets.values())


def bucket(value: int) -> int:
    """Return the index of the log bucket that holds a whole number.

    >>> bucket(1), bucket(2), bucket(0)
    (0, 36, -32768)
    """
    return math.ceil(math.log(value) / LOG_GAMMA - 1e-9) if value > 0 else ZERO_BUCKET


def bucket_value(index: int) -> float:
    """Return the middle of a bucket: at most (GAMMA - 1) / (GAMMA + 1) off, which is 0.99 %."""
    return 0.0 if index == ZERO_BUCKET else 2 * GAMMA**index / (GAMMA + 1)


def quantile(buckets: Mapping[int, int], q: float) -> float | None:
    """Return the middle of the bucket that holds the ceil(q * n)-th smallest of n values.

    None without values. Counts below one are skipped: an unmerged subtraction may come first.

    >>> round(quantile({bucket(100): 9, bucket(5000): 1}, 0.95), -2)
    5000.0
    """
    indexes = sorted(buckets)
    reached = list(accumulate([max(0, buckets[index]) for index in indexes]))
    if not reached or not reached[-1]:
        return None
    rank = max(1, math.ceil(q * reached[-1]))
    return bucket_value(indexes[bisect_left(reached, rank)])


def cost_units(cost: Decimal | str | float | None) -> int:
    """Return dollars as a whole number of COST_UNIT; None is 0.

    >>> cost_units(Decimal("0.0180"))
    180000000
    """
    return 0 if cost is None else round(Decimal(str(cost)).scaleb(10))


def contribution(facts: ContributionFacts) -> dict[str, Json]:
    """Return what a trace adds to the charts, small enough to be kept in its row as JSON.

    Shape: `v`, `minute` (since the epoch), `dims` (name, environment, cohort, release; "" for
    none), `all` (counters that are not 0), `buckets` (pairs of measure and index), `models` and
    `prompts` (label -> [calls, input tokens, output tokens, cost]), `tools` (label -> [calls,
    errors]).
    """
    dims = (facts.name, facts.environment, facts.cohort, facts.release)
    return {
        "v": VERSION,
        "minute": math.floor(facts.started_at.timestamp()) // 60,
        "dims": [_label(text) for text in dims],
        "all": {name: count for name, count in _counters(facts).items() if count},
        "buckets": _buckets(facts),
        "models": _shares(facts.models, facts.by_model),
        "prompts": _shares(facts.prompts, facts.by_prompt),
        "tools": _tools(facts.by_tool),
    }


def _label(text: str | None) -> str:
    return (text or "")[:LABEL_LIMIT]


def _counters(facts: ContributionFacts) -> dict[str, int]:
    tokens = facts.tokens
    good = facts.finished and not facts.failing and facts.outcome in _SUCCESSFUL
    counters = {
        "requests": 1,
        "finished": int(facts.finished),
        "failing": int(facts.failing),
        "successes": int(good),
        "errors": int(facts.error),
        "retried": int(facts.retries > 0),
        "retries": _count(facts.retries),
        "fell_back": int(facts.fallbacks > 0),
        "fallbacks": _count(facts.fallbacks),
        "timed_out": int(facts.timeouts > 0),
        "timeouts": _count(facts.timeouts),
        "priced": int(facts.cost is not None),
        "cost": cost_units(facts.cost),
        "feedback_negative": facts.feedback_negative,
        "feedback_positive": facts.feedback_positive,
    }
    for name, key in (("tool_calls", "calls"), ("tool_errors", "errors")):
        counters[name] = sum(_count(share.get(key)) for share in facts.by_tool.values())
    if tokens is not None:
        counters["counted"] = 1
        counters["input_tokens"] = _count(tokens.input)
        counters["output_tokens"] = _count(tokens.output)
        counters["cached_tokens"] = _count(tokens.cached)
    if facts.verdict in _VERDICTS:
        counters[f"review_{facts.verdict}"] = 1
    if facts.verdict in _SURE and facts.chance:
        weight = min(1 / facts.chance, MOST_WEIGHT)
        counters["weight_reviewed"] = round(weight * WEIGHT_UNIT)
        counters["weight_failed"] = counters["weight_reviewed"] if facts.verdict == "fail" else 0
        counters["weight_squares"] = round(weight * weight * WEIGHT_UNIT)
    if facts.outcome in OUTCOMES:
        counters[f"outcome_{facts.outcome}"] = 1
    return counters


_SUCCESSFUL = frozenset({None, "answered", "clarified"})
_VERDICTS = frozenset({"fail", "pass", "unsure"})
_SURE = frozenset({"fail", "pass"})


def _count(number: Json) -> int:
    return min(max(int(number or 0), 0), COUNT_LIMIT)


def _buckets(facts: ContributionFacts) -> list[list[int]]:
    values = (
        (LATENCY, facts.duration_ns),
        (TTFT, facts.ttft_ns),
        (COST, None if facts.cost is None else cost_units(facts.cost)),
    )
    return [[measure, bucket(value)] for measure, value in values if value is not None]


def _shares(
    labels: Iterable[str], shares: Mapping[str, Mapping[str, Json]]
) -> dict[str, list[int]]:
    """Return label -> [calls, input, output, cost]; two labels cut to one are added up."""
    result: dict[str, list[int]] = {}
    for label in dict.fromkeys([*labels, *shares]):
        share = shares.get(label, {})
        numbers = [
            _count(share.get("calls")),
            _count(share.get("input")),
            _count(share.get("output")),
            cost_units(share.get("cost")),
        ]
        known = result.get(_label(label))
        result[_label(label)] = (
            numbers if known is None else [a + b for a, b in zip(known, numbers, strict=True)]
        )
    return result


def _tools(shares: Mapping[str, Mapping[str, Json]]) -> dict[str, list[int]]:
    """Return label -> [calls, errors]; two labels cut to one are added up."""
    result: dict[str, list[int]] = {}
    for label, share in shares.items():
        known = result.setdefault(_label(label), [0, 0])
        known[0] += _count(share.get("calls"))
        known[1] += _count(share.get("errors"))
    return result


_OWN = ("calls", "own_input_tokens", "own_output_tokens", "own_cost")


def rows(project_id: int, kept: Mapping[str, Json]) -> Iterator[tuple[Key, dict[str, int]]]:
    """Yield the rows that a kept contribution counts in; those of tools go without its buckets."""
    minute, dims, common = kept["minute"], kept["dims"], kept["all"]
    whole = {
        **common,
        "calls": sum(share[0] for share in kept["models"].values()),
        "own_input_tokens": common.get("input_tokens", 0),
        "own_output_tokens": common.get("output_tokens", 0),
        "own_cost": common.get("cost", 0),
    }
    yield Key(project_id, minute, "all", "", "", "", "", ""), whole
    yield Key(project_id, minute, "", "", *dims), whole
    for place, axis in enumerate(DIMENSIONS):
        alone = (text if at == place else "" for at, text in enumerate(dims))
        yield Key(project_id, minute, axis, "", *alone), whole
    for axis, shares in (("model", kept["models"]), ("prompt", kept["prompts"])):
        for label, share in shares.items():
            counters = {**common, **dict(zip(_OWN, share, strict=True))}
            yield Key(project_id, minute, axis, label, *dims), counters
            yield Key(project_id, minute, f"{axis}:all", label, "", "", "", ""), counters
    for label, (calls, errors) in kept["tools"].items():
        own = {"tool_calls": calls, "tool_errors": errors}
        yield Key(project_id, minute, "tool", label, *dims), {**whole, **own}


def deltas(
    changes: Iterable[tuple[int, Mapping[str, Json] | None, Mapping[str, Json] | None]],
) -> dict[Key, Delta]:
    """Return what many changed traces add to each row, merged: the old one less, the new one more.

    `changes` holds (project_id, old contribution, new contribution), None or empty where there is
    none. Rows to which nothing is added are left out.
    """
    merged: dict[Key, Delta] = {}
    for project_id, old, new in changes:
        if old == new:
            continue
        for kept, sign in ((old, -1), (new, 1)):
            if kept:
                for key, counters in rows(project_id, kept):
                    buckets = () if key.axis == "tool" else kept["buckets"]
                    merged.setdefault(key, Delta()).add(counters, buckets, sign)
    return {key: delta for key, delta in merged.items() if delta}


def series_id(key: Key) -> int:
    """Return the id of the key's series: 63 bits of a hash, so that no writer has to look it up."""
    text = "\x1f".join(key[2:])
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest) >> 1
