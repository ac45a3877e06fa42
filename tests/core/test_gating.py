"""The rules of the gate, one at a time, on small sets."""

from __future__ import annotations

import pytest

from tracehub.core import gate_rules
from tracehub.core.gating import decide
from tracehub.core.outcomes import Outcome
from tracehub.core.shape import ShapeError

RULES = gate_rules.read({})
NO_FLOORS = {"floors": {"known_failure": None, "format": None}}


def outcomes(statuses: str, kind: str = "success", **more) -> dict[str, Outcome]:
    """`outcomes("p f")`: c_0001 passes, c_0002 fails; e error, s skipped, x flaky."""
    names = {"p": "pass", "f": "fail", "e": "error", "s": "skipped", "x": "pass"}
    return {
        f"c_{n:04d}": Outcome(kind, names[s], flaky=s == "x", **more)
        for n, s in enumerate(statuses.split(), 1)
    }


def gate(run, baseline=None, expected=None, **rules):
    return decide(run, baseline, expected=expected or len(run), rules=gate_rules.read(rules))


def reason(found, rule):
    return next(r for r in found.reasons if r.rule == rule)


def test_a_run_like_its_baseline_passes():
    same = outcomes("p p p p", "known_failure")
    found = gate(same, same)
    assert (found.verdict, found.headline) == ("passed", "GATE PASSED")
    assert found.counts["both_pass"] == 4
    assert reason(found, "drop").message == (
        "Too few changes to tell: 0 worse, 0 better, p = 1.000. "
        "About 46 more cases would show a fall of 10%."
    )


def test_a_tiny_chance_is_not_said_to_be_none():
    found = gate(outcomes("f " * 14), outcomes("p " * 14))
    assert "14 worse, 0 better, p < 0.001." in reason(found, "drop").message


@pytest.mark.parametrize("kind", ["known_failure", "format"])
def test_one_known_failure_or_format_case_that_regressed_blocks(kind):
    found = gate(outcomes("p " * 39 + "f", kind), outcomes("p " * 40, kind), **NO_FLOORS)
    assert found.verdict == "failed"
    assert reason(found, "block").message.startswith("1 ")
    assert "regressed: c_0040" in found.headline


def test_a_grave_case_of_any_kind_blocks_and_a_light_one_does_not():
    before = outcomes("p p", severity="high")
    assert gate(outcomes("p f", severity="high"), before).verdict == "failed"
    assert gate(outcomes("p f", severity="low"), before).verdict == "passed"


def test_a_crash_of_a_blocking_case_blocks():
    found = gate(
        outcomes("p " * 39 + "e", "known_failure"), outcomes("p " * 40, "known_failure"),
        **NO_FLOORS,
    )  # fmt: skip
    assert (found.verdict, found.counts["errors"]) == ("failed", 1)


def test_a_flaky_case_is_named_and_does_not_block():
    found = gate(outcomes("p x", "known_failure"), outcomes("p p", "known_failure"))
    assert (found.verdict, found.counts["flaky"]) == ("passed", 1)
    assert "c_0002 (" in reason(found, "flaky").message


def test_twelve_cases_cannot_tell_and_say_how_many_more_would():
    before = outcomes("p " * 11 + "f")
    found = gate(outcomes("f p " + "p " * 9 + "f"), before)
    drop = reason(found, "drop")
    assert (found.verdict, drop.unsure, drop.short) == ("passed", True, "cannot tell")
    assert "About 38 more cases would show a fall of 10%." in drop.message
    large = gate(outcomes("p " * 50), outcomes("p " * 50))
    assert reason(large, "drop").message.endswith("p = 1.000.")  # that many would have shown it


def test_what_failed_before_may_fail_again():
    found = gate(
        outcomes("f p", "known_failure"), outcomes("f f", "known_failure"),
        floors={"known_failure": 50},
    )  # fmt: skip
    assert (found.verdict, found.counts["fixed"], found.counts["both_fail"]) == ("passed", 1, 1)


def test_the_floor_needs_no_baseline():
    found = gate(outcomes("p p p f", "format"))
    assert found.verdict == "failed"
    assert reason(found, "floor").message == ("Format: 3 of 4 passed (75 %), 100 % or more needed.")
    assert (reason(found, "floor").value, reason(found, "floor").limit) == (75.0, 100.0)


def test_floors_are_95_percent_for_known_failures_and_none_for_the_others():
    assert gate(outcomes("p " * 19 + "f", "known_failure")).verdict == "undecided"
    assert gate(outcomes("p " * 18 + "f", "known_failure")).verdict == "failed"
    assert gate(outcomes("f f f", "success")).verdict == "undecided"


@pytest.mark.parametrize(
    ("worse", "better", "verdict"),
    [(5, 0, "failed"), (4, 0, "passed"), (6, 1, "passed"), (8, 1, "failed"), (1, 0, "passed")],
)
def test_drift_fails_only_beyond_chance(worse, better, verdict):
    before = "p " * worse + "f " * better + "p " * 40
    after = "f " * worse + "p " * better + "p " * 40
    found = gate(outcomes(after), outcomes(before))
    assert found.verdict == verdict
    assert (found.counts["regressed"], found.counts["fixed"]) == (worse, better)
    assert reason(found, "drop").unsure == (verdict == "passed" and worse + better < 5)


def test_cost_fails_only_when_the_interval_is_above_one():
    before = outcomes("p " * 20, cost=0.01)
    dear = {case: Outcome("success", "pass", cost=0.012) for case in before}
    assert gate(dear, before).verdict == "passed"  # off by default
    found = gate(dear, before, cost=1.1)
    assert (found.verdict, reason(found, "cost").value) == ("failed", 1.2)
    one = {**before, "c_0001": Outcome("success", "pass", cost=0.1)}
    noisy = gate(one, before, cost=1.1)
    assert (noisy.verdict, reason(noisy, "cost").unsure) == ("passed", True)
    unknown = gate(outcomes("p"), outcomes("p"), latency=1.1)
    assert (unknown.verdict, reason(unknown, "latency").ok) == ("undecided", None)


def test_without_a_baseline_or_common_cases_the_gate_is_undecided():
    assert gate(outcomes("p")).headline == ("GATE UNDECIDED: There is no baseline to compare with")
    other = {"c_0009": Outcome("success", "pass")}
    found = gate(outcomes("p"), other)
    assert found.verdict == "undecided"
    assert (found.counts["only_run"], found.counts["only_baseline"]) == (1, 1)
    assert gate(outcomes("p p"), outcomes("p p"), minimum=3).verdict == "undecided"


def test_too_many_errors_or_missing_cases_decide_nothing():
    before = outcomes("p " * 40, "format")
    found = gate(outcomes("p " * 37 + "e e e", "format"), before)
    assert found.verdict == "undecided"
    assert found.headline.startswith("GATE UNDECIDED: 3 of 40 cases gave an error or no result")
    assert gate(outcomes("p " * 37), outcomes("p " * 37), expected=40).verdict == "undecided"
    assert gate(outcomes("p " * 38), outcomes("p " * 38), expected=40).verdict == "passed"


def test_skipped_cases_count_nowhere():
    found = gate(outcomes("p s", "format"), outcomes("p p", "format"))
    assert (found.verdict, found.told, found.changes["c_0002"]) == ("passed", 1, "skipped")


def test_the_json_form_has_the_fields_of_the_contract_in_their_order():
    found = gate(outcomes("p f", "format"), outcomes("p p", "format"))
    shown = found.as_json(set="refunds", version=3, run=31, baseline=30)
    assert list(shown) == [
        "schema", "verdict", "reasons", "set", "version", "run", "baseline", "counts", "p_value",
        "pass_rate", "by_kind", "cases",
    ]  # fmt: skip
    assert shown["schema"] == "tracehub.gate/1"
    assert list(shown["reasons"][0]) == ["rule", "ok", "message", "value", "limit"]
    assert shown["cases"][1] == {
        "id": "c_0002",
        "before": "pass",
        "after": "fail",
        "change": "regressed",
    }
    assert shown["pass_rate"]["value"] == 0.5
    assert shown["by_kind"]["format"]["regressed"] == 1


def test_rules_are_checked_and_completed():
    assert gate_rules.read(RULES.as_json()) == RULES
    with pytest.raises(ShapeError, match=r"floors\.format must be at most 100"):
        gate_rules.read({"floors": {"format": 101}})
    with pytest.raises(ShapeError, match="blok is not a known field"):
        gate_rules.read({"blok": True})
