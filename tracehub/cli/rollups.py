"""`tracehub rollups`: do the charts say what the traces say?"""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import islice
from typing import TYPE_CHECKING

import click

from tracehub.cli.accounts import find_project
from tracehub.cli.connect import application
from tracehub.cli.options import data_option, project_option
from tracehub.cli.output import visible

if TYPE_CHECKING:
    from tracehub.metrics.checking.store import Report

SHOWN = 10  # rows of a day that are named
_DAY = click.DateTime(formats=["%Y-%m-%d"])
_LENGTHS = {60: "minute", 3600: "hour", 86400: "day"}


@click.command()
@project_option
@click.option("--repair", is_flag=True, help="Correct what differs.")
@click.option("--from", "since", type=_DAY, metavar="DAY", help="First day, UTC.")
@click.option("--to", "until", type=_DAY, metavar="DAY", help="Last day, UTC.")
@data_option
def rollups(project: str, repair: bool, since: datetime | None, until: datetime | None) -> None:
    """Compare what the charts read with the stored traces; exit 1 when they differ.

    Covers the days whose traces are all kept. A run that was stopped goes on where it was. Days
    are checked one by one while everything runs; charts stay right meanwhile.

    \b
    Example:
      tracehub rollups --project support --repair
    """
    with application():
        from tracehub.metrics.checking import actions

        now = datetime.now(UTC)
        run = actions.begin(find_project(project), _date(since), _date(until), mend=repair, now=now)
        if run.next_day > run.since:
            click.echo(f"Going on at {run.next_day}.")
        for report in actions.go_on(run, now=now):
            _tell(report, repair)
        word = "repaired" if repair else "differ"
        click.echo(f"{run.since} to {run.until}: {run.differing} rows {word}.")
        if run.differing and not repair:
            click.echo("Mend them with `tracehub rollups --repair`.")
            raise SystemExit(1)


def _date(given: datetime | None) -> date | None:
    return given.date() if given else None


def _tell(report: Report, repaired: bool) -> None:
    """Write a line for each day, and what differed below it."""
    hours = f", {len(report.sampled)} hours by their sums (sampled)" if report.sampled else ""
    click.echo(f"{report.day}  {report.traces} traces, {report.differing} rows differ{hours}")
    for place in islice(sorted(report.missing.counters), SHOWN):
        at = datetime.fromtimestamp(place.bucket, UTC)
        gaps = ", ".join(f"{n} {gap:+d}" for n, gap in report.missing.counters[place].items())
        name = report.names.get(place.series, str(place.series))
        click.echo(f"  {_LENGTHS[place.resolution]} {at:%Y-%m-%d %H:%M}, {visible(name)}: {gaps}")
    if (more := len(report.missing.counters) - SHOWN) > 0:
        click.echo(f"  and {more} more")
    for each in report.wrong_sums:
        held = f"rollups {each.rollup}, traces {each.raw}"
        click.echo(f"  hour {each.hour:%Y-%m-%d %H:%M}, {each.counter}: {held}")
    if report.wrong_sums and repaired:
        click.echo("  Not repaired: the parts that dropped traces had in each series are not kept.")
