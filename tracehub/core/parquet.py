"""Rows <-> Parquet, a batch in memory at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, BinaryIO, Literal

from arro3.core import Array, DataType, Field, RecordBatch, RecordBatchReader, Schema, list_array
from arro3.io import read_parquet, write_parquet

Kind = Literal["text", "texts", "int32", "int64", "float64", "bool", "time"]
Columns = Mapping[str, Kind]

_BATCH = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TIME = DataType.timestamp("us", tz="UTC")
_TYPES: dict[Kind, DataType] = {
    "text": DataType.string(),
    "texts": DataType.list(Field("element", DataType.string())),
    "int32": DataType.int32(),
    "int64": DataType.int64(),
    "float64": DataType.float64(),
    "bool": DataType.bool(),
    "time": _TIME,
}


def write(columns: Columns, rows: Iterable[Mapping[str, Any]], file: BinaryIO) -> None:
    """Write the rows, zstd, 500 to a group; a key that a row lacks is null.

    `texts` takes a list of texts, `time` an aware datetime, the others what they say or None.
    """
    schema = Schema([Field(name, _TYPES[kind]) for name, kind in columns.items()])
    write_parquet(
        RecordBatchReader.from_batches(schema, _batches(schema, columns, rows)),
        file,
        compression="zstd(3)",
        max_row_group_size=_BATCH,
    )


def read(file: BinaryIO) -> Iterator[dict[str, Any]]:
    """Yield the rows as Python values, nested ones included.

    Raises ValueError when the file is no Parquet, or is damaged.
    """
    try:
        for batch in read_parquet(file, batch_size=_BATCH):
            names = batch.schema.names
            for row in zip(*(_values(batch[name]) for name in names), strict=True):
                yield dict(zip(names, row, strict=True))
    except BaseException as error:
        # The reader panics at a bad footer, and a panic is no Exception.
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise ValueError(f"not a readable Parquet file: {error}") from error
        raise


def _values(column: Array) -> list[Any]:
    return [column[i].as_py() for i in range(len(column))]


def _batches(
    schema: Schema, columns: Columns, rows: Iterable[Mapping[str, Any]]
) -> Iterator[RecordBatch]:
    waiting = iter(rows)
    while chunk := list(islice(waiting, _BATCH)):
        arrays = [_array(kind, [row.get(name) for row in chunk]) for name, kind in columns.items()]
        yield RecordBatch.from_arrays(arrays, schema=schema)


def _array(kind: Kind, values: list[Any]) -> Array:
    if kind == "texts":
        return _lists(values)
    if kind == "time":
        whole = [None if at is None else (at - _EPOCH) // _MICROSECOND for at in values]
        return Array(whole, DataType.int64()).cast(_TIME)
    return Array(values, _TYPES[kind])


def _lists(values: list[list[str] | None]) -> Array:
    """Lists of texts as offsets into one flat array; None is an empty list."""
    flat: list[str] = []
    offsets = [0]
    for value in values:
        flat.extend(value or ())
        offsets.append(len(flat))
    return list_array(
        Array(offsets, DataType.int32()), Array(flat, DataType.string()), type=_TYPES["texts"]
    )
