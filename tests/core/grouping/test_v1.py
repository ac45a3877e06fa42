"""Fingerprints of version 1: what makes one failure, what makes two, and that they never change."""

from __future__ import annotations

import random

import pytest

from tracehub.core.grouping.v1 import groups, masked
from tracehub.core.trace import Signal

NAMES = {"a": "compose-refund", "b": "get_booking"}


def signal(kind="schema_error", message="must be number", span="a", pointer=None, **evidence):
    return Signal(kind, message, "high", span, pointer, evidence=evidence)


def one(*signals, **more):
    (group,) = groups(signals, NAMES, trace="support", **more)
    return group.fingerprint


def test_the_fingerprints_of_a_released_version_stay():
    assert one(signal(pointer="/refund/amount", rule="type")) == "2fdd4c89d0a63f3b168a65052d70a0da"
    assert one(verdict="fail", modes=["wrong-amount"]) == "19e60e8c8449eae65f8483415ff64152"


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (signal(pointer="/legs/1/fare", rule="type"), signal(pointer="/legs/7/fare", rule="type")),
        (
            signal(pointer="/refund/amount", rule="type", message="one"),
            signal("validation_error", pointer="/refund/amount", rule="type", message="two"),
        ),
        (
            signal("tool_error", "get_booking failed: 503 for X7K2QD after 3.2 s", "b"),
            signal("tool_error", "get_booking failed: 500 for ABC123 after 10 s", "b"),
        ),
        (
            signal("exception", 'no booking "Ida", see https://x.example/1?a=2'),
            signal("exception", 'no booking "Per", see https://y.example/2'),
        ),
        (
            signal("negative_feedback", "wrong!"),
            signal("negative_feedback", "the money never came"),
        ),
    ],
)
def test_these_are_one_failure(left, right):
    assert one(left) == one(right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (
            signal(pointer="/refund/amount", rule="type"),
            signal(pointer="/refund/amount", rule="enum"),
        ),
        (signal(pointer="/refund/amount", rule="type"), signal(pointer="/refund/fee", rule="type")),
        (signal("timeout"), signal("timeout", span="b")),
        (signal("exception", "no booking"), signal("exception", "no fare")),
        (signal("tool_loop", tool="search"), signal("tool_loop", tool="get_booking")),
    ],
)
def test_these_are_two(left, right):
    assert one(left) != one(right)


def test_the_order_of_signals_changes_no_group():
    found = [
        signal(pointer="/refund/amount", rule="type"),
        signal(pointer="/refund/fee", rule="type"),
        signal("timeout", span="b"),
    ]
    expected = {g.fingerprint for g in groups(found, NAMES, trace="support")}
    random.Random(1).shuffle(found)
    assert {g.fingerprint for g in groups(found, NAMES, trace="support")} == expected


def test_every_part_of_a_fingerprint_is_a_reason_in_words():
    (group,) = groups([signal(pointer="/refund/amount", rule="type")], NAMES, trace="support")
    assert dict(group.reason) == {
        "what": "contract", "place": "/refund/amount", "rule": "type", "span": "compose-refund"
    }  # fmt: skip


def test_a_passing_review_makes_no_group_and_each_mode_of_a_failing_one_does():
    assert groups([], NAMES, trace="support", verdict="pass", modes=["x"]) == []
    found = groups([], NAMES, trace="support", verdict="fail", modes=["a-b", "c"])
    assert [group.title for group in found] == ["Reviewers: A b", "Reviewers: C"]


def test_masking_is_quick_on_hostile_text():
    for text in ("a" * 2000, "1a" * 1000, '"' * 2000, "@" * 2000, "a@" * 1000, "0" * 2000):
        assert len(masked(text)) <= 200
