"""`csv`: one row per case, RFC 4180, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from tracehub.core.cases import Case
from tracehub.core.exports.base import Bundle, Format, Part, Tally
from tracehub.core.exports.fields import as_text, input_text, prompt_label, text_type, to_json

# A spreadsheet runs a cell that starts like this; full-width forms and NUL are read the same way.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\x00", "＝", "＋", "－", "＠")
COLUMNS = (
    "id", "set", "version", "kind", "title", "input", "messages", "variables", "context",
    "expected_output", "expected_output_type", "recorded_output", "recorded_output_type",
    "expected_tool_calls", "recorded_tool_calls", "prompt", "model", "parameters", "assertions",
    "failure_modes", "severity", "tags", "trace_id", "span_id", "trace_url", "failure",
    "reviewer", "created_at", "updated_at",
)  # fmt: skip


def row(case: Case) -> dict[str, Any]:
    """Return a case as one row of a table; lists of texts stay lists, JSON is text."""
    source, calls = case["source"], case["tool_calls"]
    expected, recorded = case["expected_output"], case["recorded_output"]
    return {
        "id": case["id"],
        "set": case["set"],
        "version": case["version"],
        "kind": case["kind"],
        "title": case["title"],
        "input": input_text(case),
        "messages": to_json(case["input"]["messages"]),
        "variables": to_json(case["input"]["variables"]),
        "context": to_json(case["context"]),
        "expected_output": as_text(expected),
        "expected_output_type": text_type(expected),
        "recorded_output": as_text(recorded),
        "recorded_output_type": text_type(recorded),
        "expected_tool_calls": to_json(calls["expected"]),
        "recorded_tool_calls": to_json(calls["recorded"]),
        "prompt": prompt_label(case),
        "model": case["model"],
        "parameters": to_json(case["parameters"]),
        "assertions": to_json(case["assertions"]),
        "failure_modes": case["failure_modes"],
        "severity": case["severity"],
        "tags": case["tags"],
        "trace_id": source["trace_id"],
        "span_id": source["span_id"],
        "trace_url": source["url"],
        "failure": source["failure"],
        "reviewer": case["reviewer"],
        "created_at": case["created_at"],
        "updated_at": case["updated_at"],
    }


def safe_cell(value: Any) -> str:
    """Return the cell as text that no spreadsheet takes for a formula.

    >>> safe_cell("=1+1"), safe_cell(3), safe_cell(None)
    ("'=1+1", '3', '')
    """
    if not isinstance(value, str):
        return "" if value is None else str(value)
    return f"'{value}" if value.startswith(_FORMULA) else value


def is_led(text: str) -> bool:
    """Whether `safe_cell` put its mark before the text."""
    return text.startswith("'") and text[1:].startswith(_FORMULA)


def _raw(value: Any) -> Any:
    return ",".join(value) if isinstance(value, list) else value


def _cell(value: Any) -> str:
    return safe_cell(_raw(value))


def _lines(bundle: Bundle, tally: Tally, cell: Callable[[Any], Any]) -> Iterator[bytes]:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    for case in bundle.cases:
        if not tally.cases:
            writer.writerow(COLUMNS)
        tally.cases += 1
        tally.metadata += len(case["assertions"])
        writer.writerow(map(cell, row(case).values()))
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()


def _write(bundle: Bundle, tally: Tally) -> Iterator[Part]:
    yield "cases.csv", _lines(bundle, tally, _cell)


def _write_raw(bundle: Bundle, tally: Tally) -> Iterator[Part]:
    yield "cases.csv", _lines(bundle, tally, _raw)


FORMAT = Format(
    name="csv",
    label="CSV",
    help="Flat, one row per case. Cells that look like formulas are led by '.",
    files=("cases.csv",),
    media_type="text/csv",
    write=_write,
)
# Cells as they are, for programs: a spreadsheet may run what is in them.
RAW = replace(FORMAT, write=_write_raw)
