"""`tracehub import`."""

from __future__ import annotations

from pathlib import Path

import click

from tracehub.cli.options import data_option, project_option

FORMATS = ("auto", "otlp", "langfuse", "langsmith", "phoenix", "native")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--format", "kind", type=click.Choice(FORMATS), default="auto", show_default=True,
    help="What the file holds.",
)  # fmt: skip
@project_option
@data_option
def import_file(file: Path, kind: str, project: str) -> None:
    """Load traces from a file: JSON lines, one JSON document, or Parquet.

    A bad line is named and skipped. Run it again after a break: it goes on where it stopped, and
    nothing is stored twice.

    \b
    Example:
      tracehub import traces.jsonl --project skylane
    """
    from tracehub.cli import remote
    from tracehub.cli.connect import application

    if api := remote.configured():
        from tracehub.cli import import_lines

        import_lines.load(file, kind, api.ingest, api.host)
        return
    with application():
        from tracehub.cli import import_lines, import_local

        with import_local.door(project) as send:
            import_lines.load(file, kind, send, project)
