"""How queues draw and weigh: rules, bottom-k draws, and rates over what was drawn."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracehub.core.diverse import most_different
from tracehub.core.sampling import Rule, RuleError, rules_of, shares, weighted_rate


@pytest.mark.parametrize(
    ("stored", "field"),
    [
        ([{"way": "guess"}], "draws"),
        ([{"way": "judge", "size": 3}], "draws"),
        ([{"way": "judge", "daily": -1}], "judge"),
        ([{"way": "stratified", "daily": 1, "by": "weather"}], "stratified"),
        ([{"way": "stratified", "daily": 1}], "stratified"),
        ([{"way": "judge", "daily": 1}, {"way": "judge", "most": 1}], "draws"),
    ],
)
def test_wrong_rules_are_named(stored, field):
    with pytest.raises(RuleError) as error:
        rules_of(stored)
    assert error.value.field == field


def test_rules_are_said_in_words_and_those_that_take_nothing_go():
    stored = [{"way": "judge", "daily": 0}, {"way": "release", "daily": 5, "most": 40}]
    (rule,) = rules_of(stored)
    assert rule.words() == "Up to 5 a day of the newest release, 40 of each release"
    assert Rule("different", most=30).words() == "Up to 30 that differ most from each other in all"


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 50), max_size=6), st.integers(0, 120))
def test_shares_use_all_room_and_no_stratum_gives_more_than_it_has(sizes, room):
    dealt = shares(sizes, room)
    assert all(0 < dealt[name] <= sizes[name] for name in dealt)
    assert sum(dealt.values()) == min(room, sum(sizes.values()))


def test_a_weighted_rate_is_right_on_average_where_the_plain_one_is_not():
    """1,000 traces, 10% failing; failing ones are drawn ten times as often (bottom-k in each)."""
    dice, fails = Random(3), [True] * 100 + [False] * 900
    weighted, plain, covered = [], [], 0
    for _ in range(300):
        hits, chances = [], []
        for failed, number in ((True, 50), (False, 45)):
            drawn = sorted(dice.random() for fail in fails if fail == failed)
            hits += [failed] * number
            chances += [drawn[number]] * number
        rate = weighted_rate(hits, chances)
        weighted.append(rate.share)
        plain.append(sum(hits) / len(hits))
        covered += rate.interval[0] <= 0.1 <= rate.interval[1]
    assert sum(weighted) / 300 == pytest.approx(0.1, abs=0.004)
    assert sum(plain) / 300 > 0.5
    assert covered / 300 >= 0.95


def test_equal_chances_give_the_plain_rate_and_wilsons_interval():
    rate = weighted_rate([True] * 3 + [False] * 47, [0.2] * 50)
    assert (rate.share, rate.effective) == pytest.approx((0.06, 50))
    assert rate.interval == pytest.approx((0.0206, 0.1622), abs=1e-4)
    assert weighted_rate([], []) is None
    with pytest.raises(ValueError, match="chance"):
        weighted_rate([True], [0.0])


def test_the_most_different_keep_away_from_what_is_there():
    near, far = frozenset("ab"), frozenset("xy")
    assert most_different([near, near, far], 2, away_from=[near]) == [2, 0]
    assert most_different([], 3) == []
