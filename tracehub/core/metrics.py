"""The metrics by name: what each is made of, and its value for one bucket of sums."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches
from typing import Literal

from tracehub.core import rollup
from tracehub.core.stats import wilson_interval

Unit = Literal["count", "share", "usd", "ms", "tokens"]
Number = int | float | Decimal


class MetricError(ValueError):
    """A metric or grouping that is not known; `field` is the parameter it came in."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(slots=True)
class Sums:
    """What was counted in one bucket or range: counters (costs in dollars) and log buckets."""

    counters: dict[str, Number] = field(default_factory=dict)
    buckets: dict[int, dict[int, int]] = field(default_factory=dict)  # measure -> index -> count

    def __getitem__(self, name: str) -> Number:
        return self.counters.get(name, 0)

    def add(self, other: Sums) -> None:
        for name, value in other.counters.items():
            self.counters[name] = self[name] + value  # type: ignore[operator]  # one type a name
        for measure, indexes in other.buckets.items():
            mine = self.buckets.setdefault(measure, {})
            for index, count in indexes.items():
                mine[index] = mine.get(index, 0) + count


@dataclass(frozen=True, slots=True)
class Metric:
    """A sum, a ratio of two sums, or a quantile of a distribution.

    `over` are added up; with `under` the value is over ÷ under, and none where that is 0.
    """

    name: str
    title: str
    unit: Unit
    over: tuple[str, ...] = ()
    under: tuple[str, ...] = ()
    measure: int = 0
    quantile: float = 0.0
    squares: str = ""  # of a weighted share: the counter of the squared weights

    def value(self, sums: Sums) -> Number | None:
        """Return the value in its unit: dollars, milliseconds, a fraction or a count."""
        if self.measure:
            found = rollup.quantile(sums.buckets.get(self.measure, {}), self.quantile)
            return None if found is None else found * _SCALES[self.measure]
        over = sum(sums[name] for name in self.over)
        if not self.under:
            return over
        under = sum(sums[name] for name in self.under)
        return over / under if under else None  # type: ignore[operator]  # one of them is whole

    def interval(self, sums: Sums) -> tuple[float, float] | None:
        """Return the 95 % interval of a share; None for other units and where nothing counts."""
        if self.squares:
            return self._weighted(sums)
        counted, total = self.counted(sums)
        return wilson_interval(counted, total) if self.unit == "share" and total > 0 else None

    def _weighted(self, sums: Sums) -> tuple[float, float] | None:
        """Return Wilson's interval at Kish's effective number, as `core.sampling.weighted_rate`."""
        failed, whole, squares = (
            float(sums[n]) / rollup.WEIGHT_UNIT for n in (*self.over, *self.under, self.squares)
        )
        if whole <= 0 or squares <= 0:
            return None
        effective = whole * whole / squares
        return wilson_interval(min(1.0, failed / whole) * effective, effective)

    @property
    def counters(self) -> tuple[str, ...]:
        return (*self.over, *self.under, *([self.squares] if self.squares else []))

    def counted(self, sums: Sums) -> tuple[int, int]:
        """Return what a share is made of: (counted, of how many)."""
        total = int(sum(sums[name] for name in self.under))
        return min(total, int(sum(sums[name] for name in self.over))), total


_SCALES = {rollup.LATENCY: 1e-6, rollup.TTFT: 1e-6, rollup.COST: float(rollup.COST_UNIT)}
_OUTCOMES = tuple(name for name in rollup.COUNTERS if name.startswith("outcome_"))
_RESOLVED = ("outcome_answered", "outcome_clarified")
_REVIEWED = ("review_fail", "review_pass", "review_unsure")


def _share(name: str, title: str, over: str, *under: str) -> Metric:
    return Metric(name, title, "share", (over,), under or ("requests",))


def _quantiles(name: str, title: str, unit: Unit, measure: int) -> list[Metric]:
    return [
        Metric(f"{name}_p{p}", f"{title} p{p}", unit, measure=measure, quantile=p / 100)
        for p in (50, 95, 99)
    ]


_ALL = (
    Metric("requests", "Requests", "count", ("requests",)),
    _share("failing_rate", "Failing rate", "failing"),
    _share("error_rate", "Error rate", "errors"),
    Metric("cost", "Cost", "usd", ("own_cost",)),
    Metric("cost_per_request", "Cost per request", "usd", ("cost",), ("requests",)),
    Metric("cost_per_success", "Cost per successful task", "usd", ("cost",), ("successes",)),
    *_quantiles("cost", "Cost of a request", "usd", rollup.COST),
    *_quantiles("latency", "Latency", "ms", rollup.LATENCY),
    *_quantiles("ttft", "Time to first token", "ms", rollup.TTFT),
    _share("timeout_rate", "Timeouts", "timed_out"),
    _share("retry_rate", "Retries", "retried"),
    _share("fallback_rate", "Fallbacks", "fell_back"),
    Metric("timeouts", "Timeouts", "count", ("timeouts",)),
    Metric("retries", "Retries", "count", ("retries",)),
    Metric("fallbacks", "Fallbacks", "count", ("fallbacks",)),
    Metric("calls", "Model calls", "count", ("calls",)),
    Metric("input_tokens", "Input tokens", "tokens", ("own_input_tokens",)),
    Metric("output_tokens", "Output tokens", "tokens", ("own_output_tokens",)),
    Metric("cached_tokens", "Cached tokens", "tokens", ("cached_tokens",)),
    Metric(
        "tokens_per_request", "Tokens", "tokens", ("input_tokens", "output_tokens"), ("counted",)
    ),
    Metric("input_tokens_per_request", "Input tokens", "tokens", ("input_tokens",), ("counted",)),
    Metric(
        "output_tokens_per_request", "Output tokens", "tokens", ("output_tokens",), ("counted",)
    ),
    Metric("tool_calls", "Tool calls", "count", ("tool_calls",)),
    Metric("tool_errors", "Failed tool calls", "count", ("tool_errors",)),
    _share("tool_error_rate", "Tool error rate", "tool_errors", "tool_calls"),
    Metric("reviewed", "Reviewed", "count", _REVIEWED),
    _share("review_fail_rate", "Failed by reviewers", "review_fail", *_REVIEWED),
    Metric(
        "review_fail_estimate",
        "Would fail in review",
        "share",
        ("weight_failed",),
        ("weight_reviewed",),
        squares="weight_squares",
    ),
    _share(
        "negative_feedback_rate",
        "Negative feedback",
        "feedback_negative",
        "feedback_negative",
        "feedback_positive",
    ),
    Metric("feedback", "Scores", "count", ("feedback_negative", "feedback_positive")),
    Metric("resolved_rate", "Resolved without a person", "share", _RESOLVED, _OUTCOMES),
    _share("escalated_rate", "Escalated", "outcome_escalated", *_OUTCOMES),
    _share("refused_rate", "Refused", "outcome_refused", *_OUTCOMES),
    _share("insufficient_rate", "Insufficient", "outcome_insufficient", *_OUTCOMES),
    *(Metric(name, name.replace("_", " ").capitalize(), "count", (name,)) for name in _OUTCOMES),
)
HIGHER_IS_BETTER = frozenset({"resolved_rate"})  # of the others that are shares, higher is worse
METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _ALL}

# What a chart can be grouped by -> the axis of the rollups and the column of the group.
GROUPS: Mapping[str, tuple[str, str]] = {
    "": ("all", "value"),
    "name": ("", "name"),
    "env": ("", "environment"),
    "cohort": ("", "cohort"),
    "release": ("", "release"),
    "model": ("model", "value"),
    "prompt": ("prompt", "value"),
    "tool": ("tool", "value"),
}


def find(name: str) -> Metric:
    """Return the metric of this name, or raise MetricError with the nearest one."""
    if metric := METRICS.get(name):
        return metric
    raise MetricError(_unknown("metric", name, list(METRICS)), "metric")


def group(name: str) -> str:
    """Return the name of a grouping; `none` is "". Raises MetricError."""
    name = {"none": "", "environment": "env"}.get(name, name)
    if name in GROUPS:
        return name
    raise MetricError(_unknown("group", name, [key for key in GROUPS if key]), "group")


def fits(metric: Metric, grouping: str) -> None:
    """Raise MetricError where a metric is not kept by this grouping."""
    if metric.measure and grouping == "tool":
        raise MetricError(
            f"group must be none, name, env, cohort, release, model or prompt for {metric.name}."
            " Distributions are not kept by tool.",
            "group",
        )


def _unknown(field: str, name: str, names: list[str]) -> str:
    near = get_close_matches(name, names, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"{field} must be one of {', '.join(names)}. Got {name[:60]!r}.{hint}"
