"""Traces as a file: whole ones as JSON lines, or a flat row each as CSV or Parquet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, BinaryIO, NamedTuple
from uuid import UUID

import orjson

from tracehub.core import trace_table
from tracehub.core.query import Filter
from tracehub.core.share import Kept
from tracehub.projects.models import Project
from tracehub.review import querysets as reviews
from tracehub.review import summaries
from tracehub.traces import listing, reading
from tracehub.traces.extent import Range
from tracehub.traces.models import Trace

PAGE = 200  # traces in memory at a time,
SPANS = 1000  # and spans, but for a trace that has more


class Format(NamedTuple):
    label: str
    help: str
    media_type: str


FORMATS = {
    "jsonl": Format("JSONL", "Whole traces, one per line", "application/jsonl"),
    "csv": Format("CSV", "Flat, one row per trace", "text/csv; charset=utf-8"),
    "parquet": Format("Parquet", "Typed columns, zstd", "application/vnd.apache.parquet"),
}


def matching(within: Range, wanted: Filter) -> Iterator[Trace]:
    """Yield the traces of a range that match, newest first, a page in memory at a time."""
    cursor: str | None = ""
    while cursor is not None:
        page = listing.read(within, wanted, cursor=cursor, limit=PAGE)
        yield from page.traces
        cursor = page.following


def filename(kind: str, name: str, kept: Kept | None) -> str:
    """Return the name of a file; of a range that sampling thinned it says the share.

    >>> filename("csv", "shop", None), filename("csv", "shop", Kept(1200, 8400))
    ('traces-shop.csv', 'traces-shop-1-in-8-kept.csv')
    """
    share = f"-{kept}".replace(" ", "-") if kept else ""
    return f"traces-{name}{share}.{kind}"


def pieces(kind: str, project: Project, rows: Iterable[Trace], *, head: bool) -> Iterator[bytes]:
    """Yield the bytes of traces, at least one piece each; `head` begins the file.

    Of Parquet these are not the file but lines that `finish` makes it from: it cannot be cut.
    """
    if head and kind == "csv":
        yield trace_table.head()
    waiting = iter(rows)
    while batch := list(islice(waiting, PAGE)):
        said = reviews.of_traces(project, _ids(batch))
        for chunk in _chunks(batch) if kind == "jsonl" else [batch]:
            loaded = reading.load_many(project, _ids(chunk)) if kind == "jsonl" else {}
            for row in chunk:
                summary = summaries.trace_summary(row, project.slug, said.get(row.trace_id, []))
                yield _piece(kind, summary, loaded.get(row.trace_id))


def _ids(rows: Iterable[Trace]) -> list[UUID]:
    return [row.trace_id for row in rows]


def _chunks(rows: Iterable[Trace]) -> Iterator[list[Trace]]:
    """Yield the traces in parts of at most SPANS spans, or of one trace that has more."""
    chunk: list[Trace] = []
    spans = 0
    for row in rows:
        if chunk and spans + row.span_count > SPANS:
            yield chunk
            chunk, spans = [], 0
        chunk.append(row)
        spans += row.span_count
    if chunk:
        yield chunk


def _piece(kind: str, summary: dict[str, Any], whole: reading.LoadedTrace | None) -> bytes:
    if kind == "jsonl":
        if whole is None:
            return b""  # retention took it meanwhile
        return orjson.dumps(summary | whole.as_json()) + b"\n"
    row = trace_table.flat(summary)
    return trace_table.line(row) if kind == "csv" else orjson.dumps(row) + b"\n"


def finish(lines: Iterable[bytes], file: BinaryIO) -> None:
    """Write the Parquet file that lines of `pieces` stand for, 500 rows in memory at a time."""
    trace_table.write_parquet(map(orjson.loads, lines), file)
