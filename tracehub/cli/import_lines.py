"""A file of traces, sent in bodies of about a megabyte, with a note of how far it came."""

from __future__ import annotations

import hashlib
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import orjson
from tqdm import tqdm

from tracehub.cli import config
from tracehub.cli.import_reading import Chunk, chunks, is_parquet
from tracehub.core.wire import langfuse_export
from tracehub.core.wire.phoenix_export import is_span, otlp_of

TRIES = 20  # of a body that the server is too busy for
SHOWN = 20  # bad lines that are named; the others are counted
PATHS = {
    "otlp": "/v1/traces",
    "phoenix": "/v1/traces",
    "langsmith": "/runs/batch",
    "native": "/api/v1/traces",
    "scores": "/api/v1/feedback",
}

Send = Callable[[str, bytes], tuple[int, bytes]]


def load(file: Path, kind: str, send: Send, to: str) -> None:
    """Send a file and say what became of it. Raises ClickException when nothing could be loaded."""
    note = _note(file, to)
    at = config.read_json(note)
    start, line = int(at.get("end", 0)), int(at.get("line", 1))
    if start:
        click.echo(f"Going on at line {line}.", err=True)
    loaded, bad = 0, 0
    rows = is_parquet(file)
    with tqdm(
        total=None if rows else file.stat().st_size, initial=start, unit=" rows" if rows else "B",
        unit_scale=True, file=sys.stderr, disable=None,
    ) as bar:  # fmt: skip
        for chunk in chunks(file, start, line):
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


def _store(chunk: Chunk, kind: str, send: Send) -> list[tuple[int, str]]:
    """Send a chunk and return the bad lines; when it is refused as a whole, line by line."""
    bad: list[tuple[int, str]] = []
    sorted_out: dict[str | None, list[tuple[int, Any]]] = defaultdict(list)
    for number, item in zip(chunk.lines, chunk.items, strict=True):
        sorted_out[kind if kind != "auto" else kind_of(item)].append((number, item))
    for number, _ in sorted_out.pop(None, []):
        bad.append((number, UNKNOWN))
    sorted_out["otlp"] += _of_langfuse(sorted_out, langfuse_export.otlp_of, bad)
    sorted_out["scores"] += [
        (number, score)
        for number, scores in _of_langfuse(sorted_out, langfuse_export.scores_of, bad)
        for score in scores
    ]
    sorted_out.pop("langfuse", None)
    for name, chosen in sorted_out.items():
        if name is not None and chosen:
            bad += _send(name, chosen, send)
    return sorted(set(bad))


UNKNOWN = (
    "is no trace: it has no resourceSpans, context.trace_id, run_type, traceId, spans or name."
)


def _of_langfuse(
    sorted_out: dict[str | None, list[tuple[int, Any]]],
    convert: Callable[[dict[str, Any]], Any],
    bad: list[tuple[int, str]],
) -> list[tuple[int, Any]]:
    found = []
    for number, item in sorted_out["langfuse"]:
        try:
            found.append((number, convert(item)))
        except langfuse_export.NotLangfuse as error:
            bad.append((number, str(error)))
    return found


def _send(name: str, chosen: list[tuple[int, Any]], send: Send) -> list[tuple[int, str]]:
    status, answer = _patiently(send, PATHS[name], _body(name, [item for _, item in chosen]))
    value = orjson.loads(answer)
    if status == 400:
        if len(chosen) == 1:
            said = value.get("message") or value.get("error", {}).get("message", "")
            return [(chosen[0][0], str(said))]
        return [problem for one in chosen for problem in _send(name, [one], send)]
    if name in {"native", "langsmith", "scores"}:
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
    """Say what a JSON value is: OTLP, of Phoenix, LangSmith or Langfuse, or our own trace.

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
    if langfuse_export.is_item(item):
        return "langfuse"
    return "native" if "spans" in item or "name" in item else None
