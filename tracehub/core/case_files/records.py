"""Bytes of a file -> its records with the lines where they begin; what cannot be read stays named.

A record's value is what JSON says, or a row of a table, or the error that its line is.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tracehub.core import parquet
from tracehub.core.shape import ShapeError

MAX_CELL = 16 * 1024 * 1024  # characters
_PARQUET = b"PAR1"
csv.field_size_limit(MAX_CELL)


class FileError(ValueError):
    """A file that no case can be read from; the text goes on from the file's name."""


@dataclass(frozen=True, slots=True)
class Record:
    """`line` is where it begins; the position in the file for JSON arrays and Parquet."""

    line: int
    value: Any


class Row(dict[str, Any]):
    """A row of a table: JSON and lists are texts in its cells."""


def read(data: bytes) -> Iterator[Record]:
    """Yield the records of a file. Raises FileError."""
    if data.startswith(_PARQUET):
        yield from _parquet(data)
        return
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(f"must be UTF-8. Byte {error.start + 1} is not.") from None
    first = text.lstrip()[:1]
    if not first:
        raise FileError("is empty.")
    if first == "[":
        yield from _array(text)
    elif first == "{":
        yield from _lines(text)
    else:
        yield from _table(text)


def _parquet(data: bytes) -> Iterator[Record]:
    try:
        for number, row in enumerate(parquet.read(io.BytesIO(data)), 1):
            yield Record(number, Row(row))
    except (OSError, ValueError) as error:
        raise FileError(f"is no Parquet file that can be read: {error}.") from None


def _array(text: str) -> Iterator[Record]:
    try:
        items = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileError(f"starts like a JSON array, but is none: {error}.") from None
    for number, item in enumerate(items, 1):
        yield Record(number, item)


def _lines(text: str) -> Iterator[Record]:
    # Not `splitlines`: JSON may hold what Python takes for the end of a line.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield Record(number, _parsed(line))


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        return ShapeError("", f"is not JSON: {error}. Got {line.strip()[:60]!r}.")


def _table(text: str) -> Iterator[Record]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = [name.strip() for name in next(reader)]
        if len(set(columns)) < len(columns):
            twice = next(name for name in columns if columns.count(name) > 1)
            raise FileError(f"has the column {twice!r} twice.")
        begins = reader.line_num + 1
        for cells in reader:
            if cells:
                yield Record(begins, _row(columns, cells))
            begins = reader.line_num + 1
    except csv.Error as error:
        raise FileError(f"is no CSV that can be read: line {reader.line_num}, {error}.") from None


def _row(columns: list[str], cells: list[str]) -> Row | ShapeError:
    if len(cells) != len(columns):
        return ShapeError(
            "", f"must have {len(columns)} cells, as the first line. Got {len(cells)}."
        )
    return Row(zip(columns, cells, strict=True))
