"""Work on all matching traces that goes on in the background: how far it is, and what can be done.

Everybody in a project sees what is done to its traces; an export is seen and fetched by the person
who asked for it, and by admins.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from tracehub.core.query import Filter
from tracehub.digest import trace_files, weekly
from tracehub.digest.bulk import actions, files
from tracehub.digest.models import BulkJob
from tracehub.digest.trace_files import FORMATS
from tracehub.projects.actions import ActionError, audit
from tracehub.projects.models import Project, Role, User
from tracehub.traces.extent import Range
from tracehub.traces.sampling import store as sampled
from tracehub.web import permissions, shell
from tracehub.web.settings_pages import person
from tracehub.web.trace_list import job_rows
from tracehub.web.trace_list.state import ListState

SHOWN = 50
LATELY = timedelta(minutes=2)  # how long the strip above the list tells of what is over
NEEDED = {
    BulkJob.Kind.EXPORT: Role.VIEWER,
    BulkJob.Kind.SEARCH: Role.VIEWER,
    BulkJob.Kind.DELETE: Role.ADMIN,
}
ACTS = {
    "cancel": actions.cancel,
    "undo": actions.undo,
    "again": actions.go_on,
    "notify": actions.notify,
}


@require_GET
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """The jobs of the project, newest first; with `strip`, the person's own above the list."""
    project = permissions.project_for(request, slug)
    if "strip" in request.GET:
        return render(request, "traces/jobs_strip.html", lately(project, person(request)))
    jobs = list(visible(request, project).order_by("-id")[:SHOWN])
    fragment = request.headers.get("HX-Request") == "true"
    template = "traces/jobs_list.html" if fragment else "traces/jobs.html"
    shown = [_row(job, mine=may_change(request, job)) for job in jobs]
    return render(
        request,
        template,
        {"jobs": shown, "jobs_open": any(job.open for job in jobs), "mails": weekly.can_send()},
    )


@require_POST
def act(request: HttpRequest, slug: str, job_id: int) -> HttpResponse:
    """Cancel, undo or try again, as `act` says; for who started it, and for admins."""
    project = permissions.project_for(request, slug)
    job = get_object_or_404(visible(request, project), pk=job_id)
    if not may_change(request, job):
        raise PermissionDenied("Another person started this.")
    if (do := ACTS.get(request.POST.get("act", ""))) is None:
        return HttpResponse(f"act must be one of {', '.join(ACTS)}.", status=400)
    do(job)
    audit(f"traces.{request.POST['act']}", by=person(request), project=project, object=str(job))
    return shell.back(request, reverse("traces_jobs", args=[slug]))


@require_GET
def download(request: HttpRequest, slug: str, job_id: int) -> HttpResponse | FileResponse:
    """The file of a finished export, as long as it is kept."""
    project = permissions.project_for(request, slug)
    jobs = visible(request, project).filter(kind=BulkJob.Kind.EXPORT, state=BulkJob.State.DONE)
    job = get_object_or_404(jobs, pk=job_id)
    path = files.path_of(job)
    if not path.exists():
        raise Http404("The file is deleted 7 days after it was made. Export again.")
    audit("traces.downloaded", by=person(request), project=project, object=str(job))
    media_type = FORMATS[job.choice["format"]].media_type
    kept = sampled.kept(Range(project, job.since, job.until))
    name = trace_files.filename(job.choice["format"], f"{project.slug}-{job.pk}", kept)
    return FileResponse(path.open("rb"), as_attachment=True, filename=name, content_type=media_type)


def visible(request: HttpRequest, project: Project) -> QuerySet[BulkJob]:
    """Return the jobs that a person may see."""
    jobs = BulkJob.objects.filter(project=project).select_related("by", "project")
    if permissions.allows(getattr(request, "role", None), Role.ADMIN):
        return jobs
    return jobs.filter(~Q(kind=BulkJob.Kind.EXPORT) | Q(by=person(request)))


def may_change(request: HttpRequest, job: BulkJob) -> bool:
    """Tell whether the person may act on a job: on their own ones, while they have the role."""
    role = getattr(request, "role", None)
    needed = NEEDED.get(BulkJob.Kind(job.kind), Role.REVIEWER)
    own = job.by_id == person(request).pk and permissions.allows(role, needed)
    return own or permissions.allows(role, Role.ADMIN)


def lately(project: Project, by: User) -> dict[str, Any]:
    """Return a person's jobs that go on, or were over a moment ago, as the strip shows them."""
    recent = Q(finished_at=None) | Q(finished_at__gte=timezone.now() - LATELY)
    rows = BulkJob.objects.filter(recent, project=project, by=by).select_related("project")
    jobs = list(rows.order_by("-id")[:3])
    return {
        "jobs": [_row(job, mine=True) for job in jobs],
        "jobs_open": any(job.open for job in jobs),
        "mails": weekly.can_send(),
        "jobs_every": 20 if all(job.waiting for job in jobs if job.open) else 2,
    }


def _row(job: BulkJob, *, mine: bool) -> job_rows.JobRow:
    return job_rows.row(job, reverse("traces", args=[job.project.slug]), mine=mine)


def ask(request: HttpRequest, state: ListState, kind: str, choice: dict[str, Any]) -> HttpResponse:
    """Start a job on everything that a list matches, and go back to the list that tells of it."""
    if state.error is not None:
        raise ActionError(state.error.message, "q")
    job = actions.start(state.within, state.wanted, kind, choice, by=person(request))
    if kind == BulkJob.Kind.EXPORT:
        return redirect("traces_jobs", slug=state.project.slug)
    _tell(request, job)
    return shell.back(request, state.url())


def delete(request: HttpRequest, project: Project, traces: Sequence[UUID]) -> HttpResponse:
    """Have selected traces deleted, and go back to the list that tells of it."""
    now = timezone.now()
    choice = {"traces": [trace.hex for trace in traces]}
    kind, by = BulkJob.Kind.DELETE, person(request)
    _tell(request, actions.start(Range(project, now, now), Filter(), kind, choice, by=by))
    return shell.back(request)


@require_POST
def search(request: HttpRequest, slug: str) -> HttpResponse:
    """Go on with a search that took too long for a page, in the background."""
    project = permissions.project_for(request, slug)
    state = ListState.of(project, request.POST, timezone.now())
    try:
        return ask(request, state, BulkJob.Kind.SEARCH, {"found": []})
    except ActionError as error:
        shell.toast(request, str(error), icon="failures")
        return shell.back(request, state.url())


def _tell(request: HttpRequest, job: BulkJob) -> None:
    about = f"{'~' if job.estimated else ''}{job.expected:,} trace{'s'[: job.expected != 1]}"
    said = f"{about} will be deleted" if job.waiting else f"Working on {about}"
    if job.kind == BulkJob.Kind.SEARCH:
        said = f"Searching {about} in the background"
    shell.toast(request, said, icon="clock")
