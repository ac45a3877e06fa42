"""`tracehub import`."""

from __future__ import annotations

from pathlib import Path

import click

from tracehub.cli.options import data_option, project_option

FORMATS = ("auto", "otlp", "langfuse", "langsmith", "phoenix", "native")


@click.command()
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--format", "kind", type=click.Choice(FORMATS), default="auto", show_default=True,
    help="What the file holds.",
)  # fmt: skip
@project_option
@data_option
def import_file(file: Path, kind: str, project: str) -> None:
    """Load traces from a file, JSON lines, one JSON document or Parquet, or a whole project.

    A folder is one that `tracehub export project` wrote; it is loaded with set-up, reviews and eval
    sets, and its new keys are printed.

    A bad line is named and skipped. Run it again after a break: it goes on where it stopped, and
    nothing is stored twice.

    \b
    Example:
      tracehub import traces.jsonl --project skylane
    """
    from tracehub.cli import remote
    from tracehub.cli.connect import application

    if file.is_dir():
        with application():
            from tracehub.cli import project_archive

            project_archive.read(file, project)
        return

    if api := remote.configured():
        from tracehub.cli import import_lines

        import_lines.load(file, kind, api.ingest, api.host)
        return
    with application():
        from tracehub.cli import import_lines, import_local

        with import_local.door(project) as send:
            import_lines.load(file, kind, send, project)
