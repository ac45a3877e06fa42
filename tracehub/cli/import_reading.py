"""What a file of traces holds, in chunks: JSON lines, one JSON document, or Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import orjson

from tracehub.core import parquet

CHUNK = 1_000_000  # bytes of lines in one body
CHUNK_LINES = 500
MAX_LINE = 16 * 1024 * 1024
MAX_DOCUMENT = 256 * 1024 * 1024  # of a file that is one JSON document, which is read whole
PARQUET = b"PAR1"
PARQUET_ROWS = 200  # in one body


@dataclass
class Chunk:
    """Some items of the file: where each came from, and where the next begins."""

    items: list[Any] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    bad: list[tuple[int, str]] = field(default_factory=list)
    size: int = 0
    end: int = 0  # offset in the file; in Parquet the number of rows
    next_line: int = 1

    def add(self, number: int, item: Any) -> None:
        """Add an item, or the items of a page of an API: `{"data": [...], "meta": {...}}`."""
        if not isinstance(item, dict):
            self.bad.append((number, "must be a JSON object."))
            return
        page = item.get("data")
        for one in page if isinstance(page, list) and "meta" in item else [item]:
            self.items.append(one)
            self.lines.append(number)


def is_parquet(file: Path) -> bool:
    """Say whether a file begins as Parquet does."""
    with file.open("rb") as source:
        return source.read(len(PARQUET)) == PARQUET


def chunks(file: Path, start: int, line: int) -> Iterator[Chunk]:
    """Yield what follows an earlier `end` and `next_line`. Raises ClickException."""
    if is_parquet(file):
        yield from _rows(file, start)
    elif start == 0 and _is_document(file):
        yield from _document(file)
    else:
        yield from _lines(file, start, line)


def _lines(file: Path, start: int, line: int) -> Iterator[Chunk]:
    chunk = Chunk(end=start, next_line=line)
    with file.open("rb") as source:
        source.seek(start)
        while text := source.readline(MAX_LINE + 1):
            _add_line(chunk, text)
            if len(text) > MAX_LINE:
                while text and not text.endswith(b"\n"):
                    text = source.readline(MAX_LINE)
            chunk.next_line += 1
            chunk.end = source.tell()
            if chunk.size >= CHUNK or len(chunk.lines) >= CHUNK_LINES:
                yield chunk
                chunk = Chunk(end=chunk.end, next_line=chunk.next_line)
    if chunk.items or chunk.bad:
        yield chunk


def _add_line(chunk: Chunk, text: bytes) -> None:
    number = chunk.next_line
    if not text.strip():
        return
    if len(text) > MAX_LINE:
        chunk.bad.append((number, f"may have {MAX_LINE // 2**20} MB. It has more."))
        return
    try:
        item = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        chunk.bad.append((number, f"is not JSON: {error}."))
        return
    chunk.add(number, item)
    chunk.size += len(text)


def _is_document(file: Path) -> bool:
    """Say whether the first line is not a whole JSON object, so the file must be one document."""
    with file.open("rb") as source:
        first = source.readline(MAX_LINE).strip()
    try:
        return not isinstance(orjson.loads(first or b"{}"), dict)
    except orjson.JSONDecodeError:
        return first[:1] == b"[" or first in {b"{", b"["}


def _document(file: Path) -> Iterator[Chunk]:
    if file.stat().st_size > MAX_DOCUMENT:
        raise click.ClickException(
            f"A file that is one JSON document may have {MAX_DOCUMENT // 2**20} MB. Make it "
            "JSON lines, one trace a line: jq -c '.[]'."
        )
    try:
        value = orjson.loads(file.read_bytes())
    except orjson.JSONDecodeError as error:
        raise click.ClickException(
            f"{file.name} is neither JSON nor JSON lines: {error}."
        ) from error
    if isinstance(value, dict) and isinstance(value.get("data"), list) and "meta" in value:
        value = value["data"]
    items = value if isinstance(value, list) else [value]
    size = file.stat().st_size
    for at in range(0, len(items), CHUNK_LINES):
        part = items[at : at + CHUNK_LINES]
        last = at + CHUNK_LINES >= len(items)
        # Only a whole document is noted: its items have no places of their own.
        chunk = Chunk(end=size if last else 0)
        for number, item in enumerate(part, at + 1):
            chunk.add(number, item)
        yield chunk


def _rows(file: Path, start: int) -> Iterator[Chunk]:
    """Yield the rows after the first `start`; objects in a text column are JSON in a string."""
    chunk = Chunk(end=start, next_line=start + 1)
    with file.open("rb") as source:
        try:
            for number, row in enumerate(parquet.read(source), 1):
                if number <= start:
                    continue
                item = orjson.loads(orjson.dumps(row, default=_plain))
                chunk.add(number, {key: _decoded(value) for key, value in item.items()})
                chunk.end, chunk.next_line = number, number + 1
                if len(chunk.items) >= PARQUET_ROWS:
                    yield chunk
                    chunk = Chunk(end=number, next_line=number + 1)
        except ValueError as error:
            raise click.ClickException(f"{file.name}, after row {chunk.end}: {error}") from error
    if chunk.items or chunk.bad:
        yield chunk


def _plain(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _decoded(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in {"{", "["}:
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value
