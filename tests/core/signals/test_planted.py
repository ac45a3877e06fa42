"""The planted faults of `bench/planted.py` in small: faults found, near-misses left alone."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[3] / "bench"


@pytest.fixture(scope="module")
def planted():
    sys.path.insert(0, str(BENCH))
    try:
        yield importlib.import_module("planted")
    finally:
        sys.path.remove(str(BENCH))


def test_detectors_and_groups_reach_their_targets_on_planted_faults(planted):
    result = planted.measure(672, 11)
    assert len(result.scores) >= 25
    sure = {kind: s for kind, s in result.scores.items() if kind not in planted.HEURISTIC}
    low = {k: s for k, s in sure.items() if min(s.precision, s.recall) < planted.TARGET}
    assert low == {}
    assert min(result.purity, result.completeness) >= planted.TARGET
    assert min(s.precision for s in result.scores.values()) > 0.6


def test_the_same_seed_plants_the_same(planted):
    one, two = planted.measure(56, 3), planted.measure(56, 3)
    assert dict(one.scores) == dict(two.scores)
