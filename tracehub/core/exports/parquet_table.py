"""`parquet`: the columns of the CSV with types of their own, zstd."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from tracehub.core import parquet
from tracehub.core.cases import Case
from tracehub.core.exports.base import Bundle, Format, Part, Tally
from tracehub.core.exports.csv_table import COLUMNS, row

_KINDS: dict[str, parquet.Kind] = {
    "version": "int32",
    "tags": "texts",
    "failure_modes": "texts",
    "created_at": "time",
    "updated_at": "time",
}
# Arrow cannot unify free-form objects over rows, so they travel as JSON text.
SCHEMA: parquet.Columns = {name: _KINDS.get(name, "text") for name in COLUMNS}


def _row(case: Case) -> dict[str, Any]:
    times = {name: datetime.fromisoformat(case[name]) for name in ("created_at", "updated_at")}
    return row(case) | times


def _pieces(bundle: Bundle, tally: Tally) -> Iterator[bytes]:
    def rows() -> Iterator[dict[str, Any]]:
        for case in bundle.cases:
            tally.cases += 1
            tally.metadata += len(case["assertions"])
            yield _row(case)

    file = io.BytesIO()
    parquet.write(SCHEMA, rows(), file)
    yield file.getvalue()


def _write(bundle: Bundle, tally: Tally) -> Iterator[Part]:
    yield "cases.parquet", _pieces(bundle, tally)


FORMAT = Format(
    name="parquet",
    label="Parquet",
    help="Columnar, with the types of the fields. JSON travels as text.",
    files=("cases.parquet",),
    media_type="application/vnd.apache.parquet",
    write=_write,
)
