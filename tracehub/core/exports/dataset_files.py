"""`langsmith` and `phoenix`: examples as JSONL for the SDK and as CSV for an upload by hand."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from typing import Any

from tracehub.core.cases import Case
from tracehub.core.exports.base import Bundle, Format, Part, Tally
from tracehub.core.exports.csv_table import safe_cell
from tracehub.core.exports.fields import as_text, case_uuid, input_text, inputs, line, meta, to_json


def _langsmith(case: Case) -> dict[str, Any]:
    """One example for `Client.create_examples(examples=rows)`, langsmith 0.15.1.

    `source_run_id` stays away: it must name a run of that server, and trace ids of TraceHub do not.
    """
    expected = case["expected_output"]
    return {
        "id": case_uuid(case),
        "inputs": inputs(case),
        "outputs": None if expected is None else {"output": expected},
        "metadata": meta(case),
        "split": [case["kind"]],
    }


def _phoenix(case: Case) -> dict[str, Any]:
    """One example for `Client.datasets.create_dataset(examples=rows)`, client 3.5.0."""
    expected = case["expected_output"]
    return {
        "id": case["id"],
        "input": inputs(case),
        "output": {} if expected is None else {"output": expected},
        "metadata": meta(case),
        "splits": [case["kind"]],
    }


def _cells(case: Case) -> dict[str, Any]:
    return {
        "id": case["id"],
        "input": input_text(case),
        "context": to_json(case["context"]),
        "output": as_text(case["expected_output"]),
        "split": case["kind"],
        "metadata": to_json(meta(case)),
    }


def _table(bundle: Bundle) -> Iterator[bytes]:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    for i, case in enumerate(bundle.cases):
        cells = _cells(case)
        if not i:
            writer.writerow(cells)
        writer.writerow(map(safe_cell, cells.values()))
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()


def _format(name: str, label: str, help: str, row: Callable[[Case], dict[str, Any]]) -> Format:
    def lines(bundle: Bundle, tally: Tally) -> Iterator[bytes]:
        for case in bundle.cases:
            tally.cases += 1
            tally.metadata += len(case["assertions"])
            yield line(row(case))

    def write(bundle: Bundle, tally: Tally) -> Iterator[Part]:
        yield "examples.jsonl", lines(bundle, tally)
        yield "examples.csv", _table(bundle)

    return Format(name, label, help, ("examples.jsonl", "examples.csv"), "application/zip", write)


LANGSMITH = _format("langsmith", "LangSmith", "Examples for the SDK or an upload.", _langsmith)
PHOENIX = _format("phoenix", "Phoenix", "Examples for the client or an upload.", _phoenix)
