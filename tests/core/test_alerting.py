"""Rules over hourly counts: sure of a rise, silent without one, and quiet after a message."""

from __future__ import annotations

import random
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracehub.core.alerting import Hour, Rate, Spike, firings, gathered, rise_chance

USUAL = [Hour(100, 2)] * 200


@given(st.integers(1, 300), st.integers(0, 30), st.integers(50, 3000), st.integers(0, 60))
def test_the_chance_of_a_rise_is_the_tail_of_the_binomial(traces, failing, before, failed):
    now, past = Hour(traces, min(failing, traces)), Hour(before, min(failed, before))
    n, share = now.failing + past.failing, traces / (traces + before)
    exact = sum(comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(now.failing, n + 1))
    found = rise_chance(now, past)
    if now.failing <= n * share:
        assert found == 1.0
    else:
        assert found == pytest.approx(exact, rel=1e-6)


def test_a_spike_is_held_against_the_week_before():
    series = [*USUAL, Hour(100, 12)]
    fired = firings(Spike(), series, since=190, quiet=1)
    assert [end for end, _ in fired] == [201]
    assert fired[0][1].against == pytest.approx(0.02) and fired[0][1].chance < 1e-4
    assert firings(Spike(), [*USUAL, Hour(100, 5)], since=190, quiet=1) == []
    assert firings(Spike(), [Hour(20, 0), Hour(100, 50)], since=1, quiet=1) == []  # no baseline


def test_a_rate_that_never_changes_hardly_ever_fires():
    draw = random.Random(7)
    series = [Hour(200, sum(draw.random() < 0.03 for _ in range(200))) for _ in range(24 * 60)]
    assert len(firings(Spike(), series, since=168, quiet=1)) <= 1


def test_a_limit_must_surely_be_passed():
    rule = Rate(0.05, hours=1, least=100)
    assert not firings(rule, [Hour(100, 8)], since=1, quiet=1)
    assert firings(rule, [Hour(100, 15)], since=1, quiet=1)[0][1].interval[0] > 0.05
    assert not firings(rule, [Hour(99, 50)], since=1, quiet=1)


def test_a_canary_is_held_against_its_control():
    rule = Rate(0.02, hours=2, least=200, against=True)
    canary, control = [Hour(150, 10), Hour(150, 14)], [Hour(1500, 30), Hour(1500, 30)]
    ((end, finding),) = firings(rule, canary, control, since=2, quiet=1)
    assert end == 2 and finding.against == pytest.approx(0.02) and finding.interval[0] > 0.02
    assert not firings(rule, canary, [Hour(), Hour()], since=2, quiet=1)


def test_after_a_message_a_rule_is_silent_for_a_while():
    series = [*USUAL, *[Hour(100, 30)] * 10]
    assert [end for end, _ in firings(Spike(), series, since=190, quiet=4)] == [201, 205, 209]
    late = firings(Spike(), series, since=190, quiet=4, last=199)
    assert [end for end, _ in late] == [203, 207]


def test_events_in_the_silence_go_with_the_next_message():
    assert gathered([0, 1, 2], quiet=6) == [0, 6]
    assert gathered([5], quiet=6, last=3) == [9]
    assert gathered([], quiet=1) == []
