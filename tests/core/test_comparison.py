"""Differences of two groups: published examples, and how often the intervals hold the truth."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from tracehub.core import comparison, rollup


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [  # Newcombe 1998, Stat Med 17:873, table II, method 10
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0000),
        ((10, 10), (0, 10), 0.6075, 1.0000),
    ],
)
def test_newcombes_intervals_are_those_of_his_table(one, other, low, high):
    found = comparison.rates_differ(other, one)
    assert found == pytest.approx((low, high), abs=5e-5)


def test_holm_gives_what_r_gives():
    ps = [0.0001, 0.0042, 0.0203, 0.0366, 0.5]
    assert comparison.holm(ps) == pytest.approx([0.0005, 0.0168, 0.0609, 0.0732, 0.5])
    assert comparison.holm([]) == []


def test_a_p_agrees_with_the_interval_it_comes_from():
    sure = (30, 1000), (60, 1000)
    p = comparison.p_value(lambda level: comparison.rates_differ(*sure, level))
    low, _ = comparison.rates_differ(*sure, 1 - p)
    assert low == pytest.approx(0, abs=1e-9)
    assert 0 < p < 0.01
    same = (30, 1000), (30, 1000)
    assert comparison.p_value(lambda level: comparison.rates_differ(*same, level)) == 1


def test_readings_know_which_way_is_worse():
    assert comparison.reading(0.01, 0.04, higher_is_worse=True) == "worse"
    assert comparison.reading(0.01, 0.04, higher_is_worse=False) == "better"
    assert comparison.reading(0.06, 0.04, higher_is_worse=True) == "unclear"


def test_more_requests_are_needed_for_smaller_differences():
    # Two rates near 10 %, 1,000 requests each; the textbook wants 686 a side for 10 % and 15 %.
    interval = comparison.rates_differ((120, 1000), (120, 1000))
    assert comparison.requests_needed(interval, 0.05, 2000) == 0
    few = comparison.rates_differ((12, 100), (12, 100))
    assert comparison.requests_needed(few, 0.05, 200) + 200 == pytest.approx(2 * 686, rel=0.1)


def test_too_few_requests_have_no_quantile_interval():
    buckets = {rollup.bucket(n): 1 for n in range(1000, 1040)}
    assert comparison.quantile_interval(buckets, 0.95) is None
    assert comparison.quantiles_differ(buckets, buckets, 0.95) is None
    assert comparison.quantile_interval({}, 0.95) is None


def test_groups_without_a_success_have_no_cost_of_one():
    none, some = comparison.Spread(10, 1.0, 0.2, 0), comparison.Spread(10, 1.0, 0.2, 9)
    assert comparison.ratios_differ(none, some) is None
    assert comparison.rates_differ((0, 0), (1, 2)) is None


def costs(draw, n):
    rows = [(draw.lognormvariate(0, 0.6), draw.random() < 0.9) for _ in range(n)]
    return comparison.Spread(
        n, sum(c for c, _ in rows), sum(c * c for c, _ in rows), sum(ok for _, ok in rows)
    )


def latencies(draw, n):
    return Counter(rollup.bucket(int(draw.lognormvariate(21, 0.5))) for _ in range(n))


def rates(draw, n):
    return sum(draw.random() < 0.05 for _ in range(n)), n


@pytest.mark.parametrize(
    ("sample", "differ", "least", "most"),
    [
        (rates, comparison.rates_differ, 0.92, 0.99),
        (costs, comparison.ratios_differ, 0.93, 1.0),
        (latencies, lambda a, b: comparison.quantiles_differ(a, b, 0.95), 0.92, 1.0),
    ],
)
def test_intervals_hold_the_truth_as_often_as_they_say(sample, differ, least, most):
    draw, held, tries = random.Random(7), 0, 300
    for _ in range(tries):
        low, high = differ(sample(draw, 300), sample(draw, 150))
        held += low <= 0 <= high
    assert least <= held / tries <= most


def test_a_random_split_is_told_from_one_that_is_not():
    draw, alarms = random.Random(3), 0
    for _ in range(300):
        one, other = (Counter(draw.choice("abcde") for _ in range(n)) for n in (900, 200))
        alarms += comparison.mixes_differ(one, other)
    assert alarms <= 2
    skewed = Counter(draw.choice("aaabcde") for _ in range(900))
    even = Counter(draw.choice("abcde") for _ in range(900))
    assert comparison.mixes_differ(skewed, even)
    assert not comparison.mixes_differ({}, {"a": 1})
    assert not comparison.mixes_differ({"a": 900, "b": 1}, {"a": 900})
