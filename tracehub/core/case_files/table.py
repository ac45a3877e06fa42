"""A row of a CSV or Parquet file -> the content of a case: the columns of `exports.csv_table`.

A table with none of the columns that hold an input is one of variables: each other column is one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tracehub.core.case_files import parts
from tracehub.core.exports.csv_table import COLUMNS, is_led
from tracehub.core.shape import ShapeError
from tracehub.core.trace import Json

_INPUT = ("messages", "variables", "input")


def content(row: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the content of a case and the columns that are not taken. Raises ShapeError."""
    cells = {name: _cell(value) for name, value in row.items()}
    others = [name for name in cells if name not in COLUMNS]
    has_input = any(name in cells for name in _INPUT)
    found: dict[str, Any] = {
        "input": _input(cells) if has_input else {"variables": {n: cells[n] or "" for n in others}},
        "context": _json(cells, "context") or [],
        "expected_output": _output(cells, "expected_output"),
        "recorded_output": _output(cells, "recorded_output"),
        "tool_calls": {
            "expected": _json(cells, "expected_tool_calls") or [],
            "recorded": _json(cells, "recorded_tool_calls") or [],
        },
        "parameters": _json(cells, "parameters") or {},
        "assertions": _json(cells, "assertions") or [],
        "failure_modes": _list(cells.get("failure_modes")),
        "tags": _list(cells.get("tags")),
        "source": {key: cells.get(key) or None for key in ("trace_id", "span_id", "failure")},
    }
    for name in ("kind", "title", "model", "severity", "reviewer"):
        if cells.get(name):
            found[name] = cells[name]
    if cells.get("prompt"):
        found["prompt"] = parts.prompt_of(cells["prompt"])
    return found, others if has_input else []


def _cell(value: Any) -> Any:
    """Take off the mark that keeps a spreadsheet from running a cell."""
    return value[1:] if isinstance(value, str) and is_led(value) else value


def _input(cells: Mapping[str, Any]) -> dict[str, Any]:
    messages, variables = _json(cells, "messages"), _json(cells, "variables")
    if messages or variables:
        inside = parts.given(messages or [])
        return {**inside, "variables": variables or {}}
    return parts.given(cells.get("input") or "")


def _json(cells: Mapping[str, Any], name: str) -> Json:
    text = cells.get(name)
    if not text or not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ShapeError(
            name, f"must be JSON, as the export writes it. Got {text[:60]!r}."
        ) from None


def _output(cells: Mapping[str, Any], name: str) -> Json:
    """An output as its type column says; without one, JSON where it is an object or a list."""
    text, kind = cells.get(name), cells.get(f"{name}_type")
    if text is None or (text == "" and kind != "text"):
        return None
    if kind == "json":
        return _json(cells, name)
    return text if kind == "text" else parts.json_or_text(text)


def _list(value: Any) -> list[str]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return list(value or ())
