"""`promptfoo eval -o o.json`: `results.results[]`, by `testCase.metadata.tracehub_case`."""

from __future__ import annotations

import json
from typing import Any

from tracehub.core.results.base import ResultsError


def is_it(body: bytes) -> bool:
    """Whether the file is one JSON object with promptfoo's list of results."""
    return _rows(body) is not None


def read(body: bytes) -> list[dict[str, Any]]:
    """Return one result per row; rows of several providers become tries of the case."""
    found = []
    for number, row in enumerate(_rows(body) or (), 1):
        metadata = (row.get("testCase") or {}).get("metadata") or {}
        case = metadata.get("tracehub_case")
        if not isinstance(case, str):
            raise ResultsError(
                f"Result {number} has no testCase.metadata.tracehub_case. "
                "Run the tests that TraceHub exported."
            )
        found.append(_result(case, row))
    return found


def _rows(body: bytes) -> list[dict[str, Any]] | None:
    try:
        value = json.loads(body)
    except ValueError:
        return None
    inner = value.get("results") if isinstance(value, dict) else None
    rows = inner.get("results") if isinstance(inner, dict) else inner
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else None


def _result(case: str, row: dict[str, Any]) -> dict[str, Any]:
    response = row.get("response") or {}
    graded = row.get("gradingResult") or {}
    result: dict[str, Any] = {
        "case": case,
        "output": response.get("output"),
        "cost": row.get("cost"),
        "latency_ms": row.get("latencyMs"),
        "assertions": [
            _assertion(component, number)
            for number, component in enumerate(graded.get("componentResults") or (), 1)
            if isinstance(component, dict)
        ],
    }
    # A failed assertion stands in `error` too; only a row that was never graded is an error.
    if row.get("error") and not graded.get("componentResults"):
        return result | {"error": str(row["error"])}
    return result | {"passed": row.get("success") is True}


def _assertion(component: dict[str, Any], number: int) -> dict[str, Any]:
    metric = str((component.get("assertion") or {}).get("metric") or f"p{number}")
    passed = component.get("pass") is True
    return {
        "id": metric.partition(":")[0][:40],
        "status": "pass" if passed else "fail",
        "message": "" if passed else str(component.get("reason") or "")[:1000],
    }
