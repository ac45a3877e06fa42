"""Writing traces: a page in memory at a time, however many there are."""

from __future__ import annotations

import contextlib
import csv
import io
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO

import click
import orjson
from tqdm import tqdm

from tracehub.api import answers
from tracehub.cli.accounts import find_project
from tracehub.cli.places import destination
from tracehub.core.exports.csv_table import safe_cell
from tracehub.core.query import FilterError, parse
from tracehub.core.times import TimeError, parse_range
from tracehub.projects.actions import audit
from tracehub.projects.models import Project
from tracehub.review import querysets as reviews
from tracehub.traces import listing, reading
from tracehub.traces.extent import Range
from tracehub.traces.models import Trace

PAGE = 200
COLUMNS = (
    "trace_id", "name", "started_at", "duration_ms", "status", "environment", "release", "cohort",
    "session_id", "user_id", "input", "output", "models", "prompts", "tokens", "cost",
    "time_to_first_token_ms", "retries", "fallbacks", "outcome", "verdict", "failure_modes",
)  # fmt: skip


def write(q: str, bounds: tuple[str, str], kind: str, out: str, *, project: str) -> None:
    """Write the traces of the range that match `q` to `out` and say how many there were."""
    place = find_project(project)
    try:
        wanted = parse(q)
        start, end = parse_range(*bounds, now=datetime.now(UTC))
    except (FilterError, TimeError) as error:
        raise click.UsageError(str(error)) from error
    chosen = Trace.objects.in_project(place).in_range(start, end).matching(wanted)
    to_bytes = _as_line if kind == "jsonl" else _as_row
    written = 0
    with _opened(out, f"traces-{place.slug}.{kind}") as file:
        if kind == "csv":
            file.write(_csv(COLUMNS))
        within = Range(place, start, end)
        rows = _pages(lambda cursor: listing.read(within, wanted, cursor=cursor, limit=PAGE))
        bar = tqdm(rows, total=chosen.count(), unit="trace", file=sys.stderr, disable=None)
        for piece in to_bytes(place, bar):
            file.write(piece)
            written += 1
    audit("traces.exported", project=place, count=written, format=kind)
    click.echo(f"Exported {written} traces.", err=True)


def _pages(read: Callable[[str], Any]) -> Iterator[Trace]:
    cursor: str | None = ""
    while cursor is not None:
        page = read(cursor)
        yield from page.traces
        cursor = page.following


def _summary(project: Project, row: Trace) -> dict[str, Any]:
    said = reviews.of_traces(project, [row.trace_id]).get(row.trace_id, [])
    return answers.trace_summary(row, project.slug, said)


def _as_line(project: Project, rows: Iterator[Trace]) -> Iterator[bytes]:
    """Yield whole traces as JSON lines; one that retention took meanwhile is left out."""
    for row in rows:
        loaded = reading.load(project, row.trace_id)
        if loaded is not None:
            yield orjson.dumps(_summary(project, row) | loaded.as_json()) + b"\n"


def _as_row(project: Project, rows: Iterator[Trace]) -> Iterator[bytes]:
    for row in rows:
        summary = _summary(project, row)
        yield _csv([safe_cell(_cell(summary.get(name))) for name in COLUMNS])


def _cell(value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ",".join(value)
    return orjson.dumps(value).decode() if isinstance(value, (dict, list)) else value


def _csv(cells: Any) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()


@contextlib.contextmanager
def _opened(out: str, filename: str) -> Iterator[BinaryIO]:
    """Open the destination; a file is there whole or not at all."""
    path = destination(out, filename)
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    draft = path.with_name(f".{path.name}.part")
    try:
        with draft.open("wb") as file:
            yield file
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
