"""Who may see and do what: the one door from a slug in a URL to a project.

Every view of a project starts with `project_for`; a queryset without its project is a bug.
"""

from __future__ import annotations

import time
from typing import Any

from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.signals import user_logged_in
from django.core.exceptions import BadRequest, PermissionDenied
from django.dispatch import receiver
from django.http import Http404, HttpRequest

from tracehub.projects.models import Membership, Project, Role, User
from tracehub.web import concealing

IDLE_SECONDS = 24 * 3600  # after which an admin signs in again
LONGEST_SECONDS = settings.SESSION_COOKIE_AGE  # after which everybody does, however busy
SEEN_EVERY = 15 * 60  # seconds between two notes that a session was used

ORDER: dict[str, int] = {Role.VIEWER: 0, Role.REVIEWER: 1, Role.ADMIN: 2}


class SecondFactorNeeded(Exception):
    """The person must set up a second factor first; `middleware.SignIn` sends them there."""


class SignInNeeded(Exception):
    """Nobody is signed in; `middleware.sign_in` answers with the way to the sign-in page."""


def role_in(user: User, project: Project) -> str | None:
    """Return the role of `user` in `project`, or None for an outsider. Superusers are admins."""
    if user.is_superuser:
        return Role.ADMIN
    return (
        Membership.objects.filter(project=project, user=user).values_list("role", flat=True).first()
    )


def allows(role: str | None, needed: str) -> bool:
    """Tell whether `role` includes `needed`.

    >>> allows("admin", "reviewer"), allows("viewer", "reviewer"), allows(None, "viewer")
    (True, False, False)
    """
    return role is not None and ORDER[role] >= ORDER[needed]


def project_for(request: HttpRequest, slug: str, role: str = Role.VIEWER) -> Project:
    """Return the project, and note it on the request as `project`, with the person's `role`.

    An outsider gets 404, so that slugs cannot be probed; too small a role gets 403. Also
    remembers the project as the person's last one.
    """
    user = request.user
    if not isinstance(user, User):
        raise SignInNeeded
    project = Project.objects.filter(slug=slug).first()
    held = role_in(user, project) if project else None
    if project is None or held is None:
        raise Http404(f"There is no project {slug!r} here.")
    if not allows(held, role):
        raise PermissionDenied(f"This needs the role {role}. Yours is {held}.")
    if _is_over(request) or (held == Role.ADMIN and _left_alone(request)):
        logout(request)
        raise SignInNeeded
    if user.last_project_id != project.pk:
        User.objects.filter(pk=user.pk).update(last_project=project)
    if _lacks_second_factor(user, held):
        raise SecondFactorNeeded
    _check_text(request)
    concealing.guard(request, project, held)
    request.project = project  # type: ignore[attr-defined]  # read by context.shell
    request.role = held  # type: ignore[attr-defined]
    return project


def is_operator(request: HttpRequest) -> bool:
    """Tell whether a superuser asks."""
    return isinstance(request.user, User) and request.user.is_active and request.user.is_superuser


def check_operator(request: HttpRequest) -> None:
    """Let superusers in alone, by the rules that hold for admins of a project."""
    if not isinstance(request.user, User):
        raise SignInNeeded
    if not is_operator(request):
        raise PermissionDenied(
            "This is for operators. Make one with tracehub createuser --superuser."
        )
    if _left_alone(request):
        logout(request)
        raise SignInNeeded
    if _lacks_second_factor(request.user, Role.ADMIN):
        raise SecondFactorNeeded
    _check_text(request)


def _check_text(request: HttpRequest) -> None:
    """Raise BadRequest on a NUL in an address or form: PostgreSQL has no such text.

    Filters are left to their parser, which says where it stands.
    """
    given = [*request.GET.lists(), *request.POST.lists()]
    texts = [text for name, values in given if name != "q" for text in values]
    if any("\0" in text for text in (request.path, *texts)):
        raise BadRequest("The address or the form holds the character U+0000.")


def _lacks_second_factor(user: User, role: str) -> bool:
    """Tell whether TRACEHUB_SECOND_FACTOR asks this person for one that is not set up."""
    asked = settings.SECOND_FACTOR
    if asked == "nobody" or (asked == "admins" and role != Role.ADMIN):
        return False
    return not is_mfa_enabled(user)


@receiver(user_logged_in)
def _begin(request: HttpRequest, **_more: Any) -> None:
    request.session["began"] = time.time()


def _is_over(request: HttpRequest) -> bool:
    """Tell whether the session began LONGEST_SECONDS ago; each use of it puts its own end off."""
    now = time.time()
    began: float = request.session.get("began", now)
    return now - began > LONGEST_SECONDS


def _left_alone(request: HttpRequest) -> bool:
    """Tell whether the session was not used for IDLE_SECONDS; else note that it is now."""
    now = time.time()
    seen = request.session.get("seen", now)
    if now - seen > IDLE_SECONDS:
        return True
    if now - seen > SEEN_EVERY or "seen" not in request.session:
        request.session["seen"] = now
    return False
