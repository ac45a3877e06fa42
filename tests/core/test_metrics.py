"""Metrics by name, and their values for given sums."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tracehub.core import metrics, rollup, sampling
from tracehub.core.metrics import Sums


def test_cost_per_successful_task_is_the_cost_of_all_over_the_successful_ones():
    sums = Sums({"requests": 10, "successes": 8, "cost": Decimal("0.4")})
    assert metrics.find("cost_per_success").value(sums) == Decimal("0.05")
    assert metrics.find("cost_per_request").value(sums) == Decimal("0.04")


def test_a_rate_of_nothing_is_not_known_and_a_count_is_zero():
    assert metrics.find("failing_rate").value(Sums()) is None
    assert metrics.find("latency_p95").value(Sums()) is None
    assert metrics.find("requests").value(Sums()) == 0


def test_latency_comes_in_milliseconds_and_cost_in_dollars():
    sums = Sums(buckets={1: {rollup.bucket(2_000_000_000): 1}, 3: {rollup.bucket(180_000_000): 1}})
    assert metrics.find("latency_p50").value(sums) == pytest.approx(2000, rel=0.01)
    assert metrics.find("cost_p50").value(sums) == pytest.approx(0.018, rel=0.01)


def test_sums_of_steps_add_up():
    whole = Sums({"requests": 1}, {1: {5: 2}})
    whole.add(Sums({"requests": 2, "cost": Decimal("0.1")}, {1: {5: 1, 6: 1}}))
    assert whole == Sums({"requests": 3, "cost": Decimal("0.1")}, {1: {5: 3, 6: 1}})


def test_every_metric_reads_counters_that_exist():
    for metric in metrics.METRICS.values():
        assert set(metric.counters) <= set(rollup.COUNTERS), metric.name


@pytest.mark.parametrize(
    ("find", "near"), [(metrics.find, "latency_p95"), (metrics.group, "prompt")]
)
def test_an_unknown_name_is_answered_with_the_nearest(find, near):
    with pytest.raises(metrics.MetricError, match=f"Did you mean {near}"):
        find(near + "x")


def test_weighted_reviews_are_those_of_the_sampling_theory():
    draw = random.Random(8)
    hits = [draw.random() < 0.3 for _ in range(60)]
    chances = [draw.choice([1.0, 0.5, 0.125, 0.02]) for _ in hits]
    sums = Sums()
    for hit, chance in zip(hits, chances, strict=True):
        facts = rollup.ContributionFacts(
            project_id=1,
            started_at=datetime(2026, 11, 24, tzinfo=UTC),
            name="support",
            verdict="fail" if hit else "pass",
            chance=chance,
        )
        sums.add(Sums(rollup.contribution(facts)["all"]))
    known = sampling.weighted_rate(hits, chances)
    metric = metrics.find("review_fail_estimate")
    assert metric.value(sums) == pytest.approx(known.share)
    assert metric.interval(sums) == pytest.approx(known.interval)
    assert metric.interval(Sums()) is None
