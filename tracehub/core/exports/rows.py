"""Formats that are one JSON object per case and one file: a row maker and a file name each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tracehub.core.cases import Case
from tracehub.core.exports.base import Bundle, Format, Part, Tally
from tracehub.core.exports.fields import line

JSONL = "application/x-ndjson"


def row_format(
    name: str, label: str, help: str, file: str, row: Callable[[Case], dict[str, Any]]
) -> Format:
    """Return a format of one JSONL file whose assertions travel as metadata."""

    def lines(bundle: Bundle, tally: Tally) -> Iterator[bytes]:
        for case in bundle.cases:
            tally.cases += 1
            tally.metadata += len(case["assertions"])
            yield line(row(case))

    def write(bundle: Bundle, tally: Tally) -> Iterator[Part]:
        yield file, lines(bundle, tally)

    return Format(name, label, help, (file,), JSONL, write)
