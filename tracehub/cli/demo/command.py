"""`tracehub demo`: fill a project with two weeks of an airline's support agent."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from uuid import UUID

import click

from tracehub.cli import config, connect
from tracehub.cli.demo import story
from tracehub.cli.options import data_option

if TYPE_CHECKING:
    from tracehub.projects.models import Project

TRACES, DAYS, SEED = 3000, 14, 13
DIGEST_SECONDS = 60.0
LOOK_EVERY = 0.25


@click.command()
@click.option(
    "--traces", type=click.IntRange(1, 100_000), default=TRACES, show_default=True, help="How many."
)
@click.option(
    "--days", type=click.IntRange(1, 90), default=DAYS, show_default=True, help="Over how long."
)
@click.option(
    "--seed", type=int, default=SEED, show_default=True, help="Another seed, another story."
)
@click.option("--project", metavar="SLUG", default="demo", show_default=True, help="Made if new.")
@click.option(
    "--url", help="Address of the server (default: the `tracehub up` of the data folder)."
)
@data_option
def demo(traces: int, days: int, seed: int, project: str, url: str | None) -> None:
    """Send realistic traces through the ingestion endpoint, with scores, reviews and an eval set.

    It looks the same each time. What is there already is not sent again, so a demo that was
    stopped halfway is completed.

    \b
    Example:
      tracehub demo --traces 500 --days 3
    """
    address = url or connect.running(config.data_dir()).get("local_url")
    if address is None:
        raise click.ClickException(
            f"TraceHub does not run on {config.data_dir()}. Start it with: tracehub up --demo. "
            "Or name the server's address with --url."
        )
    with connect.application():
        import tracehub.celery  # noqa: F401  wakes the worker through the installation's broker

        click.echo(_fill(str(address), project, story.plan(seed, traces, days), days))


def _fill(address: str, slug: str, scenes: list[story.Scene], days: int) -> str:
    """Send what is missing, review it, wait for the worker; return the closing line."""
    from tracehub.cli.demo import blind, decisions, judge, reviews, send

    began, now = time.monotonic(), time.time()
    project = reviews.open_project(slug)
    decisions.publish(project)
    missing = _missing(project, scenes)
    if missing:
        try:
            with (
                _key(project) as key,
                contextlib.closing(send.Client(address, key)) as client,
                _progress("Traces", len(missing)) as sent,
            ):
                send.send(client, missing, now=now, days=days, sent=sent)
        except send.SendError as error:
            raise click.ClickException(f"The demo is not complete. {error}") from error
    to_review = len(reviews.unwritten(project, reviews.opinions(scenes)))
    with _progress("Reviews", to_review) as done:
        reviewed = reviews.write(project, scenes, now=now, days=days, done=done)
    if missing or reviewed:
        _wait_for_worker(project)  # whom the blind queue gets its traces from
    people = reviews.people(project)
    reviewed += blind.write(project, scenes, people, now=now, days=days)
    reviewed += judge.write(project, scenes, people[1], now=now, days=days)
    if not missing and not reviewed:
        return f"The demo is there already: {len(scenes):,} traces in project {slug}."
    waiting = _wait_for_worker(project)
    decisions.decide(project)
    if waiting:
        click.echo(f"The worker has {waiting:,} traces left; they show within minutes.", err=True)
    return (
        f"Sent {len(missing):,} traces and {reviewed:,} reviews to project {slug} "
        f"in {time.monotonic() - began:.1f} s."
    )


def _missing(project: Project, scenes: list[story.Scene]) -> list[story.Scene]:
    from tracehub.traces.models import Arrival

    ids = [UUID(hex=scene.trace_id) for scene in scenes]
    there = Arrival.objects.filter(project_id=project.pk, trace_id__in=ids)
    known = set(there.values_list("trace_id", flat=True))
    return [scene for scene, id in zip(scenes, ids, strict=True) if id not in known]


@contextlib.contextmanager
def _key(project: Project) -> Iterator[str]:
    """Have an ingest key for the time of the block."""
    from tracehub.projects import actions

    key, text = actions.create_key(project, "ingest", "tracehub demo")
    try:
        yield text
    finally:
        actions.revoke_key(key)


def _wait_for_worker(project: Project) -> int:
    """Wait until the lists show everything, at most DIGEST_SECONDS; return what is left to do."""
    from tracehub.traces.models import Arrival

    dirty = Arrival.objects.filter(project_id=project.pk, dirty_seq__isnull=False)
    deadline = time.monotonic() + DIGEST_SECONDS
    while (waiting := dirty.count()) and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY)
    return waiting


@contextlib.contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Give a function that counts on: a bar for a person, a line per quarter for a log."""
    if sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(total=total, desc=what, unit="", file=sys.stderr) as bar:
            yield lambda count: (bar.update(count), None)[1]
        return
    seen = 0

    def count_on(count: int) -> None:
        nonlocal seen
        before, seen = seen, seen + count
        if seen * 4 // total > before * 4 // total:
            click.echo(f"{what}: {seen:,} of {total:,}", err=True)

    yield count_on
