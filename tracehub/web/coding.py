"""The coding board: free notes become failure modes, which can be merged and split later."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from tracehub.projects.actions import ActionError
from tracehub.projects.models import Project, Role, User
from tracehub.review import actions, coding
from tracehub.review.models import FailureMode, Recoding
from tracehub.web import board_view, recheck, shell
from tracehub.web.queues import person, queue_of


@require_GET
def board(request: HttpRequest, slug: str, queue_slug: str) -> HttpResponse:
    """Notes to group on the left, failure modes on the right, saturation above."""
    queue = queue_of(request, slug, queue_slug)
    return render(request, "review/board.html", board_view.context(queue))


@require_POST
def change(request: HttpRequest, slug: str, queue_slug: str) -> HttpResponse:
    """Group, name, merge, split or rename, as `act` says; each says how to undo it."""
    queue = queue_of(request, slug, queue_slug, Role.REVIEWER)
    try:
        said, recoding = _change(request, queue.project, person(request))
    except ActionError as error:
        shell.toast(request, str(error), icon="failures")
    else:
        undo = reverse("review_recoding_undo", args=[slug, queue_slug, recoding.pk])
        shell.toast(request, said, icon="tag", undo=undo)
    return redirect("review_coding", slug=slug, queue_slug=queue_slug)


@require_POST
def undo(request: HttpRequest, slug: str, queue_slug: str, recoding_id: int) -> HttpResponse:
    """Take a change of the taxonomy back."""
    queue = queue_of(request, slug, queue_slug, Role.REVIEWER)
    recheck.take_back(get_object_or_404(Recoding, project=queue.project, pk=recoding_id))
    shell.toast(request, "Undone", icon="undo")
    return redirect("review_coding", slug=slug, queue_slug=queue_slug)


def _change(request: HttpRequest, project: Project, by: User) -> tuple[str, Recoding]:
    post = request.POST
    chosen = [int(text) for text in post.getlist("review") if text.isdigit() and len(text) < 16]
    act = post.get("act", "")
    if act.startswith("into:"):
        mode = _mode(project, act.removeprefix("into:"))
        recoding = coding.assign(project, chosen, mode, by=by)
        return f"{len(recoding.added)} moved to {mode.name}", recoding
    if act == "name":
        name, rule = post.get("name", ""), post.get("definition", "")
        mode, recoding = coding.name_group(project, name, rule, chosen, by=by)
        return f"{mode.name} made of {len(recoding.added)}", recoding
    mode = _mode(project, post.get("mode", ""))
    if act == "merge":
        into = _mode(project, post.get("into", ""))
        return f"{mode.name} merged into {into.name}", recheck.merge(mode, into, by=by)
    if act == "split":
        name, rule = post.get("name", ""), post.get("definition", "")
        made, recoding = coding.split(mode, name, rule, chosen, by=by)
        return f"{made.name} split from {mode.name}", recoding
    raise ActionError(f"act is not known. Got {act[:20]!r}.", "act")


def _mode(project: Project, slug: str) -> FailureMode:
    mode = FailureMode.objects.filter(project=project, slug=slug[:60], archived_at=None).first()
    if mode is None:
        raise ActionError(f"There is no failure mode {slug[:60]!r}.", "mode")
    return mode


@require_POST
def rename(request: HttpRequest, slug: str, queue_slug: str, mode_slug: str) -> HttpResponse:
    """Give a mode another name or sentence; the reviews that name it stay."""
    queue = queue_of(request, slug, queue_slug, Role.REVIEWER)
    mode = get_object_or_404(FailureMode, project=queue.project, slug=mode_slug)
    name, rule = request.POST.get("name", "").strip()[:80], request.POST.get("definition", "")
    if name:
        actions.edit_mode(mode, name, rule[:2000], by=person(request))
        shell.toast(request, f"Now called {mode.name}", icon="tag")
    return redirect("review_coding", slug=slug, queue_slug=queue_slug)
