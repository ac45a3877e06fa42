"""`results.jsonl`: one result a line, in the form that `POST /eval-sets/{slug}/runs` takes."""

from __future__ import annotations

import json
from typing import Any

from tracehub.core.results.base import ResultsError


def read(body: bytes) -> list[dict[str, Any]]:
    """Return the results of a JSONL file, or of one JSON array of results."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ResultsError(f"The file is not UTF-8: {error.reason} at {error.start}.") from error
    if text.lstrip().startswith("["):
        rows = [(f"item {n}", row) for n, row in enumerate(_json(text, "the file"), 1)]
    else:
        lines = enumerate(text.split("\n"), 1)
        rows = [(f"line {n}", _json(line, f"line {n}")) for n, line in lines if line.strip()]
    for place, row in rows:
        if not isinstance(row, dict) or not isinstance(row.get("case"), str):
            raise ResultsError(f'{place} must be an object with "case", the id of a case.')
    return [row for _, row in rows]


def _json(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ResultsError(f"{place} is not JSON: {error}.") from error
