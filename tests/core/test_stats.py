"""Statistics for small numbers against published values and those of SciPy 1.15."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracehub.core import stats


# scipy.stats.binomtest(k, n).proportion_ci(method="wilson"); the first is the example of
# Newcombe 1998 (Statist. Med. 17:857), table I: 81 of 263 gives 0.2553-0.3662.
@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (36, 40, 0.769, 0.960),
        (40, 40, 0.912, 1.0),
    ],
)
def test_wilson_intervals_are_the_published_ones(k, n, low, high):
    assert stats.wilson_interval(k, n) == pytest.approx((low, high), abs=6e-4)


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [  # Newcombe 1998, table I, method 5
        (81, 263, 0.2527, 0.3676),
        (15, 148, 0.0578, 0.1617),
        (0, 20, 0.0, 0.1684),
        (1, 29, 0.0009, 0.1776),
        (40, 40, 0.9119, 1.0),
    ],
)
def test_exact_intervals_are_the_published_ones(k, n, low, high):
    assert stats.exact_interval(k, n) == pytest.approx((low, high), abs=6e-5)


@given(st.integers(0, 400), st.integers(1, 400))
def test_an_exact_interval_is_as_sure_as_it_says(k, n):
    k = min(k, n)
    low, high = stats.exact_interval(k, n)
    assert low <= k / n <= high
    assert k == 0 or stats.upper_tail(k, n, low) == pytest.approx(0.025, abs=1e-4)


@pytest.mark.parametrize(
    ("worse", "better", "one_sided", "two_sided", "mid"),
    [
        (6, 1, 0.0625, 0.125, 0.0703),
        (5, 0, 0.03125, 0.0625, 0.03125),
        (4, 0, 0.0625, 0.125, 0.0625),
        (0, 0, 1.0, 1.0, 1.0),
        # Fagerland, Lydersen, Laake 2013: airway hyper-responsiveness, 7 against 1.
        (7, 1, 0.0352, 0.0703, 0.0391),
    ],
)
def test_mcnemar_is_exact(worse, better, one_sided, two_sided, mid):
    assert stats.mcnemar_worse(worse, better) == pytest.approx(one_sided, abs=5e-5)
    assert stats.mcnemar_differ(worse, better) == pytest.approx(two_sided, abs=5e-5)
    if worse + better:
        assert stats.mcnemar_differ(worse, better, mid=True) == pytest.approx(mid, abs=5e-5)


@given(st.integers(0, 60), st.integers(0, 60))
def test_a_p_value_is_a_probability_and_falls_with_more_that_got_worse(worse, better):
    p = stats.mcnemar_worse(worse, better)
    assert 0 < p <= 1
    assert stats.mcnemar_worse(worse + 1, better) < p or p == 1


def test_the_bootstrap_is_the_same_each_time_and_covers_the_ratio():
    before = [0.01 + 0.001 * (n % 7) for n in range(40)]
    after = [cost * (1.2 if n % 2 else 1.0) for n, cost in enumerate(before)]
    low, high = stats.ratio_interval(before, after)
    assert (low, high) == stats.ratio_interval(before, after)
    assert 1.05 < low < sum(after) / sum(before) < high < 1.16
    same = stats.ratio_interval(before, before)
    assert same == (1.0, 1.0)
    with pytest.raises(ValueError, match="needs pairs"):
        stats.ratio_interval([], [])
