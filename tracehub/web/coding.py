"""The coding board: free notes become failure modes, which can be merged and split later."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from tracehub.core.whole import whole_number
from tracehub.projects.actions import ActionError
from tracehub.projects.models import Project, Role, User
from tracehub.review import actions, coding, taxonomy
from tracehub.review.models import FailureMode, Recoding
from tracehub.web import board_notes, board_view, recheck, shell
from tracehub.web.queues import person, queue_of


@require_GET
def board(request: HttpRequest, slug: str, queue_slug: str) -> HttpResponse:
    """Notes to group on the left, failure modes on the right, saturation above."""
    queue = queue_of(request, slug, queue_slug)
    order = request.GET.get("order", "")
    return render(request, "review/board.html", board_view.context(queue, order))


@require_POST
def change(request: HttpRequest, slug: str, queue_slug: str) -> HttpResponse:
    """Group, name, merge, split, put off or publish, as `act` says, with the way to undo it."""
    queue = queue_of(request, slug, queue_slug, Role.REVIEWER)
    by = person(request)
    try:
        if request.POST.get("act") in ("later", "publish"):
            _whole(request, queue.project, by)
            return _board(request, slug, queue_slug)
        said, recoding = _change(request, queue.project, by)
    except ActionError as error:
        shell.toast(request, str(error), icon="failures")
    else:
        undo = reverse("review_recoding_undo", args=[slug, queue_slug, recoding.pk])
        shell.toast(request, said, icon="tag", undo=undo)
    return _board(request, slug, queue_slug)


@require_POST
def undo(request: HttpRequest, slug: str, queue_slug: str, recoding_id: int) -> HttpResponse:
    """Take a change of the taxonomy back."""
    queue = queue_of(request, slug, queue_slug, Role.REVIEWER)
    recheck.take_back(get_object_or_404(Recoding, project=queue.project, pk=recoding_id))
    shell.toast(request, "Undone", icon="undo")
    return _board(request, slug, queue_slug)


def _board(request: HttpRequest, slug: str, queue_slug: str) -> HttpResponse:
    page = reverse("review_coding", args=[slug, queue_slug])
    order = request.POST.get("order", "")
    return redirect(f"{page}?order={order}" if order in dict(board_notes.ORDERS) else page)


def _chosen(request: HttpRequest) -> list[int]:
    given = request.POST.getlist("review")
    return [number for text in given if (number := whole_number(text)) is not None]


def _whole(request: HttpRequest, project: Project, by: User) -> None:
    """Put notes off, or publish the taxonomy."""
    if request.POST["act"] == "publish":
        made = taxonomy.publish(project, by=by)
        shell.toast(request, f"Taxonomy v{made.number} published", icon="pass")
        return
    number = taxonomy.put_off(project, _chosen(request))
    said = f"{number} put off" if number > 0 else f"{-number} taken up again"
    shell.toast(request, said, icon="clock")


def _change(request: HttpRequest, project: Project, by: User) -> tuple[str, Recoding]:
    post = request.POST
    chosen = _chosen(request)
    act = post.get("act", "")
    if act.startswith("into:"):
        mode = _mode(project, act.removeprefix("into:"))
        recoding = coding.assign(project, chosen, mode, by=by)
        return f"{len(recoding.added)} moved to {mode.name}", recoding
    if act == "name":
        name, rule = post.get("name", ""), post.get("definition", "")
        mode, recoding = coding.name_group(project, name, rule, chosen, by=by)
        taxonomy.give_examples(mode, post.get("bad", ""), post.get("good", ""))
        return f"{mode.name} made of {len(recoding.added)}", recoding
    mode = _mode(project, post.get("mode", ""))
    if act == "merge":
        into = _mode(project, post.get("into", ""))
        return f"{mode.name} merged into {into.name}", recheck.merge(mode, into, by=by)
    if act == "split":
        first = (key.removeprefix("side-") for key, side in post.items() if side == "1")
        chosen += [number for text in first if (number := whole_number(text)) is not None]
        name, rule = post.get("name", ""), post.get("definition", "")
        rest = (post.get("rest_name", ""), post.get("rest_definition", ""))
        made, recoding = coding.split(mode, name, rule, chosen, by=by, rest=rest)
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
        taxonomy.give_examples(mode, request.POST.get("bad", ""), request.POST.get("good", ""))
        shell.toast(request, f"Now called {mode.name}", icon="tag")
    return _board(request, slug, queue_slug)
