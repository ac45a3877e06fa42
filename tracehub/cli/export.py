"""`tracehub export evals`, `tracehub export traces` and `tracehub export project`."""

from __future__ import annotations

from pathlib import Path

import click

from tracehub.cli.options import data_option, project_option


@click.group()
def export() -> None:
    """Write eval sets or traces to a file.

    \b
    Example:
      tracehub export evals refunds@3 --format promptfoo --out evals/
    """


@export.command()
@click.argument("name", metavar="SET[@VERSION]")
@click.option("--format", "format_name", default="native", show_default=True, help="See the docs.")
@click.option(
    "--out", metavar="PATH", required=True, help="File, folder, or - for standard output."
)
@click.option("--draft", is_flag=True, help="Export the draft instead of a fixed version.")
@click.option("--raw", is_flag=True, help="csv: leave cells that look like formulas as they are.")
@project_option
@data_option
def evals(name: str, format_name: str, out: str, draft: bool, raw: bool, project: str) -> None:
    """Write one version of an eval set; without @VERSION its newest fixed one.

    \b
    Example:
      tracehub export evals refunds --format jsonl --out refunds.jsonl
    """
    from tracehub.cli import export_remote, remote
    from tracehub.cli.connect import application
    from tracehub.core import exports

    try:
        fmt = exports.find(format_name, raw=raw)
    except exports.ExportError as error:
        raise click.UsageError(f"--{error}") from error
    if api := remote.configured():
        export_remote.write(api, name, fmt, out, draft=draft, raw=raw)
        return
    with application():
        from tracehub.cli import export_evals

        export_evals.write(name, fmt, out, draft=draft, project=project)


@export.command()
@click.option("--q", default="", metavar="QUERY", help="Filter, as in the filter bar.")
@click.option("--from", "start", default="", metavar="T", help="ISO 8601, a date, or an age: 24h.")
@click.option("--to", "end", default="", metavar="T", help="As --from (default: now).")
@click.option(
    "--format",
    "kind",
    type=click.Choice(("jsonl", "csv", "parquet")),
    default="jsonl",
    show_default=True,
    help="jsonl: whole traces; csv, parquet: one row of their summary each.",
)
@click.option(
    "--out", metavar="FILE", required=True, help="File, folder, or - for standard output."
)
@project_option
@data_option
def traces(q: str, start: str, end: str, kind: str, out: str, project: str) -> None:
    """Write the traces that a filter lets through, newest first.

    \b
    Example:
      tracehub export traces --q "is:failing prompt:refund@v12" --from 7d --out failing.jsonl
    """
    from tracehub.cli import remote
    from tracehub.cli.connect import application

    if api := remote.configured():
        from tracehub.cli import export_traces_remote

        export_traces_remote.write(api, q, (start, end), kind, out)
        return
    with application():
        from tracehub.cli import export_traces

        export_traces.write(q, (start, end), kind, out, project=project)


@export.command("project")
@click.option(
    "--out", metavar="FOLDER", type=click.Path(path_type=Path), required=True, help="A new folder."
)
@project_option
@data_option
def whole(out: Path, project: str) -> None:
    """Write a whole project: set-up, traces with their reviews, and every version of its eval sets.

    `tracehub import FOLDER` loads it into another installation.

    \b
    Example:
      tracehub export project --project skylane --out skylane/
    """
    from tracehub.cli.connect import application

    with application():
        from tracehub.cli import project_archive

        project_archive.write(project, out)
