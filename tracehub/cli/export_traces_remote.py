"""`tracehub export traces` from a server elsewhere, a page of its API in memory at a time."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import count
from typing import Any

import click
from tqdm import tqdm

from tracehub.cli.places import destination, opened
from tracehub.cli.remote import Api, Refused, Reply
from tracehub.core import trace_table

PAGE = 200
Summary = dict[str, Any]


def write(api: Api, q: str, bounds: tuple[str, str], kind: str, out: str) -> None:
    """Write the traces of the range that match `q` to `out` and say how many there were."""
    asked = {"q": q, "from": bounds[0], "to": bounds[1], "limit": str(PAGE)}
    asked = {name: text for name, text in asked.items() if text}
    first = api.get("/traces", **asked)
    number = count()
    numbered = zip(_summaries(api, asked, first), number, strict=False)
    bar = tqdm(numbered, unit="trace", file=sys.stderr, disable=None)
    rows = (row for row, _ in bar)
    with opened(destination(out, f"traces.{kind}")) as file:
        if kind == "parquet":
            trace_table.write_parquet(map(trace_table.flat, rows), file)
        elif kind == "csv":
            file.write(trace_table.head())
            file.writelines(trace_table.line(trace_table.flat(row)) for row in rows)
        else:
            file.writelines(_whole(api, row) for row in rows)
    click.echo(f"Exported {next(number)} traces.", err=True)
    if kept := first.headers["X-TraceHub-Kept"]:
        click.echo(f"Sampling: {kept} of this range; metrics count all.", err=True)


def _summaries(api: Api, asked: dict[str, str], first: Reply) -> Iterator[Summary]:
    """Yield all summaries, newest first. A cursor keeps the range, also one that was an age."""
    page = first.json()
    yield from page["items"]
    while cursor := page["next"]:
        page = api.get("/traces", **asked, cursor=cursor).json()
        yield from page["items"]


def _whole(api: Api, row: Summary) -> bytes:
    """One line of JSON; none for a trace that retention took meanwhile."""
    try:
        return api.get(f"/traces/{row['trace_id']}").body + b"\n"
    except Refused as error:
        if error.status == 404:
            return b""
        raise
