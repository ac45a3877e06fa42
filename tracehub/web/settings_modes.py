"""Settings: the project's own failure modes."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_POST

from tracehub.projects.actions import ActionError
from tracehub.projects.models import Role
from tracehub.review import actions
from tracehub.review.models import FailureMode
from tracehub.web import permissions
from tracehub.web.forms.settings import ModeForm
from tracehub.web.settings_pages import back_to, person, refused
from tracehub.web.shell import toast


@require_POST
def create(request: HttpRequest, slug: str) -> HttpResponse:
    """Add a failure mode at the end of the list."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    form = ModeForm(request.POST)
    if not form.is_valid():
        return refused(request, project, "modes", form)
    try:
        mode, _new = actions.create_mode(project, by=person(request), **form.cleaned_data)
    except ActionError as error:
        return refused(request, project, "modes", form, str(error))
    undo = reverse("settings_mode_archive", args=[slug, mode.slug])
    toast(request, f"Mode {mode.name} added", icon="tag", undo=undo)
    return back_to(project, "modes")


def _mode(request: HttpRequest, slug: str, mode_slug: str) -> FailureMode:
    project = permissions.project_for(request, slug, Role.ADMIN)
    return get_object_or_404(
        FailureMode.objects.select_related("project"), project=project, slug=mode_slug
    )


@require_POST
def edit(request: HttpRequest, slug: str, mode_slug: str) -> HttpResponse:
    """Change the name or the rule of a failure mode."""
    mode = _mode(request, slug, mode_slug)
    form = ModeForm(request.POST)
    if not form.is_valid():
        return refused(request, mode.project, "modes", form)
    actions.edit_mode(mode, by=person(request), **form.cleaned_data)
    toast(request, f"Mode {mode.name} saved", icon="tag")
    return back_to(mode.project, "modes")


@require_POST
def move(request: HttpRequest, slug: str, mode_slug: str) -> HttpResponse:
    """Move a failure mode one place up or down."""
    mode = _mode(request, slug, mode_slug)
    if mode.archived_at is None:
        actions.move_mode(mode, -1 if request.POST.get("to") == "up" else 1, by=person(request))
    return back_to(mode.project, "modes")


@require_POST
def archive(request: HttpRequest, slug: str, mode_slug: str) -> HttpResponse:
    """Offer a failure mode no longer."""
    mode = _mode(request, slug, mode_slug)
    actions.archive_mode(mode, by=person(request))
    undo = reverse("settings_mode_restore", args=[slug, mode_slug])
    toast(request, f"Mode {mode.name} archived", icon="archive", undo=undo)
    return back_to(mode.project, "modes")


@require_POST
def restore(request: HttpRequest, slug: str, mode_slug: str) -> HttpResponse:
    """Offer an archived failure mode again."""
    mode = _mode(request, slug, mode_slug)
    actions.restore_mode(mode, by=person(request))
    toast(request, f"Mode {mode.name} is back", icon="tag")
    return back_to(mode.project, "modes")
