"""Settings, Erasure: delete what is kept of one person, after a look at what that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from tracehub.digest.erasure import actions
from tracehub.digest.models import Erasure
from tracehub.projects.actions import ActionError
from tracehub.projects.models import Project, Role
from tracehub.web import permissions
from tracehub.web.settings_pages import person
from tracehub.web.shell import toast

CONFIRMED = "erase"
SHOWN = 50
WORDS = {
    "traces": ("trace", "traces"),
    "spans": ("span", "spans"),
    "notes": ("note", "notes"),
    "cases": ("case", "cases"),
    "feedback": ("score", "scores"),
    "comments": ("comment", "comments"),
    "mentions": ("other mention", "other mentions"),
    "queue_items": ("place in a queue", "places in queues"),
    "events": ("event", "events"),
    "seen_in_failures": ("count of users", "counts of users"),
    "failure_titles": ("failure title", "failure titles"),
    "export_files": ("export file", "export files"),
}


@require_http_methods(["GET", "POST"])
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """The form and the receipts; a POST looks, and with the typed word begins.

    An id is personal data, so it comes in bodies alone and never stands in an address.
    """
    project = permissions.project_for(request, slug, Role.ADMIN)
    if request.method == "GET":
        return _shown(request, project)
    typed = {"kind": request.POST.get("kind", ""), "ids": request.POST.get("ids", "")}
    try:
        wanted = actions.read(typed["kind"], typed["ids"])
        found = actions.preview(project, wanted)
    except ActionError as error:
        return _shown(request, project, typed=typed, problems={"all": str(error)}, status=422)
    confirm = request.POST.get("confirm")
    if confirm == CONFIRMED:
        actions.start(project, wanted, by=person(request))
        toast(request, "Erasing. The receipt is here when it is done")
        return HttpResponseRedirect(reverse("settings_erasure", args=[slug]))
    problems = {} if confirm is None else {"all": f"Type {CONFIRMED} to begin. Got {confirm!r}."}
    counts = _told({"traces": found.traces, **found.counts})
    limit = actions.LOOKED_AT if found.more else None
    return _shown(
        request, project, status=422 if problems else 200,
        typed=typed, looked=True, found=counts, limit=limit, problems=problems,
    )  # fmt: skip


def _shown(
    request: HttpRequest, project: Project, *, status: int = 200, **more: Any
) -> HttpResponse:
    jobs = Erasure.objects.filter(project=project)[:SHOWN]
    shown = {"kinds": Erasure.Kind.choices, "problems": {}, **more}
    shown["jobs"] = [(job, _told(job.counts)) for job in jobs]
    return render(request, "settings/erasure.html", shown, status=status)


def _told(counts: Mapping[str, int]) -> list[tuple[int, str]]:
    """Counts and their words in the order of WORDS, without what there is none of."""
    given = [(counts.get(kind, 0), words) for kind, words in WORDS.items()]
    return [(count, words[count > 1]) for count, words in given if count]


@require_GET
def receipt(request: HttpRequest, slug: str, erasure_id: int) -> HttpResponse:
    """The receipt of a finished erasure, as a file."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    done = Erasure.objects.select_related("project").exclude(finished_at=None)
    job = get_object_or_404(done, project=project, pk=erasure_id)
    answer = JsonResponse(actions.receipt(job), json_dumps_params={"indent": 2})
    name = f"erasure-{project.slug}-{job.pk}.json"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
