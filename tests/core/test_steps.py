"""Ranges of charts: which steps, from which rollup."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tracehub.core import steps

NOW = datetime(2026, 11, 24, 12, 34, 56, tzinfo=UTC)


def frame(days, **options):
    return steps.window(NOW - timedelta(days=days), NOW, now=NOW, **options)


@pytest.mark.parametrize(
    ("days", "step", "resolution"),
    [
        (1 / 24, timedelta(minutes=1), steps.MINUTE),
        (1, timedelta(hours=1), steps.HOUR),
        (14, timedelta(hours=6), steps.HOUR),
        (90, timedelta(days=1), steps.DAY),
        (365, timedelta(days=7), steps.DAY),
    ],
)
def test_the_step_suits_the_range(days, step, resolution):
    window = frame(days)
    assert (window.step, window.resolution) == (step, resolution)
    assert window.start <= NOW - timedelta(days=days) < window.start + step
    assert NOW <= window.end < NOW + timedelta(seconds=resolution)
    assert window.marks[-1] < window.end <= window.marks[-1] + step


def test_minutes_that_are_forgotten_become_hours():
    old = NOW - timedelta(days=10)
    window = steps.window(old, old + timedelta(hours=2), now=NOW)
    assert window.step == timedelta(hours=1)


@pytest.mark.parametrize(
    ("step", "field"),
    [
        (timedelta(seconds=30), "step"),
        (timedelta(minutes=90), "step"),
        (timedelta(minutes=1), "step"),
    ],
)
def test_a_step_that_cannot_be_read_is_refused_by_name(step, field):
    with pytest.raises(steps.RangeError) as error:
        frame(2, step=step)
    assert error.value.field == field


def test_an_empty_range_is_refused():
    with pytest.raises(steps.RangeError, match="from must come before to"):
        steps.window(NOW, NOW, now=NOW)
