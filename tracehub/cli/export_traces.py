"""Writing traces: a page in memory at a time, however many there are."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from itertools import count

import click
from tqdm import tqdm

from tracehub.cli.accounts import find_project
from tracehub.cli.places import destination, opened
from tracehub.core.query import FilterError, parse
from tracehub.core.times import TimeError, parse_range
from tracehub.digest import trace_files
from tracehub.projects.actions import audit
from tracehub.traces import facets
from tracehub.traces.extent import Range
from tracehub.traces.sampling import store as sampled


def write(q: str, bounds: tuple[str, str], kind: str, out: str, *, project: str) -> None:
    """Write the traces of the range that match `q` to `out` and say how many there were."""
    place = find_project(project)
    try:
        wanted = parse(q)
        start, end = parse_range(*bounds, now=datetime.now(UTC))
    except (FilterError, TimeError) as error:
        raise click.UsageError(str(error)) from error
    within = Range(place, start, end)
    total, _ = facets.matching(within, wanted)
    number = count()
    rows = (row for row, _ in zip(trace_files.matching(within, wanted), number, strict=False))
    bar = tqdm(rows, total=total, unit="trace", file=sys.stderr, disable=None)
    pieces = trace_files.pieces(kind, place, bar, head=True)
    kept = sampled.kept(within)
    path = destination(out, trace_files.filename(kind, place.slug, kept))
    with opened(path) as file:
        if kind == "parquet":
            trace_files.finish(pieces, file)
        else:
            file.writelines(pieces)
    written = next(number)
    audit("traces.exported", project=place, count=written, format=kind)
    click.echo(f"Exported {written} traces.", err=True)
    if kept:
        click.echo(f"Sampling: {kept} of this range; metrics count all.", err=True)
