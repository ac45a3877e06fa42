"""The flat row of a trace, for CSV and Parquet, from its summary as the API tells it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, BinaryIO

from tracehub.core import parquet
from tracehub.core.exports.csv_table import safe_cell
from tracehub.core.exports.fields import as_text

# In CSV a list is its items with commas, in Parquet a list.
COLUMNS: parquet.Columns = {
    "trace_id": "text", "name": "text", "started_at": "time", "duration_ms": "float64",
    "status": "text", "environment": "text", "release": "text", "cohort": "text",
    "session_id": "text", "user_id": "text", "tags": "texts", "input": "text", "output": "text",
    "models": "texts", "prompts": "texts", "input_tokens": "int64", "output_tokens": "int64",
    "total_tokens": "int64", "cost": "float64", "time_to_first_token_ms": "float64",
    "retries": "int64", "fallbacks": "int64", "outcome": "text", "signals": "texts",
    "severity": "text", "verdict": "text", "failure_modes": "texts", "failing": "bool",
}  # fmt: skip


def flat(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a summary: `COLUMNS`, values as in JSON, input and output as text."""
    tokens = summary["tokens"] or {}
    return {
        **{name: summary.get(name) for name in COLUMNS},
        **{f"{name}_tokens": tokens.get(name) for name in ("input", "output", "total")},
        "input": as_text(summary["input"]),
        "output": as_text(summary["output"]),
        "signals": list(dict.fromkeys(signal["kind"] for signal in summary["signals"])),
    }


def head() -> bytes:
    """The first line of a CSV file."""
    return _line(COLUMNS)


def line(row: Mapping[str, Any]) -> bytes:
    """Return a flat row as a line of CSV, safe to open in a spreadsheet."""
    return _line(safe_cell(_cell(row[name])) for name in COLUMNS)


def write_parquet(rows: Iterable[Mapping[str, Any]], file: BinaryIO) -> None:
    """Write flat rows as Parquet, 500 in memory at a time."""
    parquet.write(COLUMNS, map(_typed, rows), file)


def _typed(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **row,
        "started_at": datetime.fromisoformat(row["started_at"]),
        "cost": None if row["cost"] is None else float(row["cost"]),
    }


def _cell(value: Any) -> Any:
    return ",".join(value) if isinstance(value, list) else value


def _line(cells: Iterable[Any]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue().encode()
