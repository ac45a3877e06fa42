"""Rows to Parquet and back: types, nothing, many rows, nested files of others, damage."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest

from tracehub.core import parquet

COLUMNS: parquet.Columns = {
    "id": "text",
    "tags": "texts",
    "n": "int32",
    "tokens": "int64",
    "cost": "float64",
    "ok": "bool",
    "at": "time",
}
AT = datetime(2026, 11, 24, 9, 40, 12, 204113, tzinfo=UTC)
FULL = {"id": "é\u2028", "tags": ["a,b", ""], "n": 3, "tokens": 2**40, "cost": 0.1, "ok": True}


def _written(rows: object) -> io.BytesIO:
    file = io.BytesIO()
    parquet.write(COLUMNS, rows, file)
    file.seek(0)
    return file


def test_values_come_back_as_they_went_and_absent_ones_are_null() -> None:
    empty = dict.fromkeys(COLUMNS) | {"tags": []}
    assert list(parquet.read(_written([FULL | {"at": AT}, {}]))) == [FULL | {"at": AT}, empty]


def test_rows_are_taken_as_they_are_written() -> None:
    asked = []

    def rows():
        for i in range(1201):
            asked.append(i)
            yield {"id": f"c_{i}", "tags": ["t"] * (i % 3)}

    read = list(parquet.read(_written(rows())))
    assert [row["id"] for row in read] == [f"c_{i}" for i in asked]
    assert [len(row["tags"]) for row in read[:4]] == [0, 1, 2, 0]


def test_no_rows_make_a_file_with_columns() -> None:
    assert list(parquet.read(_written([]))) == []


def test_what_a_row_raises_is_raised() -> None:
    def rows():
        yield FULL
        raise LookupError("the version went away")

    with pytest.raises(Exception, match="the version went away"):
        _written(rows())


@pytest.mark.parametrize("body", [b"", b"PAR1", b"{}\n" * 100])
def test_what_is_no_parquet_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match="not a readable Parquet file"):
        list(parquet.read(io.BytesIO(body)))
