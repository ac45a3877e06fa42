"""A test run of DeepEval: the JSON that `deepeval test run` and `evaluate()` leave behind."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any

_WORD = re.compile(r"[A-Za-z0-9_]+")


def is_it(body: bytes) -> bool:
    """Whether the file is a test run of DeepEval."""
    return _cases(body) is not None


def read(body: bytes, cases: Collection[str]) -> list[dict[str, Any]]:
    """Return one result per test case that names a case of the set; repeats become tries.

    The name is in the metadata that the export carries, else a word of the test's own name.
    """
    found = []
    for row in _cases(body) or ():
        case = _case_of(row, cases)
        if case:
            found.append(_result(case, row))
    return found


def _cases(body: bytes) -> list[dict[str, Any]] | None:
    try:
        value = json.loads(body)
    except ValueError:
        return None
    if isinstance(value, dict) and isinstance(value.get("testRunData"), dict):
        value = value["testRunData"]
    rows = value.get("testCases") if isinstance(value, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else None


def _case_of(row: dict[str, Any], cases: Collection[str]) -> str:
    metadata = row.get("additionalMetadata") or row.get("metadata") or {}
    named = metadata.get("tracehub_case")
    if named in cases:
        return str(named)
    return next((word for word in _WORD.findall(str(row.get("name"))) if word in cases), "")


def _result(case: str, row: dict[str, Any]) -> dict[str, Any]:
    metrics = [each for each in row.get("metricsData") or () if isinstance(each, dict)]
    result: dict[str, Any] = {
        "case": case,
        "output": row.get("actualOutput"),
        "assertions": [_assertion(metric) for metric in metrics],
    }
    if isinstance(row.get("runDuration"), int | float):
        result["latency_ms"] = row["runDuration"] * 1000
    broken = next((metric["error"] for metric in metrics if metric.get("error")), None)
    if broken:
        return result | {"error": str(broken)[:4000]}
    return result | {"passed": row.get("success") is True}


def _assertion(metric: dict[str, Any]) -> dict[str, Any]:
    passed = metric.get("success") is True
    status = "error" if metric.get("error") else "pass" if passed else "fail"
    score = metric.get("score")
    return {
        "id": re.sub(r"[^A-Za-z0-9_-]+", "-", str(metric.get("name") or "metric"))[:40],
        "status": status,
        "message": "" if passed else str(metric.get("reason") or metric.get("error") or "")[:1000],
        "got": "" if passed or score is None else f"score {score:g}",
    }
