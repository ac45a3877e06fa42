"""A try is one answer of a program to a case; a case may be tried several times in a run.

A try is stored and sent as `{"status", "output", "tool_calls", "cost", "latency_ms", "error",
"trace_id", "assertions": [{"id", "status", "message", "got"}]}`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tracehub.core.assess.checks import Answer, CannotCheck, Judge, Skipped, check

PASS, FAIL, ERROR, SKIPPED = "pass", "fail", "error", "skipped"
STATUSES = (PASS, FAIL, ERROR, SKIPPED)
Try = dict[str, Any]


def judge_answer(
    case: Mapping[str, Any], answer: Answer, judge: Judge | None = None
) -> tuple[str, list[dict[str, str]]]:
    """Return the status of an answer, and what each assertion says.

    A case without assertions compares with its expected output; without that too it is skipped.
    One that fails outweighs one that cannot be checked, and that outweighs those that pass.

    >>> judge_answer({"assertions": [], "expected_output": "23 kg"}, Answer("23 kg"))[0]
    'pass'
    """
    assertions = case.get("assertions") or _expected(case)
    said = [_one(assertion, answer, judge) for assertion in assertions]
    found = {line["status"] for line in said}
    status = next((s for s in (FAIL, ERROR, PASS) if s in found), SKIPPED)
    return status, said


def _expected(case: Mapping[str, Any]) -> list[dict[str, Any]]:
    if case.get("expected_output") is None:
        return []
    return [{"id": "expected", "type": "exact", "value": case["expected_output"]}]


def _one(assertion: Mapping[str, Any], answer: Answer, judge: Judge | None) -> dict[str, str]:
    line = {"id": str(assertion["id"]), "status": PASS, "message": "", "got": ""}
    try:
        wrong = check(assertion, answer, judge)
    except Skipped as reason:
        return line | {"status": SKIPPED, "message": str(reason)}
    except CannotCheck as reason:
        return line | {"status": ERROR, "message": str(reason)}
    if wrong is not None:
        line |= {"status": FAIL, "message": wrong.message, "got": wrong.got}
    return line


def overall(statuses: Sequence[str]) -> tuple[str, bool]:
    """Return the status of a case over its tries, and whether it is flaky (it passed and failed).

    A flaky case passes when at least half of its tries did.

    >>> overall(["fail", "pass"]), overall(["pass", "error"]), overall(["error", "error"])
    (('pass', True), ('pass', True), ('error', False))
    """
    told = [status for status in statuses if status != SKIPPED]
    if not told:
        return SKIPPED, False
    passed = told.count(PASS)
    if passed == len(told):
        return PASS, False
    if passed:
        return (PASS if passed * 2 >= len(told) else FAIL), True
    return (FAIL if FAIL in told else ERROR), False
