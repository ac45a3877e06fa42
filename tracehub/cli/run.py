"""`tracehub run` and `tracehub gate`."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from tracehub.cli import hub as hubs
from tracehub.cli import hub_remote, remote, runner, targets, tool_server
from tracehub.cli import judge as judges
from tracehub.cli.config import ConfigError
from tracehub.cli.options import data_option, project_option
from tracehub.cli.output import visible
from tracehub.core import results as readers

MAX_BODY = 15 * 1024 * 1024  # a little less than what a server takes by default


class Undecided(click.ClickException):
    """A gate that cannot be decided at all: no such set, run or baseline, or no server."""

    exit_code = 2


@click.command("run")
@click.argument("name", metavar="SET[@VERSION]")
@click.option("--command", metavar="CMD", help="Program: a case as JSON in, its answer out.")
@click.option("--url", metavar="URL", help="Address that takes a case by POST.")
@click.option("--results", metavar="FILE", help="Results of another tool; - is standard input.")
@click.option("--name", "label", metavar="NAME", help="What ran (default: prompt, commit, time).")
@click.option("--prompt-version", metavar="V", help="Such as refund@v13.")
@click.option("--model", metavar="M")
@click.option("--commit", metavar="SHA")
@click.option("--branch", metavar="B", help="Runs on the default branch serve as baselines.")
@click.option("--baseline", is_flag=True, help="This run may serve as the baseline of others.")
@click.option("--concurrency", type=click.IntRange(1, 200), default=4, show_default=True)
@click.option("--timeout", type=click.FloatRange(0.1, 3600), default=60.0, show_default=True,
              help="Seconds for one answer.")  # fmt: skip
@click.option("--retries", type=click.IntRange(0, 10), help="Tries more of a case that fails "
              "(default: as the set says, 1).")  # fmt: skip
@click.option("--repeats", type=click.IntRange(1, 50), default=1, show_default=True,
              help="Tries of every case.")  # fmt: skip
@click.option("--fresh", is_flag=True, help="Do not go on from a run that was stopped.")
@project_option
@data_option
def run(name: str, project: str, **options: Any) -> None:
    """Run the cases of an eval set against your program, and store the results as a run.

    The program reads one case as JSON from standard input and writes its answer, JSON or text, to
    standard output. An object {"output", "tool_calls", "cost", "trace_id"} says more. A run that
    was stopped goes on when the same command is given again.

    \b
    Example:
      tracehub run refund-regressions --command "python -m skylane.reply" --branch main
    """
    ways = [way for way in ("command", "url", "results") if options[way]]
    if len(ways) != 1:
        raise click.UsageError("Give one of --command, --url and --results.")
    slug, number = hubs.parse_name(name)
    with hub_remote.opened(project) as hub:
        version = hub.version(slug, number)
        if not version.cases:
            raise click.ClickException(f"{slug}@{version.number} has no cases to run.")
        begun = datetime.now(UTC)
        body: dict[str, Any] = {
            "version": version.number,
            "candidate": _candidate(options, begun),
            "started_at": begun.isoformat(),
        }
        journal = None
        if options["results"]:
            body["results"] = _read(options["results"], version)
        else:
            journal = _journal(version, project, options)
            body["results"] = _execute(version, journal, options)
        stored = hub.add_run(slug, _fitting(body))
        if journal:
            journal.forget()
    _report(stored)


def _candidate(options: dict[str, Any], begun: datetime) -> dict[str, Any]:
    label = options["label"] or options["prompt_version"] or options["commit"]
    known = {key: options[key] for key in ("prompt_version", "model", "commit", "branch")}
    return {
        "name": label or f"{begun:%Y-%m-%d %H:%M} UTC",
        **{key: value for key, value in known.items() if value},
        "baseline": options["baseline"],
    }


def _read(path: str, version: hubs.Version) -> list[dict[str, Any]]:
    try:
        body = sys.stdin.buffer.read() if path == "-" else Path(path).expanduser().read_bytes()
        return readers.read(body, [case["id"] for case in version.cases])
    except OSError as error:
        raise click.BadParameter(f"{path}: {error.strerror}.", param_hint="--results") from error
    except readers.ResultsError as error:
        raise click.ClickException(f"{path}: {error}") from error


def _journal(version: hubs.Version, project: str, options: dict[str, Any]) -> runner.Journal:
    api = remote.configured()
    ignored = {"concurrency", "timeout", "fresh"}
    asked = {key: value for key, value in options.items() if key not in ignored}
    place = api.base if api else project
    journal = runner.Journal.of(place, version.slug, version.number, version.cases, asked)
    if options["fresh"]:
        journal.forget()
    elif journal.done:
        click.echo(
            f"Going on: {len(journal.done)} of {len(version.cases)} cases were done before. "
            "--fresh begins anew.",
            err=True,
        )
    return journal


def _execute(
    version: hubs.Version, journal: runner.Journal, options: dict[str, Any]
) -> list[dict[str, Any]]:
    retries = version.rules.retries if options["retries"] is None else options["retries"]
    plan = runner.Plan(options["concurrency"], options["repeats"], retries)
    try:
        with tool_server.serving(version.cases) as tools:
            target = _target(options, tools)
            return runner.run(version.cases, target, judges.configured(), plan, journal)
    except KeyboardInterrupt:
        click.echo(
            f"Stopped after {len(journal.done)} of {len(version.cases)} cases. "
            "The same command goes on from here.",
            err=True,
        )
        raise


def _target(options: dict[str, Any], tools: str) -> targets.Target:
    if options["command"]:
        return targets.Command(options["command"], options["timeout"], tools)
    return targets.Endpoint(options["url"], options["timeout"], tools)


def _fitting(body: dict[str, Any]) -> dict[str, Any]:
    """Return the body without outputs when it would be larger than a server takes."""
    if len(json.dumps(body).encode()) <= MAX_BODY:
        return body
    click.echo("The results are too large for one request: outputs were left out.", err=True)
    left_out = {"output", "tool_calls"}
    slim = [{k: v for k, v in one.items() if k not in left_out} for one in body["results"]]
    return body | {"results": slim}


def _report(run: dict[str, Any]) -> None:
    parts = [f"{run['passed']} of {run['told']} cases passed"]
    for count, noun in ((run["errors"], "with an error"), (run["flaky"], "flaky"),
                        (run["cases"] - run["told"], "without a result")):  # fmt: skip
        if count:
            parts.append(f"{count} {noun}")
    click.echo(f"Run {run['id']} of {run['set']}@{run['version']}: {', '.join(parts)}.", err=True)
    click.echo(run["id"])


@click.command()
@click.argument("slug", metavar="SET")
@click.option("--run", "number", default="latest", show_default=True, metavar="N|latest")
@click.option("--baseline", default="auto", show_default=True, metavar="N|auto")
@click.option("--junit", metavar="FILE", help="Write JUnit XML.")
@click.option("--summary", metavar="FILE", help="Append Markdown, as to $GITHUB_STEP_SUMMARY.")
@click.option("--json", "json_file", metavar="FILE", help="Write tracehub.gate/1.")
@project_option
@data_option
def gate(slug: str, number: str, baseline: str, project: str, **files: str | None) -> None:
    """Decide whether a run may ship: exit 0 passed, 1 failed, 2 undecided or wrong use.

    \b
    Example:
      tracehub gate refund-regressions --run latest --baseline auto --junit gate.xml
    """
    _check_number(number, "latest", "--run")
    _check_number(baseline, "auto", "--baseline")
    try:
        with hub_remote.opened(project) as hub:
            run = hub.latest_run(slug) if number == "latest" else int(number)
            found = json.loads(hub.gate(slug, run, baseline, "json"))
            if found["set"] != slug:
                raise click.ClickException(f"Run {run} is of {found['set']}, not of {slug}.")
            summary = hub.gate(slug, run, baseline, "markdown")
            if files["junit"]:
                _write(files["junit"], hub.gate(slug, run, baseline, "junit"))
    except (click.ClickException, ConfigError) as error:
        if isinstance(error, click.UsageError):
            raise
        # Exit 1 says that the run failed; here nothing was decided.
        said = error.message if isinstance(error, click.ClickException) else str(error)
        raise Undecided(f"undecided: {said}") from error
    if files["json_file"]:
        _write(files["json_file"], json.dumps(found, indent=2) + "\n")
    if files["summary"]:
        _write(files["summary"], summary, append=True)
    _tell(found)


def _check_number(text: str, word: str, option: str) -> None:
    if text != word and not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise click.BadParameter(f"must be {word} or a number. Got {text!r}.", param_hint=option)


def _write(path: str, text: str, *, append: bool = False) -> None:
    if path == "-":
        click.echo(text, nl=False)
        return
    try:
        with Path(path).expanduser().open("a" if append else "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise Undecided(f"{path} cannot be written: {error.strerror}.") from error


def _tell(found: dict[str, Any]) -> None:
    """Say the verdict on standard output, why on standard error, and exit with its code."""
    against = f"run {found['baseline']}" if found["baseline"] else "no baseline"
    click.echo(found["verdict"])
    click.echo(
        f"Run {found['run']} of {found['set']}@{found['version']} against {against}: "
        f"{found['verdict']}.",
        err=True,
    )
    marks = {True: "ok  ", False: "FAIL", None: "?   "}
    for reason in found["reasons"]:
        click.echo(f"  {marks[reason['ok']]} {visible(reason['message'])}", err=True)
    sys.exit({"passed": 0, "failed": 1, "undecided": 2}[found["verdict"]])
