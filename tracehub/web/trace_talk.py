"""Talk about a trace: comments, notes on passages, and who is to look at it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_POST

from tracehub.core.concealment import HIDDEN
from tracehub.projects.actions import ActionError
from tracehub.projects.models import Membership, Project, Role, User
from tracehub.review import talk
from tracehub.review.models import TraceComment
from tracehub.web import permissions, shell
from tracehub.web.loading import trace_or_404
from tracehub.web.settings_pages import person


def context(
    request: HttpRequest, project: Project, trace_id: UUID, *, sealing: bool
) -> dict[str, Any]:
    """Return the comments, who has the trace, and whom it can be given to."""
    said = talk.comments(project, trace_id, person(request), sealing=sealing)
    role = getattr(request, "role", None)
    if project.hides_content and role == Role.VIEWER:
        for one in said:
            one.text, one.quote, one.prefix = HIDDEN, "", ""
    seats = Membership.objects.filter(project=project).select_related("user")
    return {
        "comments": said,
        "passages": [_passage(one) for one in said if one.quote],
        "assigned": talk.assigned(project, trace_id),
        "members": [seat.user for seat in seats.order_by("user__email")],
        "say_url": reverse("trace_say", args=[project.slug, trace_id.hex]),
    }


def _passage(one: TraceComment) -> dict[str, Any]:
    author = str(one.author) if one.author else "someone who left"
    return {
        "id": one.pk, "span": one.span_id, "quote": one.quote, "prefix": one.prefix,
        "said": f"{author}: {one.text}",
    }  # fmt: skip


@require_POST
def say(request: HttpRequest, slug: str, trace_id: str) -> HttpResponse:
    """Add, remove or restore a comment, or give the trace to a person, as `act` says."""
    project = permissions.project_for(request, slug, Role.REVIEWER)
    loaded = trace_or_404(project, trace_id)
    by, post, place = person(request), request.POST, UUID(hex=loaded.summary.trace_id)
    try:
        if "assign" in post:
            _assign(request, project, place, by)
        elif (number := {**request.GET.dict(), **post.dict()}.get("remove", "")).isdecimal():
            _remove(request, project, place, by, int(number[:15]))
        else:
            span = post.get("span", "")
            talk.comment(
                project, place, post.get("text", ""), by=by, span_id=span,
                quote=post.get("quote", ""), prefix=post.get("prefix", ""),
            )  # fmt: skip
            said = "Note put on the passage" if post.get("quote") else "Comment added"
            shell.toast(request, said, icon="chat")
    except ActionError as error:
        shell.toast(request, str(error), icon="failures")
    return shell.back(request)


def _assign(request: HttpRequest, project: Project, trace: UUID, by: User) -> None:
    wanted = request.POST["assign"]
    seats = Membership.objects.filter(project=project, user__email=wanted).select_related("user")
    seat = seats.first()
    if wanted and seat is None:
        raise ActionError("person must be a member of the project.", "person")
    talk.assign(project, trace, seat.user if seat else None, by=by)
    shell.toast(request, f"Given to {seat.user}" if seat else "Given to nobody", icon="user")


def _remove(request: HttpRequest, project: Project, trace: UUID, by: User, number: int) -> None:
    """Remove an own comment, or bring it back."""
    rows = TraceComment.objects.filter(project=project, trace_id=trace, author=by)
    one = get_object_or_404(rows, pk=number)
    if one.removed_at is not None:
        talk.restore(one)
        shell.toast(request, "Comment is back", icon="undo")
        return
    talk.remove(one)
    undo = f"{reverse('trace_say', args=[project.slug, trace.hex])}?remove={one.pk}"
    shell.toast(request, "Comment removed", icon="chat", undo=undo)
