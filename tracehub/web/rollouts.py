"""The rollout page: internal, canary, all, each behind its gate; going on, and going back."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from tracehub.core.rollout import flags
from tracehub.evals import rollouts
from tracehub.evals.models import EvalSet, Rollout
from tracehub.metrics.querysets import newest_versions
from tracehub.projects.actions import ActionError
from tracehub.projects.models import Project, Role, User
from tracehub.traces.querysets import TooSlow, bounded
from tracehub.web import connect, links, permissions, rollout_view, shell
from tracehub.web.forms.rollouts import StartForm

SECONDS = 5.0  # that the live numbers may take
LISTED = 50


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """The rollouts of a project and one of them in full; a POST begins one."""
    starting = request.method == "POST"
    project = permissions.project_for(request, slug, Role.REVIEWER if starting else Role.VIEWER)
    versions = newest_versions(project)
    form = StartForm(
        request.POST if starting else None,
        versions=versions,
        sets=EvalSet.objects.filter(project=project),
        initial=_guess(versions, request.GET.get("candidate", "")),
    )
    if starting and form.is_valid():
        try:
            made = rollouts.start(project, by=_user(request), **form.start())
        except ActionError as error:
            form.add_error(error.field if error.field in form.fields else None, str(error))
        else:
            shell.toast(request, f"{made.candidate} begins with internal")
            return redirect(_url(project, made))
    rows = list(rollouts.of_project(project)[:LISTED])
    context: dict[str, Any] = {"form": form, "rollouts": rows, "base": connect.base_url(request)}
    context |= _chosen(project, rows, request)
    return render(request, "evals/rollout.html", context, status=422 if form.errors else 200)


def _guess(versions: list[str], candidate: str) -> dict[str, str]:
    """Return the version asked for, else the newest, and the one of the same prompt before it."""
    candidate = candidate if candidate in versions else next(iter(versions), "")
    prompt = candidate.rpartition("@")[0]
    same = [version for version in versions if version.rpartition("@")[0] == prompt]
    older = same[same.index(candidate) + 1 :] if candidate else []
    return {"candidate": candidate, "control": next(iter(older), "")}


def _chosen(project: Project, rows: list[Rollout], request: HttpRequest) -> dict[str, Any]:
    wanted = request.GET.get("id", "")
    if wanted:
        chosen = next((row for row in rows if str(row.number) == wanted), None)
        if chosen is None:
            raise Http404("The project has no such rollout.")
    elif rows:
        chosen = rows[0]
    else:
        return {}
    now = timezone.now()
    try:
        with bounded(SECONDS):
            shown = rollout_view.state(chosen, now)
            began = [stage for stage in shown.stages if stage.since]
            live = next((stage for stage in began if stage.now), began[-1])
            compared = rollout_view.compared(chosen, live, now)
    except TooSlow:
        return {"rollout": chosen, "too_slow": True}
    return {
        "rollout": chosen,
        "state": shown,
        "live": live,
        "gap": rollout_view.gap(live),
        "held": rollout_view.held_by(shown),
        "panel": rollout_view.panel(shown),
        "stages": [
            (stage, rollout_view.gate_of(shown, n) if n + 1 < len(shown.stages) else None)
            for n, stage in enumerate(shown.stages)
        ],
        "history": rollout_view.history(shown.steps),
        "limit": f"{chosen.limit * 100:g}",
        **compared,
    }


@require_POST
def move(request: HttpRequest, slug: str, rollout_number: int) -> HttpResponse:
    """Go on to the next stage, or back to the control; the toast takes it back.

    Going on against the gate is the admins' to decide.
    """
    project = permissions.project_for(request, slug, Role.REVIEWER)
    rollout = _rollout(project, rollout_number)
    back, why = request.POST.get("do") == "back", request.POST.get("reason", "")
    reasons = rollout_view.state(rollout, timezone.now()).reasons
    held = not all(reason.ok for reason in reasons)
    try:
        if held and not back and not _is_admin(request):
            raise ActionError("The gate does not hold. Only an admin may go on.")
        if back:
            moved = rollouts.roll_back(rollout, why, reasons, by=_user(request))
            text = f"Everyone gets {moved.control} again"
        else:
            moved = rollouts.advance(rollout, reasons, why=why, by=_user(request))
            text = f"{moved.candidate} moved to {moved.stage}"
    except ActionError as error:
        shell.toast(request, str(error), icon="failures")
    else:
        undo = reverse("rollout_undo", args=[slug, rollout_number])
        shell.toast(request, text, undo=undo)
    return redirect(_url(project, rollout))


@require_POST
def undo(request: HttpRequest, slug: str, rollout_number: int) -> HttpResponse:
    """Take the newest step of a rollout back."""
    project = permissions.project_for(request, slug, Role.REVIEWER)
    rollout = _rollout(project, rollout_number)
    try:
        moved = rollouts.undo(rollout, by=_user(request))
        shell.toast(request, f"{moved.candidate} is back in {moved.stage}")
    except ActionError as error:
        shell.toast(request, str(error), icon="failures")
    return redirect(_url(project, rollout))


@require_GET
def flag_file(request: HttpRequest, slug: str) -> HttpResponse:
    """Which version each cohort gets, as a file that flagd reads."""
    project = permissions.project_for(request, slug)
    answer = JsonResponse(flags(rollouts.courses(project)), json_dumps_params={"indent": 2})
    answer["Content-Disposition"] = 'attachment; filename="flags.json"'
    return answer


def _rollout(project: Project, number: int) -> Rollout:
    return get_object_or_404(rollouts.of_project(project), number=number)


def _url(project: Project, rollout: Rollout) -> str:
    path = reverse("rollout", args=[project.slug])
    return links.with_query(path, {"id": str(rollout.number)})


def _is_admin(request: HttpRequest) -> bool:
    return permissions.allows(getattr(request, "role", None), Role.ADMIN)


def _user(request: HttpRequest) -> User | None:
    return request.user if isinstance(request.user, User) else None
