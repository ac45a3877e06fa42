"""The stop rule of a rollout, and the flags that a program follows."""

from __future__ import annotations

import pytest

from tracehub.core.rollout import Course, flags, stop_rule


@pytest.mark.parametrize(
    ("control", "candidate", "ok"),
    [
        ((210, 10_000), (61, 1000), False),  # +4.0 points, 2.4 to 5.7
        ((210, 10_000), (22, 1000), True),  # +0.1, -0.7 to 1.2
        ((2, 100), (5, 100), None),  # +3.0, -2.6 to 9.3
        ((2, 100), (0, 0), None),
        ((0, 0), (1, 10), None),
    ],
)
def test_the_stop_rule_decides_only_when_the_interval_does(control, candidate, ok) -> None:
    assert stop_rule(control, candidate, 0.02).ok is ok


def test_what_cannot_be_told_says_what_would_tell_it() -> None:
    reason = stop_rule((2, 100), (5, 100), 0.02)
    assert "+3.0 pts against control" in reason.message
    assert "more traces would" in reason.message
    assert "any number of traces" in stop_rule((3, 100), (5, 100), 0.02).message
    assert stop_rule((2, 100), (0, 0), 0.02).message.startswith("The candidate has no traces")


@pytest.mark.parametrize(
    ("stage", "default", "cohorts"),
    [
        ("internal", "control", ["internal"]),
        ("canary", "control", ["internal", "canary"]),
        ("all", "candidate", None),
        ("rolled_back", "control", None),
    ],
)
def test_flags_give_each_cohort_its_version(stage, default, cohorts) -> None:
    made = flags([Course("refund", "refund@v13", "refund@v12", stage)])["flags"]["prompt.refund"]
    assert made["variants"] == {"control": "refund@v12", "candidate": "refund@v13"}
    assert made["defaultVariant"] == default
    served = made["targeting"]["if"][0]["in"][1] if "targeting" in made else None
    assert served == cohorts
