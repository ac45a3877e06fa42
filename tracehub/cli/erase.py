"""`tracehub erase`: what is kept of one person, deleted, with a receipt."""

from __future__ import annotations

import json
import time

import click

from tracehub.cli.accounts import find_project
from tracehub.cli.connect import application
from tracehub.cli.options import data_option, project_option

PAUSE = 0.5  # seconds, of work and between two tries


@click.command()
@click.option("--user", metavar="ID", help="The user id that the application sends.")
@click.option("--session", metavar="ID", help="A session id.")
@click.option("--trace", "traces", metavar="ID", multiple=True, help="A trace id; may be repeated.")
@click.option("--yes", is_flag=True, help="Do it. Without, only say what would be deleted.")
@project_option
@data_option
def erase(
    user: str | None, session: str | None, traces: tuple[str, ...], yes: bool, project: str
) -> None:
    """Delete the data of one person, and print the receipt as JSON.

    Traces with all they say go, and notes, feedback, comments that name the id, the content of eval
    cases, export files; numbers stay. Also for what a restored backup brought back.

    \b
    Example:
      tracehub erase --project support --user u_48f1 --yes > receipt.json
    """
    asked = (("user", user), ("session", session), ("traces", " ".join(traces)))
    given = [(kind, text) for kind, text in asked if text]
    if len(given) != 1:
        raise click.UsageError("Give one of --user, --session and --trace.")
    with application():
        from tracehub.digest.erasure import actions
        from tracehub.projects.actions import ActionError

        place = find_project(project)
        try:
            wanted = actions.read(*given[0])
        except ActionError as error:
            raise click.UsageError(str(error)) from error
        found = actions.preview(place, wanted)
        counts = {"traces": found.traces, **found.counts}
        _say("Would delete: " + ", ".join(f"{n} {kind}" for kind, n in counts.items()) + ".")
        if not yes:
            _say("Nothing was deleted. --yes does it.")
            return
        job = actions.start(place, wanted, by=None)
        _wait_for(job.pk)


def _wait_for(number: int) -> None:
    """Do the job here, also while a worker runs; what that holds is tried again."""
    from tracehub.digest.actions import digest_all
    from tracehub.digest.erasure import actions, work
    from tracehub.digest.models import Erasure

    said = ""
    while True:
        digest_all(seconds=PAUSE)  # only then it is known whose the newest traces are
        work.work(seconds=PAUSE)
        job = Erasure.objects.select_related("project").get(pk=number)
        if job.finished_at:
            click.echo(json.dumps(actions.receipt(job), indent=2))
            return
        told = job.error or f"{job.traces} of about {job.expected} traces deleted."
        if told != said:
            _say(told)
            said = told
        time.sleep(PAUSE)


def _say(text: str) -> None:
    click.echo(text, err=True)
