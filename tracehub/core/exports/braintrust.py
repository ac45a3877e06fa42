"""`braintrust`: rows of a dataset, or `EvalCase(**row)` each. Field names: braintrust 0.48.1."""

from __future__ import annotations

from typing import Any

from tracehub.core.cases import Case
from tracehub.core.exports.fields import inputs, meta
from tracehub.core.exports.rows import row_format


def _row(case: Case) -> dict[str, Any]:
    modes = [f"mode:{slug}" for slug in case["failure_modes"]]
    row = {
        "id": case["id"],
        "input": inputs(case),
        "expected": case["expected_output"],
        "metadata": meta(case),
        # Braintrust refuses a row with the same tag twice.
        "tags": list(dict.fromkeys([case["kind"], *case["tags"], *modes])),
    }
    return {key: value for key, value in row.items() if value is not None}


FORMAT = row_format("braintrust", "Braintrust", "Rows of a dataset.", "rows.jsonl", _row)
