"""`native`, also called `jsonl`: one case a line, complete. All other formats are made from it."""

from __future__ import annotations

from collections.abc import Iterator

from tracehub.core.exports.base import Bundle, Format, Part, Tally
from tracehub.core.exports.fields import line


def _lines(bundle: Bundle, tally: Tally) -> Iterator[bytes]:
    for case in bundle.cases:
        tally.cases += 1
        yield line(case)


def _write(bundle: Bundle, tally: Tally) -> Iterator[Part]:
    yield "cases.jsonl", _lines(bundle, tally)


FORMAT = Format(
    name="native",
    label="JSONL",
    help="One case per line, nothing left out.",
    files=("cases.jsonl",),
    media_type="application/x-ndjson",
    write=_write,
)
