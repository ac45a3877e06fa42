"""`deepeval`: goldens for `EvaluationDataset.add_goldens_from_json_file`.

Field names: deepeval 4.3.1, snake case. Multi-turn cases stay `Golden`s with the transcript as
input, since one file cannot hold conversational goldens as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tracehub.core.cases import Case
from tracehub.core.exports.base import Bundle, Format, Part, Tally
from tracehub.core.exports.fields import as_text, input_text, meta, openai_messages, to_json


def _row(case: Case) -> dict[str, Any]:
    metadata = {
        **meta(case),
        "messages": openai_messages(case),
        "variables": case["input"]["variables"],
        "context_ids": [document["id"] for document in case["context"]],
    }
    calls = case["tool_calls"]["expected"]
    return {
        "name": case["id"],
        "input": input_text(case),
        "expected_output": as_text(case["expected_output"]),
        "context": [document["content"] for document in case["context"]] or None,
        "expected_tools": [
            {"name": call["name"], "input_parameters": call["arguments"]} for call in calls
        ]
        or None,
        "additional_metadata": metadata,
        "custom_column_key_values": {
            "kind": case["kind"],
            "severity": case["severity"] or "",
            "tags": ",".join(case["tags"]),
            "failure_modes": ",".join(case["failure_modes"]),
        },
    }


def _pieces(bundle: Bundle, tally: Tally) -> Iterator[bytes]:
    yield b"["
    for case in bundle.cases:
        yield (",\n" if tally.cases else "\n").encode() + to_json(_row(case)).encode()
        tally.cases += 1
        tally.metadata += len(case["assertions"])
    yield b"\n]\n"


def _write(bundle: Bundle, tally: Tally) -> Iterator[Part]:
    yield "goldens.json", _pieces(bundle, tally)


FORMAT = Format(
    name="deepeval",
    label="DeepEval",
    help="Goldens as one JSON array.",
    files=("goldens.json",),
    media_type="application/json",
    write=_write,
)
