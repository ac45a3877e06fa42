"""The `tracehub` command. Each command's module is imported when it is called, not before."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any, NamedTuple

import click

from tracehub.cli.config import ConfigError


class Entry(NamedTuple):
    """Where a command lives, as `module:attribute`, and its line in `tracehub --help`."""

    target: str
    help: str


COMMANDS = {
    "up": Entry("up:up", "Run TraceHub on this machine: database, web, worker, scheduler."),
    "demo": Entry("demo.command:demo", "Send realistic traces through the ingestion endpoint."),
    "createuser": Entry("accounts:createuser", "Add a person and print a one-time sign-in link."),
    "signout": Entry("accounts:signout", "End every session of a person."),
    "resetfactors": Entry("accounts:resetfactors", "Take lost second factors from a person."),
    "reseal": Entry("accounts:reseal", "Seal second factors with a new secret key."),
    "createproject": Entry("accounts:createproject", "Add a project."),
    "createkey": Entry("accounts:createkey", "Make a key for sending traces or for the API."),
    "apply": Entry("apply:apply", "Bring projects to what a file says, showing it first."),
    "import": Entry("import_file:import_file", "Load traces from a file that was exported."),
    "export": Entry("export:export", "Write traces or eval sets to a file."),
    "run": Entry("run:run", "Run the cases of an eval set against your program."),
    "gate": Entry("run:gate", "Decide whether a run may ship: exit 0, 1 or 2."),
    "backup": Entry("backup:backup", "Write the whole database into one file."),
    "restore": Entry("backup:restore", "Load a backup, checked before and after."),
    "otlp-grpc": Entry("otlp_grpc:otlp_grpc", "Take OTLP over gRPC, on port 4317."),
    "prune": Entry("prune:prune", "Apply retention now."),
    "erase": Entry("erase:erase", "Delete what is kept of one person, with a receipt."),
    "rollups": Entry(
        "rollups:rollups", "Compare the charts' sums with the traces, and repair them."
    ),
    "doctor": Entry("doctor:doctor", "Check settings, database, queue and disk, with the mend."),
}


class LazyGroup(click.Group):
    """A group whose help needs no command's code, so that it answers in a moment."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.target.partition(":")
        command = getattr(importlib.import_module(f"tracehub.cli.{module}"), attribute)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            raise click.ClickException(str(error)) from error


def _print_version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"tracehub {version('tracehub')}")
        ctx.exit()


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Print the version.",
)
def main() -> None:
    """Review traces of LLM features, triage failures and turn them into eval cases.

    \b
    Example:
      tracehub up --demo
    """


if __name__ == "__main__":
    main()
