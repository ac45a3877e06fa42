"""`tracehub createuser`, `signout`, `resetfactors`, `reseal`, `createproject` and `createkey`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tracehub.cli.connect import application
from tracehub.cli.options import data_option, project_option

if TYPE_CHECKING:
    from tracehub.projects.models import Project, User

ROLES = ("viewer", "reviewer", "admin")


@click.command()
@click.argument("email")
@click.option("--project", metavar="SLUG", help="Give a role in this project.")
@click.option("--role", type=click.Choice(ROLES), help="The role (default: viewer).")
@click.option("--superuser", is_flag=True, help="May open /admin/ and every project's settings.")
@data_option
def createuser(email: str, project: str | None, role: str | None, superuser: bool) -> None:
    """Add a person and print a one-time sign-in link, good for 10 minutes.

    For an address that is known already it prints a new link.

    \b
    Example:
      tracehub createuser ann@example.com --project default --role reviewer
    """
    if role and not project:
        raise click.UsageError("--role needs --project: a role is held in one project.")
    with application():
        from django.conf import settings
        from django.urls import reverse

        from tracehub.projects import actions

        # The project first: a person without the seat that was asked for helps nobody.
        place = find_project(project) if project else None
        user = actions.add_user(email, superuser=superuser)
        if place:
            actions.set_role(place, user, role or "viewer")
        path = reverse("sign_in_link", args=[actions.make_sign_in_link(user)])
        click.echo(f"{settings.BASE_URL}{path}")


@click.command()
@click.argument("email")
@data_option
def signout(email: str) -> None:
    """End every session of a person, on all their devices, and the links not used yet.

    They may sign in again: take their seats in Settings, Members, to keep them out.

    \b
    Example:
      tracehub signout ann@example.com
    """
    with application():
        from tracehub.projects import actions

        user = _find_person(email)
        ended = actions.sign_out(user)
        click.echo(f"{ended} session{'' if ended == 1 else 's'} of {user.email} ended.")


@click.command()
@click.argument("email")
@data_option
def resetfactors(email: str) -> None:
    """Take the second factors and passkeys from a person who lost them, and end their sessions.

    Be sure who asks: then a password, or a link of `tracehub createuser`, is all it takes.

    \b
    Example:
      tracehub resetfactors ann@example.com
    """
    with application():
        from tracehub.web import second_factor

        user = _find_person(email)
        gone = second_factor.remove(user)
        click.echo(f"{gone} factor{'' if gone == 1 else 's'} of {user.email} removed.")


@click.command()
@data_option
def reseal() -> None:
    """Seal second factors with the secret key of now, after it was replaced.

    Name the former one in TRACEHUB_SECRET_KEY_FALLBACKS while this runs; it may be run again.

    \b
    Example:
      TRACEHUB_SECRET_KEY_FALLBACKS=the-old-one tracehub reseal
    """
    with application():
        from tracehub.web import second_factor

        anew, lost = second_factor.reseal()
        click.echo(f"{anew} second factor{'' if anew == 1 else 's'} sealed with the key of now.")
        if lost:
            raise click.ClickException(
                f"No key that is named opens those of {', '.join(lost)}. Name the key that sealed"
                " them in TRACEHUB_SECRET_KEY_FALLBACKS, or take them away:"
                " tracehub resetfactors EMAIL"
            )


def _find_person(email: str) -> User:
    from tracehub.projects.models import User

    user = User.objects.filter(email__iexact=email.strip()).first()
    if user is None:
        raise click.ClickException(f"There is no person {email!r}.")
    return user


def find_project(slug: str) -> Project:
    """Return the project, or end the command with the slugs that there are."""
    from tracehub.projects.models import Project

    found = Project.objects.filter(slug=slug).first()
    if found is None:
        known = ", ".join(Project.objects.order_by("slug").values_list("slug", flat=True)[:20])
        raise click.ClickException(
            f"There is no project {slug!r}. Known: {known or 'none'}. "
            f"Make it with: tracehub createproject {slug}"
        )
    return found


@click.command()
@click.argument("slug")
@click.option("--name", default="", help="Name for people (default: the slug).")
@data_option
def createproject(slug: str, name: str) -> None:
    """Add a project.

    \b
    Example:
      tracehub createproject skylane --name "Skylane support"
    """
    with application():
        from tracehub.projects import actions

        made = actions.create_project(slug, name)
        click.echo(made.slug)


@click.command()
@project_option
@click.option(
    "--scope", type=click.Choice(("ingest", *ROLES)), required=True, help="What the key may do."
)
@click.option("--name", default="Made by tracehub createkey", help="Name in the list of keys.")
@data_option
def createkey(project: str, scope: str, name: str) -> None:
    """Make a key and print it, alone on standard output. It is shown this once.

    \b
    Example:
      tracehub createkey --project default --scope ingest --name "CI"
    """
    with application():
        from tracehub.projects import actions

        _key, text = actions.create_key(find_project(project), scope, name)
        click.echo(text)
