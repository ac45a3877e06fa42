"""Talk about a failure: comments, and the issue that was opened elsewhere."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from tracehub.core import trackers
from tracehub.failures import querysets, talk
from tracehub.failures.models import Failure, Tracker
from tracehub.projects.actions import ActionError
from tracehub.projects.models import Project, Role
from tracehub.web import permissions, shell
from tracehub.web.settings_pages import person


@require_POST
def say(request: HttpRequest, slug: str, key: str) -> HttpResponse:
    """Add a comment, or keep the address of the issue elsewhere."""
    project = permissions.project_for(request, slug, Role.REVIEWER)
    failure = querysets.by_key(project, key)
    if failure is None:
        raise Http404("There is no such failure in this project.")
    try:
        if "issue" in request.POST:
            talk.link_issue(failure, request.POST["issue"], by=person(request))
            shell.toast(request, f"Issue of {failure.key} kept", icon="link")
        else:
            talk.comment(failure, request.POST.get("text", ""), by=person(request))
            shell.toast(request, "Comment added", icon="chat")
    except ActionError as error:
        shell.toast(request, str(error), icon="failures")
    return shell.back(request)


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
