"""Talk about a failure: comments, and the issue that was opened elsewhere."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from tracehub.core import trackers
from tracehub.failures import fixes, querysets, talk
from tracehub.failures.models import Failure, Tracker
from tracehub.projects.actions import ActionError
from tracehub.projects.models import Project, Role
from tracehub.web import permissions, shell
from tracehub.web.settings_pages import person


@require_POST
def say(request: HttpRequest, slug: str, key: str) -> HttpResponse:
    """Add a comment, note a fix, or keep the address of the issue elsewhere."""
    project = permissions.project_for(request, slug, Role.REVIEWER)
    failure = querysets.by_key(project, key)
    if failure is None:
        raise Http404("There is no such failure in this project.")
    try:
        if "fix" in request.POST:
            fixes.add(
                [failure], request.POST.get("kind", ""), request.POST["fix"],
                request.POST.get("version", ""), by=person(request), at=timezone.now(),
            )  # fmt: skip
            shell.toast(request, "Fix noted. What it brought shows from tomorrow on", icon="pass")
        elif "issue" in request.POST:
            talk.link_issue(failure, request.POST["issue"], by=person(request))
            shell.toast(request, f"Issue of {failure.key} kept", icon="link")
        else:
            talk.comment(failure, request.POST.get("text", ""), by=person(request))
            shell.toast(request, "Comment added", icon="chat")
    except ActionError as error:
        shell.toast(request, str(error), icon="failures")
    return shell.back(request)


@require_GET
def ledger(request: HttpRequest, slug: str) -> HttpResponse:
    """The fixes of a project with what each brought."""
    project = permissions.project_for(request, slug)
    now = timezone.now()
    found = fixes.of_project(project)
    named = {pk for fix in found for pk in fix.failures}
    rows = {row.pk: row for row in Failure.objects.filter(project=project, pk__in=named)}
    lines = [
        (fix, fixes.effect(fix, now), [rows[pk] for pk in fix.failures if pk in rows])
        for fix in found
    ]
    return render(request, "failures/fixes.html", {"lines": lines})


def new_issue_url(project: Project, failure: Failure, page: str) -> tuple[str, str] | None:
    """Return name and URL of the tracker's form, filled in; None without a tracker."""
    tracker = Tracker.objects.filter(project=project).first()
    if tracker is None:
        return None
    order = querysets.activities(failure).filter(verb="commented")[:3]
    lines = [
        f"{failure.events:,} traces, {failure.users:,} users since {failure.first_seen:%Y-%m-%d}.",
        f"First seen with {failure.since}." if failure.since else "",
        f"In {failure.span}." if failure.span else "",
        *(f"{line.actor}: {line.text}" for line in order),
        page,
    ]
    text = "\n\n".join(line for line in lines if line)
    url = trackers.new_issue(tracker.kind, tracker.base, f"{failure.key} {failure.title}", text)
    return trackers.TRACKERS[tracker.kind], url
