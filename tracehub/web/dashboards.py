"""Dashboards: what the Metrics page needs of them, and keeping, changing and deleting them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from tracehub.metrics import dashboards
from tracehub.metrics.models import Dashboard
from tracehub.projects.actions import ActionError
from tracehub.projects.models import Project, Role
from tracehub.web import metric_specs, permissions, shell
from tracehub.web.chart_state import ChartState, state_of
from tracehub.web.links import with_query
from tracehub.web.settings_pages import person


def context(request: HttpRequest, state: ChartState) -> dict[str, Any]:
    """Return the dashboards of a person, the one that is open, and the charts to choose from."""
    boards = list(dashboards.visible(state.project, person(request)).select_related("owner"))
    board = next((each for each in boards if str(each.pk) == state.dashboard), None)
    order = [*metric_specs.chosen(state.charts)]
    order += [spec for spec in metric_specs.SPECS if spec not in order]
    shown = state.charts or metric_specs.KEYS
    return {
        "boards": [(each, address(each), each == board) for each in boards],
        "board": board,
        "board_edited": board is not None and board.params != state.kept,
        "chooser": [(spec, spec.key in shown) for spec in order] if state.edit else [],
    }


@require_POST
def create(request: HttpRequest, slug: str) -> HttpResponse:
    """Keep the charts that `q`, `from`, `to`, `group`, `compare` and `charts` name as `name`."""
    project = permissions.project_for(request, slug)
    state = state_of(project, request.POST, timezone.now())
    shared = "shared" in request.POST and _may_share(request)
    try:
        if state.error is not None:
            raise ActionError(state.error.message, "q")
        name = request.POST.get("name", "")
        board = dashboards.save(project, person(request), name, state.kept, shared=shared)
    except ActionError as error:
        shell.toast(request, str(error), icon="failures")
        return shell.back(request, state.url())
    shell.toast(request, f"Saved as {board}", icon="bookmark")
    return HttpResponseRedirect(address(board))


@require_POST
def change(request: HttpRequest, slug: str, board_id: int) -> HttpResponse:
    """Do what `act` says to an own dashboard: save, share, unshare or delete."""
    project = permissions.project_for(request, slug)
    board = _own(request, project, board_id)
    act = request.POST.get("act", "")
    try:
        if act == "save":
            state = state_of(project, request.POST, timezone.now())
            if state.error is not None:
                raise ActionError(state.error.message, "q")
            dashboards.change(board, params=state.kept)
            shell.toast(request, f"{board} saved", icon="bookmark")
        elif act in ("share", "unshare"):
            if not _may_share(request):
                raise ActionError("Sharing a dashboard needs the role reviewer.")
            dashboards.change(board, shared=act == "share")
            told = "is shared with the project" if board.shared else "is yours alone"
            shell.toast(request, f"{board} {told}", icon="share")
        elif act == "delete":
            dashboards.delete(board, now=timezone.now())
            again = reverse("dashboard_restore", args=[project.slug, board.pk])
            shell.toast(request, f"{board} deleted", icon="bookmark", undo=again)
            return HttpResponseRedirect(_page(project))
        else:
            return HttpResponse("act must be save, share, unshare or delete.", status=400)
    except ActionError as error:
        shell.toast(request, str(error), icon="failures")
    return HttpResponseRedirect(address(board))


@require_POST
def restore(request: HttpRequest, slug: str, board_id: int) -> HttpResponse:
    """Bring an own dashboard back that was deleted (undo)."""
    project = permissions.project_for(request, slug)
    board = _own(request, project, board_id)
    try:
        dashboards.restore(board)
    except ActionError as error:
        shell.toast(request, str(error), icon="failures")
        return HttpResponseRedirect(_page(project))
    return HttpResponseRedirect(address(board))


def address(board: Dashboard) -> str:
    """Return the address of the charts of a dashboard."""
    return with_query(_page(board.project), board.params | {"dashboard": str(board.pk)})


def _own(request: HttpRequest, project: Project, board_id: int) -> Dashboard:
    return get_object_or_404(Dashboard, project=project, owner=person(request), pk=board_id)


def _page(project: Project) -> str:
    return reverse("metrics", args=[project.slug])


def _may_share(request: HttpRequest) -> bool:
    return permissions.allows(getattr(request, "role", None), Role.REVIEWER)
