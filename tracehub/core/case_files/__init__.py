"""A file of cases that people or other tools wrote -> complete cases, and what is wrong by line."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tracehub.core import cases
from tracehub.core.case_files import records, rows, table
from tracehub.core.case_files.records import FileError
from tracehub.core.shape import ShapeError, clean

__all__ = ["FileError", "Problem", "Read", "read"]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a line is no case: its number (from 1), the field, and the rule with what came."""

    line: int
    field: str
    message: str


@dataclass(slots=True)
class Read:
    """What a file holds. `found` has the line and the case of each good line, in their order.

    `formats` counts the lines by the format they are in; `untaken` the keys and columns that a
    case has no place for.
    """

    found: list[tuple[int, cases.Case]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    formats: Counter[str] = field(default_factory=Counter)
    untaken: Counter[str] = field(default_factory=Counter)


def read(data: bytes, *, most: int) -> Read:
    """Return the cases of a CSV, JSONL, JSON or Parquet file, told apart by what it holds.

    Raises FileError on a file that is none of them, or with more than `most` lines.
    """
    result = Read()
    for number, record in enumerate(records.read(data), 1):
        if number > most:
            raise FileError(f"has more than {most} cases. Split it.")
        try:
            name, content, untaken = _content(record.value)
            result.found.append((record.line, cases.read(content)))
        except ShapeError as error:
            result.problems.append(Problem(record.line, error.field, str(error)))
        else:
            result.formats[name] += 1
            result.untaken.update(untaken)
    if not result.found and not result.problems:
        raise FileError("has no cases.")
    return result


def _content(value: Any) -> tuple[str, dict[str, Any], list[str]]:
    if isinstance(value, ShapeError):
        raise value
    if isinstance(value, records.Row):
        return "table", *table.content(clean(value))
    value = clean(value)
    if not isinstance(value, dict):
        raise ShapeError("", f"must be an object with the fields of a case. Got {value!r:.40}.")
    return rows.content(value)
