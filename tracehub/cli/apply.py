"""`tracehub apply`: bring projects to what a file says, after showing what that changes."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tracehub.cli.connect import application
from tracehub.cli.options import data_option
from tracehub.cli.output import visible

if TYPE_CHECKING:
    from tracehub.api.setup.plan import Change
    from tracehub.projects.models import Project

VARIABLE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")
MOST_BYTES = 4_000_000


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Make the changes. Without it they are shown.")
@data_option
def apply(file: Path, yes: bool) -> None:
    """Bring projects to what FILE says: members, keys, failure modes, contracts, queues, alerts.

    Shows first what would change. What FILE does not name stays; applied twice, the second time
    changes nothing. New keys are printed on standard output, this once.

    \b
    Example:
      tracehub apply tracehub.yaml
      tracehub apply tracehub.yaml --yes
    """
    document = read(file)
    with application():
        from tracehub.core.shape import ShapeError
        from tracehub.projects.actions import ActionError

        try:
            _apply(document, yes)
        except ShapeError as error:  # which begins with the field
            raise click.ClickException(f"{file}: {error} Nothing was changed.") from error
        except ActionError as error:
            raise click.ClickException(
                f"{file}: {error.field}: {error} Nothing was changed."
            ) from error


def read(file: Path) -> Any:
    """Return what the file holds; `${NAME}` in an address is the variable NAME.

    Raises ClickException naming the line, or the variable that is not set.
    """
    import yaml

    try:
        if file.stat().st_size > MOST_BYTES:
            raise click.ClickException(f"{file} may have {MOST_BYTES:,} bytes.")
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise click.ClickException(f"{file} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f" line {mark.line + 1}:" if mark else ""
        problem = getattr(error, "problem", None) or "it is no YAML in UTF-8"
        raise click.ClickException(f"{file}:{place} {problem}.") from error
    return _filled(document, file)


def _filled(value: Any, file: Path, place: str = "") -> Any:
    if isinstance(value, dict):
        inner = f"{place}." if place else ""
        return {name: _filled(part, file, f"{inner}{name}") for name, part in value.items()}
    if isinstance(value, list):
        return [_filled(part, file, f"{place}[{n}]") for n, part in enumerate(value)]
    if not place.endswith(".address") or not isinstance(value, str):
        return value

    def given(found: re.Match[str]) -> str:
        text = os.environ.get(found[1])
        if not text:
            raise click.ClickException(
                f"{file}: {place} is taken from the environment's {found[1]}, which is not set."
                f" Set it, or write the address. Nothing was changed."
            )
        return text

    return VARIABLE.sub(given, value)


def _apply(document: Any, yes: bool) -> None:
    from django.db import transaction

    from tracehub.api.setup import plan
    from tracehub.api.setup.shape import FILE
    from tracehub.core import shape

    shape.check(document, FILE)
    shown: dict[str, str] = {}
    count = 0
    with transaction.atomic():
        for index, wanted in enumerate(document["projects"]):
            with plan.at(f"projects[{index}]"):
                project, made = _project(wanted)
                found = list(plan.changes(project, wanted))
                count += made + len(found)
                _tell(project, made, found)
                for name, text in plan.make(found, None).items():
                    shown[f"{project.slug}/{name}"] = text
        if not yes:
            transaction.set_rollback(True)
    if not count:
        click.echo("Nothing to change.", err=True)
    elif not yes:
        them = "it" if count == 1 else "them"
        click.echo(f"{_changes(count)}. Nothing was changed: add --yes to make {them}.", err=True)
    else:
        click.echo(f"{_changes(count)} made.", err=True)
        for name, text in shown.items():
            click.echo(f"{name} {text}")


def _changes(count: int) -> str:
    return "1 change" if count == 1 else f"{count} changes"


def _project(wanted: Any) -> tuple[Project, bool]:
    """Return the project and whether it was made now."""
    from tracehub.projects import actions
    from tracehub.projects.models import Project

    found = Project.objects.filter(slug=wanted["slug"]).first()
    if found is not None:
        return found, False
    return actions.create_project(wanted["slug"], wanted.get("name", "")), True


def _tell(project: Project, made: bool, found: list[Change]) -> None:
    if made:
        click.echo(click.style(f"+ project {project.slug}", fg="green"), err=True)
    for change in found:
        sign, colour = ("+", "green") if change.verb == "add" else ("~", "yellow")
        detail = f": {change.detail}" if change.detail else ""
        line = visible(f"{sign} {project.slug} {change.kind} {change.name}{detail}")
        click.echo(click.style(line, fg=colour), err=True)
