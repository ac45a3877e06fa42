"""Metrics by name, and their values for given sums."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tracehub.core import metrics, rollup
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
