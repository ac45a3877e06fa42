"""`mlflow`: records for `merge_records` of an evaluation dataset. Field names: mlflow 3.17.2."""

from __future__ import annotations

from typing import Any

from tracehub.core.cases import Case
from tracehub.core.exports.fields import as_text, inputs, meta
from tracehub.core.exports.rows import row_format


def _row(case: Case) -> dict[str, Any]:
    return {
        "inputs": inputs(case),
        "expectations": _expectations(case),
        # Tags of MLflow are text; what is none travels as JSON, what is absent not at all.
        "tags": {key: as_text(value) for key, value in meta(case).items() if value is not None},
        "source": {
            "source_type": "HUMAN",
            "source_data": {
                key: value
                for key, value in {
                    "trace_id": case["source"]["trace_id"],
                    "trace_url": case["source"]["url"],
                    "reviewer": case["reviewer"],
                }.items()
                if value is not None
            },
        },
    }


def _expectations(case: Case) -> dict[str, Any]:
    expectations: dict[str, Any] = {}
    if case["expected_output"] is not None:
        expectations["expected_response"] = as_text(case["expected_output"])
    if case["tool_calls"]["expected"]:
        expectations["expected_tool_calls"] = case["tool_calls"]["expected"]
    rubrics = [a["rubric"] for a in case["assertions"] if a["type"] == "llm_rubric"]
    if rubrics:
        expectations["guidelines"] = rubrics
    return expectations


FORMAT = row_format("mlflow", "MLflow", "Records of an evaluation dataset.", "records.jsonl", _row)
