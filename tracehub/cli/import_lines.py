"""A file of traces, in bodies of about a megabyte, with a note of how far it came."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import orjson
from tqdm import tqdm

from tracehub.cli import config
from tracehub.core.wire.phoenix_export import is_span, otlp_of

CHUNK = 1_000_000  # bytes of lines in one body
CHUNK_LINES = 500
MAX_LINE = 16 * 1024 * 1024
MAX_DOCUMENT = 256 * 1024 * 1024  # of a file that is one JSON document, which is read whole
TRIES = 20  # of a body that the server is too busy for
SHOWN = 20  # bad lines that are named; the others are counted
PATHS = {
    "otlp": "/v1/traces",
    "phoenix": "/v1/traces",
    "langsmith": "/runs/batch",
    "native": "/api/v1/traces",
}

Send = Callable[[str, bytes], tuple[int, bytes]]


@dataclass
class Chunk:
    """Some items of the file: where each came from, and where the next begins."""

    items: list[Any] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    bad: list[tuple[int, str]] = field(default_factory=list)
    size: int = 0
    end: int = 0  # offset in the file
    next_line: int = 1


def load(file: Path, kind: str, send: Send, to: str) -> None:
    """Send a file and say what became of it. Raises ClickException when nothing could be loaded."""
    note = _note(file, to)
    at = config.read_json(note)
    start, line = int(at.get("end", 0)), int(at.get("line", 1))
    if start:
        click.echo(f"Going on at line {line}.", err=True)
    loaded, bad = 0, 0
    with tqdm(
        total=file.stat().st_size, initial=start, unit="B", unit_scale=True,
        file=sys.stderr, disable=None,
    ) as bar:  # fmt: skip
        for chunk in _chunks(file, start, line):
            problems = sorted(chunk.bad + (_store(chunk, kind, send) if chunk.items else []))
            for number, message in problems[: max(0, SHOWN - bad)]:
                tqdm.write(f"line {number}: {message}", file=sys.stderr)
            bad += len(problems)
            loaded += len(chunk.items) + len(chunk.bad) - len(problems)
            bar.update(chunk.end - start)
            start = chunk.end
            note.parent.mkdir(parents=True, exist_ok=True)
            note.write_bytes(orjson.dumps({"end": chunk.end, "line": chunk.next_line}))
    note.unlink(missing_ok=True)
    click.echo(f"Loaded {loaded} of {loaded + bad} items.", err=True)
    if bad and not loaded:
        raise click.ClickException(f"Nothing in {file.name} could be loaded.")


def _note(file: Path, to: str) -> Path:
    """The place of the note: another file, a changed one or another server has its own."""
    stat = file.stat()
    what = f"{file.resolve()}\n{stat.st_size}\n{stat.st_mtime_ns}\n{to}"
    name = hashlib.sha256(what.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return config.data_dir() / "imports" / f"{name}.json"


def _chunks(file: Path, start: int, line: int) -> Iterator[Chunk]:
    if start == 0 and _is_document(file):
        yield from _document(file)
        return
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
    if not isinstance(item, dict):
        chunk.bad.append((number, "must be a JSON object."))
        return
    chunk.items.append(item)
    chunk.lines.append(number)
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
    items = value if isinstance(value, list) else [value]
    size = file.stat().st_size
    for at in range(0, len(items), CHUNK_LINES):
        part = items[at : at + CHUNK_LINES]
        last = at + CHUNK_LINES >= len(items)
        # Only a whole document is noted: its items have no places of their own.
        yield Chunk(part, list(range(at + 1, at + len(part) + 1)), end=size if last else 0)


def _store(chunk: Chunk, kind: str, send: Send) -> list[tuple[int, str]]:
    """Send a chunk and return the bad lines; when it is refused as a whole, line by line."""
    bad: list[tuple[int, str]] = []
    for name in PATHS:
        chosen = [
            (number, item)
            for number, item in zip(chunk.lines, chunk.items, strict=True)
            if (kind if kind != "auto" else kind_of(item)) == name
        ]
        if chosen:
            bad += _send(name, chosen, send)
    known = [] if kind != "auto" else [
        (number, "is no trace: it has no resourceSpans, context.trace_id, run_type, spans or name.")
        for number, item in zip(chunk.lines, chunk.items, strict=True)
        if kind_of(item) is None
    ]  # fmt: skip
    return bad + known


def _send(name: str, chosen: list[tuple[int, Any]], send: Send) -> list[tuple[int, str]]:
    status, answer = _patiently(send, PATHS[name], _body(name, [item for _, item in chosen]))
    value = orjson.loads(answer)
    if status == 400:
        if len(chosen) == 1:
            said = value.get("message") or value.get("error", {}).get("message", "")
            return [(chosen[0][0], str(said))]
        return [problem for one in chosen for problem in _send(name, [one], send)]
    if name in {"native", "langsmith"}:
        return [
            (chosen[item["index"]][0], f"{item['field']} {item['message']}".strip())
            for item in value.get("rejected", [])
        ]
    partial = value.get("partialSuccess", {})
    if message := partial.get("errorMessage"):
        tqdm.write(f"lines {chosen[0][0]} to {chosen[-1][0]}: {message}", file=sys.stderr)
    return []


def _patiently(send: Send, path: str, body: bytes) -> tuple[int, bytes]:
    for _ in range(TRIES):
        status, answer = send(path, body)
        if status != 503:
            return status, answer
        time.sleep(1.0)
    raise click.ClickException("The server is too busy. Run the command again: it goes on here.")


def _body(name: str, items: list[Any]) -> bytes:
    if name == "otlp":
        return orjson.dumps({"resourceSpans": [r for i in items for r in _resources(i)]})
    if name == "phoenix":
        spans = [otlp_of(item) for item in items if isinstance(item, dict)]
        return orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})
    return orjson.dumps({"post": items} if name == "langsmith" else items)


def _resources(item: Any) -> list[Any]:
    sent = item.get("resourceSpans") if isinstance(item, dict) else None
    return sent if isinstance(sent, list) else []


def kind_of(item: Any) -> str | None:
    """Say what a JSON value is: OTLP, a span of Phoenix, a run of LangSmith, or our own trace.

    >>> kind_of({"resourceSpans": []}), kind_of({"run_type": "llm", "id": 1}), kind_of({"a": 1})
    ('otlp', 'langsmith', None)
    """
    if not isinstance(item, dict):
        return None
    if "resourceSpans" in item:
        return "otlp"
    if is_span(item):
        return "phoenix"
    if "run_type" in item:
        return "langsmith"
    return "native" if "spans" in item or "name" in item else None
