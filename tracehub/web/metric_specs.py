"""The charts of the Metrics page: what each draws, in the order of the page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tracehub.core.metrics import METRICS
from tracehub.core.trace import OUTCOMES
from tracehub.metrics import charts

_1, _2, _3, _4 = charts.COLOURS
QUIET = "var(--ink-3)"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A line: its metric, name and colour; `only` is the filter of the traces that it counts."""

    metric: str
    label: str
    colour: str
    ink: str = "var(--ink)"
    only: str = ""


@dataclass(frozen=True, slots=True)
class Spec:
    """A chart: its headline metric, what follows the number, and its lines when not grouped.

    `by` is what it is always grouped by; `sort` the order of the traces behind it.
    """

    key: str
    title: str
    headline: str
    label: str
    lines: tuple[Drawn, ...]
    columns: tuple[str, ...] = field(default=())  # of the table, besides the lines
    by: str = ""
    sort: str = ""

    @property
    def names(self) -> list[str]:
        """The metrics of the chart, the headline first."""
        return [*dict.fromkeys([self.headline, *(d.metric for d in self.lines), *self.columns])]


SPECS = (
    Spec(
        "requests",
        "Requests and failing rate",
        "failing_rate",
        "failing",
        (
            Drawn("failing_rate", "failing", "var(--fail)", "var(--fail-ink)", "is:failing"),
            Drawn("requests", "requests", "var(--neutral-2)", QUIET),
        ),
    ),
    Spec(
        "cost",
        "Cost",
        "cost_per_success",
        "per successful task",
        (
            Drawn("cost_per_success", "per success", _1),
            Drawn("cost_per_request", "per request", _4, QUIET),
        ),
        ("cost",),
        sort="-cost",
    ),
    Spec(
        "latency",
        "Latency",
        "latency_p95",
        "p95",
        (
            Drawn("latency_p50", "p50", _1),
            Drawn("latency_p95", "p95", _2, _2),
            Drawn("latency_p99", "p99", _4, QUIET),
        ),
        sort="-latency",
    ),
    Spec(
        "reliability",
        "Timeouts, retries, fallbacks",
        "retry_rate",
        "of requests retried",
        (
            Drawn("retry_rate", "retries", _1, only="is:retried"),
            Drawn("timeout_rate", "timeouts", _2, _2, "is:timeout"),
            Drawn("fallback_rate", "fallbacks", _3, _3, "is:fallback"),
        ),
        ("retries", "timeouts", "fallbacks"),
    ),
    Spec(
        "tokens",
        "Tokens per request",
        "tokens_per_request",
        "in and out",
        (
            Drawn("input_tokens_per_request", "input", _1),
            Drawn("output_tokens_per_request", "output", _4, QUIET),
        ),
        sort="-tokens",
    ),
    Spec(
        "reviews",
        "Failed by reviewers",
        "review_fail_rate",
        "of reviewed",
        (Drawn("review_fail_rate", "failed", _1, only="verdict:fail"),),
        ("review_fail_estimate", "reviewed"),
    ),
    Spec(
        "tools",
        "Tool error rate",
        "tool_error_rate",
        "of tool calls",
        (Drawn("tool_error_rate", "failed", _1, only="signal:tool_error"),),
        ("tool_calls", "tool_errors"),
        by="tool",
    ),
    Spec(
        "first-token",
        "Time to first token",
        "ttft_p95",
        "p95",
        (
            Drawn("ttft_p50", "p50", _1),
            Drawn("ttft_p95", "p95", _2, _2),
            Drawn("ttft_p99", "p99", _4, QUIET),
        ),
    ),
    Spec(
        "volume",
        "Total tokens",
        "input_tokens",
        "in",
        (
            Drawn("input_tokens", "input", _1),
            Drawn("cached_tokens", "of it cached", _2, _2),
            Drawn("output_tokens", "output", _4, QUIET),
        ),
        sort="-tokens",
    ),
    Spec(
        "outcomes",
        "Outcomes",
        "resolved_rate",
        "resolved without a person",
        (
            Drawn("escalated_rate", "escalated", _1, only="outcome:escalated"),
            Drawn("refused_rate", "refused", _2, _2, "outcome:refused"),
            Drawn("insufficient_rate", "insufficient", _3, _3, "outcome:insufficient"),
        ),
        tuple(f"outcome_{name}" for name in OUTCOMES),
    ),
    Spec(
        "feedback",
        "Feedback",
        "negative_feedback_rate",
        "of scores are negative",
        (Drawn("negative_feedback_rate", "negative", _1, only="signal:negative_feedback"),),
        ("feedback",),
    ),
    Spec(
        "spend",
        "Total cost",
        "cost",
        "in this range",
        (Drawn("cost", "cost", _1),),
        ("calls",),
        sort="-cost",
    ),
)
# The same where queues took what was reviewed: weighted by how likely they were to.
ESTIMATE = Spec(
    "reviews",
    "Would fail in review",
    "review_fail_estimate",
    "of all",
    (Drawn("review_fail_estimate", "failing", _1, only="verdict:fail"),),
    ("review_fail_rate", "reviewed"),
)
KEYS = tuple(spec.key for spec in SPECS)
BY_KEY = {spec.key: spec for spec in SPECS}


def chosen(keys: Iterable[str]) -> list[Spec]:
    """Return the charts of these keys in their order; all of them when none is known."""
    return [BY_KEY[key] for key in dict.fromkeys(keys) if key in BY_KEY] or list(SPECS)


def counters(specs: Iterable[Spec]) -> set[str]:
    """Return the counters that charts need."""
    return {name for spec in specs for each in spec.names for name in METRICS[each].counters}


def measures(specs: Iterable[Spec]) -> set[int]:
    """Return the distributions that charts need."""
    found = {METRICS[each].measure for spec in specs for each in spec.names}
    return found - {0}
