"""`langfuse`: dataset items, one call of `Langfuse.create_dataset_item(**row)` each.

Field names: langfuse 5.0.4. The id is unique in a Langfuse project, so it holds the set's name.
"""

from __future__ import annotations

from typing import Any

from tracehub.core.cases import Case
from tracehub.core.exports.fields import inputs, meta
from tracehub.core.exports.rows import row_format


def _row(case: Case) -> dict[str, Any]:
    source = case["source"]
    row = {
        "datasetName": case["set"],
        "id": f"{case['set']}:{case['id']}",
        "input": inputs(case),
        "expectedOutput": case["expected_output"],
        "metadata": meta(case),
        "sourceTraceId": source["trace_id"],
        "sourceObservationId": source["span_id"],
        "status": "ACTIVE",
    }
    return {key: value for key, value in row.items() if value is not None}


FORMAT = row_format(
    "langfuse", "Langfuse", "Dataset items with their source traces.", "items.jsonl", _row
)
