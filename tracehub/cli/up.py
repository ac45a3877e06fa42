"""`tracehub up`."""

from __future__ import annotations

import click

from tracehub.cli import config
from tracehub.cli.options import data_option


@click.command()
@click.option(
    "--host", default=config.DEFAULT_HOST, show_default=True, help="Address to listen on."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help=f"Port to listen on (default: the first free one from {config.DEFAULT_PORT} on).",
)
@click.option(
    "--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Celery processes."
)
@click.option("--demo", is_flag=True, help="Fill a project with 14 days of realistic traces.")
@data_option
def up(host: str, port: int | None, workers: int, demo: bool) -> None:
    """Run TraceHub on this machine: database, web, Celery worker and beat. Ctrl-C stops it all.

    \b
    Example:
      tracehub up --port 8080 --data ./tracehub-data
    """
    from tracehub.cli import supervisor

    folder = config.data_dir()
    supervisor.run(
        supervisor.Options(folder=folder, host=host, port=port, workers=workers, demo=demo)
    )
