"""Saved views: making, changing and deleting them; each answer leads back to the list."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from tracehub.projects.actions import ActionError
from tracehub.projects.models import Project, Role
from tracehub.traces import saved
from tracehub.traces.models import SavedView
from tracehub.web import permissions, shell
from tracehub.web.links import with_query
from tracehub.web.settings_pages import person
from tracehub.web.trace_list.state import ListState


@require_POST
def create(request: HttpRequest, slug: str) -> HttpResponse:
    """Keep the list that `q`, `from`, `to` and `sort` name as `name`."""
    project = permissions.project_for(request, slug)
    state = ListState.of(project, request.POST, timezone.now())
    shared = "shared" in request.POST and _may_share(request)
    try:
        if state.error is not None:
            raise ActionError(state.error.message, "q")
        name = request.POST.get("name", "")
        view = saved.save(project, person(request), name, state.list_params, shared=shared)
        saved.count(view, now=timezone.now())
    except ActionError as error:
        shell.toast(request, str(error), icon="failures")
        return shell.back(request, state.url())
    shell.toast(request, f"Saved as {view}", icon="bookmark")
    return HttpResponseRedirect(address(view))


@require_POST
def change(request: HttpRequest, slug: str, view_id: int) -> HttpResponse:
    """Do what `act` says to an own view: save, rename, share, unshare or delete."""
    project = permissions.project_for(request, slug)
    own = SavedView.objects.filter(project=project, owner=person(request))
    view = get_object_or_404(own, pk=view_id)
    try:
        return _changed(request, project, view)
    except ActionError as error:
        shell.toast(request, str(error), icon="failures")
        return shell.back(request, address(view))


def _changed(request: HttpRequest, project: Project, view: SavedView) -> HttpResponse:
    act = request.POST.get("act", "")
    if act == "save":
        state = ListState.of(project, request.POST, timezone.now())
        if state.error is not None:
            raise ActionError(state.error.message, "q")
        saved.count(saved.change(view, params=state.list_params), now=timezone.now())
        shell.toast(request, f"{view} saved", icon="bookmark")
    elif act == "rename":
        saved.change(view, name=request.POST.get("name", ""))
    elif act in ("share", "unshare"):
        if not _may_share(request):
            raise ActionError("Sharing a view needs the role reviewer.")
        saved.change(view, shared=act == "share")
        told = "is shared with the project" if view.shared else "is yours alone"
        shell.toast(request, f"{view} {told}", icon="share")
    elif act == "delete":
        saved.delete(view, now=timezone.now())
        again = reverse("saved_view_restore", args=[project.slug, view.pk])
        shell.toast(request, f"{view} deleted", icon="bookmark", undo=again)
        return HttpResponseRedirect(with_query(_list(project), view.params))
    else:
        return HttpResponse("act must be save, rename, share, unshare or delete.", status=400)
    return HttpResponseRedirect(address(view))


@require_POST
def restore(request: HttpRequest, slug: str, view_id: int) -> HttpResponse:
    """Bring an own view back that was deleted (undo)."""
    project = permissions.project_for(request, slug)
    own = SavedView.objects.filter(project=project, owner=person(request))
    view = get_object_or_404(own, pk=view_id)
    try:
        saved.restore(view)
    except ActionError as error:
        shell.toast(request, str(error), icon="failures")
        return shell.back(request, _list(project))
    return HttpResponseRedirect(address(view))


def address(view: SavedView) -> str:
    """Return the address of the list that a view holds."""
    return with_query(_list(view.project), view.params | {"view": str(view.pk)})


def _list(project: Project) -> str:
    return reverse("traces", args=[project.slug])


def _may_share(request: HttpRequest) -> bool:
    return permissions.allows(getattr(request, "role", None), Role.REVIEWER)
