"""`tracehub prune`."""

from __future__ import annotations

import click

from tracehub.cli.accounts import find_project
from tracehub.cli.connect import application
from tracehub.cli.options import data_option, project_option


@click.command()
@project_option
@data_option
def prune(project: str) -> None:
    """Drop traces whose retention is over, now. The scheduler does the same every hour.

    A day's partition holds the traces of all projects, so it goes for all of them; --project is
    only checked to exist.

    \b
    Example:
      TRACEHUB_RETENTION_DAYS=14 tracehub prune
    """
    with application():
        from django.conf import settings

        from tracehub.digest import tasks
        from tracehub.traces import partitions

        find_project(project)
        before = {part.table: part for part in partitions.existing()}
        tasks.prune()
        left = {part.table for part in partitions.existing()}
        gone = [part for name, part in before.items() if name not in left]
        size = sum(part.size for part in gone) / 1e6
        click.echo(
            f"Dropped {len(gone)} partitions older than {settings.RETENTION_DAYS} days "
            f"({size:.1f} MB)."
        )
