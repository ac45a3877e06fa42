"""pass@k and pass^k, held against all subsets of the tries."""

from __future__ import annotations

from itertools import combinations

import pytest

from tracehub.core.assess.checks import Answer, check
from tracehub.core.assess.repeats import pass_at, pass_hat
from tracehub.core.gate_rules import Rules
from tracehub.core.gating import decide
from tracehub.core.outcomes import Outcome


@pytest.mark.parametrize(("tries", "passed"), [(1, 0), (1, 1), (4, 2), (6, 1), (6, 6)])
def test_both_estimates_are_the_share_of_the_subsets(tries, passed) -> None:
    told = [True] * passed + [False] * (tries - passed)
    for k in range(1, tries + 1):
        subsets = list(combinations(told, k))
        assert pass_at(k, tries, passed) == pytest.approx(sum(map(any, subsets)) / len(subsets))
        assert pass_hat(k, tries, passed) == pytest.approx(sum(map(all, subsets)) / len(subsets))


def test_the_gate_names_flaky_cases_and_says_how_steady_the_run_is() -> None:
    run = {
        "c_0001": Outcome("success", "pass", tries=5, passes=5),
        "c_0002": Outcome("success", "pass", flaky=True, tries=5, passes=3),
    }
    gate = decide(run, run, expected=2, rules=Rules())
    flaky = next(reason for reason in gate.reasons if reason.rule == "flaky")
    assert "c_0002 (3 of 5)" in flaky.message
    assert gate.verdict == "passed"
    assert gate.repeats is not None
    assert gate.repeats.sentence() == "pass@5 100%, pass^5 50% over 2 cases"
    single = {"c_0001": Outcome("success", "pass", tries=1, passes=1)}
    assert decide(single, single, expected=1, rules=Rules()).repeats is None


def test_similarity_is_the_common_subsequence_over_both_lengths() -> None:
    asked = {"type": "similarity", "value": "Up to 23 kg.", "threshold": 0.8}
    assert check(asked, Answer("Up to 23kg.")) is None
    wrong = check(asked, Answer("No idea"))
    assert wrong is not None and "0.8 needed" in wrong.message
    assert check(asked | {"ignore_case": True}, Answer("UP TO 23 KG.")) is None
