"""Results of a run as they are sent, and as tries per case once they are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from statistics import fmean
from typing import Any

from tracehub.core.assess.checks import Answer, as_text
from tracehub.core.assess.tries import (
    ERROR,
    FAIL,
    PASS,
    SKIPPED,
    STATUSES,
    Try,
    judge_answer,
    overall,
)
from tracehub.core.outcomes import Outcome
from tracehub.core.shape import Schema, ShapeError, check, shown

MAX_RESULTS = 100_000
MAX_TRIES = 50
MAX_OUTPUT = 50_000  # characters of an output that a run keeps
_SHORT: Schema = {"type": ["string", "null"], "maxLength": 200}
_COST = r"^[0-9]{1,9}(\.[0-9]{1,12})?$"
RESULT: Schema = {
    "type": "object",
    "title": "result",
    "properties": {
        "case": {"type": "string", "minLength": 1, "maxLength": 20},
        "passed": {"type": ["boolean", "null"]},
        "score": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
        "output": {},
        "cost": {
            "type": ["string", "number", "null"],
            "pattern": _COST,
            "minimum": 0,
            "maximum": 1e9,
            "description": "US dollars, best as a decimal string such as 0.0042",
        },
        "latency_ms": {"type": ["number", "null"], "minimum": 0, "maximum": 1e12},
        "error": {"type": ["string", "null"], "maxLength": 20_000},
        "skipped": {"type": "boolean"},
        "tool_calls": {
            "type": ["array", "null"],
            "maxItems": 500,
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string", "maxLength": 300}},
                "required": ["name"],
            },
        },
        "trace_id": {
            "type": ["string", "null"],
            "pattern": "^[0-9a-fA-F]{32}$",
            "description": "32 hex digits",
        },
        "assertions": {
            "type": ["array", "null"],
            "maxItems": 200,
            "items": {
                "type": "object",
                "properties": {
                    "id": {"type": "string", "maxLength": 40},
                    "status": {"enum": list(STATUSES)},
                    "message": {"type": ["string", "null"], "maxLength": 20_000},
                    "got": {"type": ["string", "null"], "maxLength": 20_000},
                },
                "required": ["id", "status"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["case"],
    "additionalProperties": False,
}
CANDIDATE: Schema = {
    "type": "object",
    "title": "candidate",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 200},
        "prompt_version": _SHORT,
        "model": _SHORT,
        "commit": _SHORT,
        "branch": _SHORT,
        "baseline": {"type": ["boolean", "null"]},
    },
    "required": ["name"],
    "additionalProperties": False,
}
RUN: Schema = {
    "type": "object",
    "title": "run",
    "properties": {
        "version": {"type": "integer", "minimum": 1, "maximum": 2_000_000_000},
        "candidate": CANDIDATE,
        "results": {"type": "array", "minItems": 1, "maxItems": MAX_RESULTS, "items": RESULT},
        "started_at": {"type": ["string", "null"], "maxLength": 40},
    },
    "required": ["version", "candidate", "results"],
    "additionalProperties": False,
}


def read(
    results: Sequence[Mapping[str, Any]],
    cases: Mapping[str, Mapping[str, Any]],
    *,
    pass_score: float,
) -> dict[str, list[Try]]:
    """Return the tries of each case, in the order sent; several results of a case are its tries.

    A result with an output and no verdict is held against the assertions of its case. Raises
    ShapeError, which names the result.
    """
    tries: dict[str, list[Try]] = {}
    for number, result in enumerate(results):
        field = f"results[{number}]"
        check(result, RESULT, field)
        case = cases.get(result["case"])
        if case is None:
            raise ShapeError(
                f"{field}.case", f"is no case of this version. Got {shown(result['case'])}."
            )
        of_case = tries.setdefault(result["case"], [])
        of_case.append(_try(result, case, pass_score, field))
        if len(of_case) > MAX_TRIES:
            raise ShapeError(f"{field}.case", f"may have {MAX_TRIES} results at most.")
    return tries


def _try(result: Mapping[str, Any], case: Mapping[str, Any], pass_score: float, field: str) -> Try:
    cost = result.get("cost")
    known = Answer(
        output=result.get("output"),
        tool_calls=result.get("tool_calls") or (),
        cost=None if cost is None else Decimal(str(cost)),
        latency_ms=result.get("latency_ms"),
    )
    status, said = _status(result, case, known, pass_score, field)
    return {
        "status": status,
        "output": _kept(known.output),
        "tool_calls": list(known.tool_calls),
        "cost": None if known.cost is None else f"{known.cost:f}",
        "latency_ms": known.latency_ms,
        "error": result.get("error") or "",
        "trace_id": (result.get("trace_id") or "").lower(),
        "assertions": said,
    }


def _status(
    result: Mapping[str, Any],
    case: Mapping[str, Any],
    known: Answer,
    pass_score: float,
    field: str,
) -> tuple[str, list[dict[str, str]]]:
    said = [
        {
            "id": line["id"],
            "status": line["status"],
            "message": line.get("message") or "",
            "got": line.get("got") or "",
        }
        for line in result.get("assertions") or ()
    ]
    if result.get("error"):
        return ERROR, said
    if result.get("skipped"):
        return SKIPPED, said
    if result.get("passed") is not None:
        return (PASS if result["passed"] else FAIL), said
    if result.get("score") is not None:
        return (PASS if result["score"] >= pass_score else FAIL), said
    if "output" not in result:
        raise ShapeError(field, "needs one of passed, score, output, error or skipped.")
    return judge_answer(case, known)


def _kept(output: Any) -> Any:
    text = as_text(output)
    return output if len(text) <= MAX_OUTPUT else text[:MAX_OUTPUT] + "…"


def outcome(kind: str, severity: str, tries: Sequence[Try]) -> Outcome:
    """Return what the tries of a case come to; cost and latency are means of those known."""
    status, flaky = overall([one["status"] for one in tries])
    costs = [float(one["cost"]) for one in tries if one["cost"] is not None]
    times = [float(one["latency_ms"]) for one in tries if one["latency_ms"] is not None]
    told = [one["status"] for one in tries if one["status"] != SKIPPED]
    return Outcome(
        kind=kind,
        severity=severity,
        status=status,
        flaky=flaky,
        tries=len(told),
        passes=told.count(PASS),
        cost=fmean(costs) if costs else None,
        latency_ms=fmean(times) if times else None,
    )


def problem(tries: Sequence[Try]) -> str:
    """Return what went wrong in the first try that did not pass, over lines; "" if all did."""
    for one in tries:
        if one["status"] == PASS:
            continue
        if one["error"]:
            return str(one["error"])
        lines = [
            f"{line['id']}: {line['message']}{' Got: ' + line['got'] if line['got'] else ''}"
            for line in one["assertions"]
            if line["status"] != PASS and line["message"]
        ]
        if lines:
            return "\n".join(lines)
    return ""
