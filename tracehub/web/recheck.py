"""Labels given under an older rule of their failure mode: whether they still hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from tracehub.evals import recoding as cases
from tracehub.projects.actions import ActionError
from tracehub.projects.models import Role, User
from tracehub.review import coding
from tracehub.review import querysets as reviews
from tracehub.review.models import FailureMode, Recoding
from tracehub.web import permissions, shell, word_diff
from tracehub.web.queues import person

SHOWN = 50
KEEP, TAKE_OFF = "keep", "off"


@require_http_methods(["GET", "POST"])
def page(request: HttpRequest, slug: str, mode_slug: str) -> HttpResponse:
    """What the mode meant and means, and its old labels: keep, take off, or another mode."""
    project = permissions.project_for(request, slug, Role.REVIEWER)
    modes = reviews.modes(project)
    mode = get_object_or_404(FailureMode, project=project, slug=mode_slug, archived_at=None)
    here = redirect("review_recheck", slug=slug, mode_slug=mode_slug)
    if request.method == "POST":
        try:
            change = coding.check(mode, _decisions(request.POST, mode, modes), by=person(request))
        except ActionError as error:
            shell.toast(request, str(error), icon="failures")
        else:
            undo = reverse("review_recheck_undo", args=[slug, mode_slug, change.pk])
            shell.toast(request, f"{len(change.removed)} checked", icon="tag", undo=undo)
        return here
    old = reviews.old_labels(project).filter(failuremode=mode)
    labels = old.select_related("review__author")[:SHOWN]
    last = mode.versions.select_related("by").first()
    context: dict[str, Any] = {
        "mode": mode,
        "others": [other for other in modes if other.pk != mode.pk],
        "labels": labels,
        "number": old.count(),
        "last": last,
        "diff": word_diff.compare([last.definition], [mode.definition]) if last else None,
    }
    return render(request, "review/recheck.html", context)


@require_POST
def undo(request: HttpRequest, slug: str, mode_slug: str, recoding_id: int) -> HttpResponse:
    """Take a check back."""
    project = permissions.project_for(request, slug, Role.REVIEWER)
    mode = get_object_or_404(FailureMode, project=project, slug=mode_slug)
    take_back(get_object_or_404(Recoding, project=project, pk=recoding_id))
    shell.toast(request, "Undone", icon="undo")
    return redirect("review_recheck", slug=slug, mode_slug=mode.slug)


@transaction.atomic
def merge(mode: FailureMode, into: FailureMode, *, by: User) -> Recoding:
    """Make two modes one, in reviews and in the drafts of eval sets."""
    recoding = coding.merge(mode, into, by=by)
    recoding.above = {"cases": cases.merge_modes(mode.project, mode.slug, into.slug)}
    recoding.save(update_fields=["above"])
    return recoding


@transaction.atomic
def take_back(recoding: Recoding) -> None:
    """Take a change of the taxonomy back, in reviews and in the drafts of eval sets."""
    if recoding.undone_at is None:
        coding.undo(recoding)
        cases.restore_modes(recoding.project, recoding.above.get("cases", {}))


def _decisions(
    posted: Mapping[str, str], mode: FailureMode, modes: list[FailureMode]
) -> dict[int, FailureMode | None]:
    """Return what was decided of each review: `review-12` is keep, off, or the slug of a mode."""
    by_slug: dict[str, FailureMode | None] = {other.slug: other for other in modes}
    by_slug = {f"to:{slug}": other for slug, other in by_slug.items()}
    by_slug |= {KEEP: mode, TAKE_OFF: None}
    found = {}
    for name, value in posted.items():
        number = name.removeprefix("review-")
        if name != number and number.isdecimal() and len(number) < 16 and value in by_slug:
            found[int(number)] = by_slug[value]
    return found
