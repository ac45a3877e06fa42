"""Taking back what was just done: a signed address names what it made."""

from __future__ import annotations

from typing import Any

from django.core import signing
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from tracehub.evals import actions as evals
from tracehub.evals.models import Case
from tracehub.projects.models import Project, Role
from tracehub.review import actions, picking
from tracehub.web import permissions, shell

SECONDS = 86_400


@require_POST
def undo(request: HttpRequest, slug: str, token: str) -> HttpResponse:
    """Take back what was done to traces, as the signed token says."""
    project = permissions.project_for(request, slug, Role.REVIEWER)
    done = read(request, project, "traces_undo", token)
    with transaction.atomic():
        actions.withdraw_all(project, done.get("reviews", []))
        picking.remove_items(project, done.get("items", []))
        for case in Case.objects.filter(
            project=project, pk__in=done.get("cases", []), removed_in=None
        ).select_related("eval_set"):
            evals.remove_case(case.eval_set, case.number)
    shell.toast(request, "Undone", icon="undo")
    return shell.back(request)


def url(request: HttpRequest, project: Project, **made: Any) -> str:
    """Return where a POST takes back `reviews`, `items` of queues and `cases`, by their ids."""
    return signed(request, project, "traces_undo", **made)


def signed(request: HttpRequest, project: Project, route: str, **made: Any) -> str:
    """Return the address of a route that takes back what was made, for this person and a day."""
    about = {"project": project.pk, "user": request.user.pk, **made}
    token = signing.dumps(about, salt=_salt(route), compress=True)
    return reverse(route, args=[project.slug, token])


def read(request: HttpRequest, project: Project, route: str, token: str) -> dict[str, Any]:
    """Return what a token of `signed` says was made; 404 when it is not this person's, or old."""
    try:
        done: dict[str, Any] = signing.loads(token, salt=_salt(route), max_age=SECONDS)
    except signing.BadSignature:
        raise Http404("This can no longer be undone.") from None
    if done["project"] != project.pk or done["user"] != request.user.pk:
        raise Http404("This can no longer be undone.")
    return done


def _salt(route: str) -> str:
    return f"tracehub.web.undoing.{route}"
