"""Where reviewers differ, and the decision that becomes the label."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from tracehub.projects.actions import ActionError
from tracehub.projects.models import Role
from tracehub.review import adjudication, progress
from tracehub.review import querysets as reviews
from tracehub.web import marks, shell
from tracehub.web.forms.queues import DecisionForm
from tracehub.web.links import with_query
from tracehub.web.queues import person, queue_of


@require_GET
def page(request: HttpRequest, slug: str, queue_slug: str) -> HttpResponse:
    """The closed items whose reviews differ: those to decide first."""
    queue = queue_of(request, slug, queue_slug)
    to_decide, decided = progress.disagreements(queue)
    context = {
        "queue": queue,
        "items": [*to_decide, *decided][:100],
        "verdicts": marks.VERDICTS.items(),
        "modes": reviews.modes(queue.project),
    }
    return render(request, "review/disagreements.html", context)


@require_POST
def decide(request: HttpRequest, slug: str, queue_slug: str, item_id: int) -> HttpResponse:
    """Take a decision; both reviews stay as they are."""
    queue = queue_of(request, slug, queue_slug, Role.REVIEWER)
    form = DecisionForm(queue.project, request.POST)
    if not form.is_valid():
        field, errors = next(iter(form.errors.items()))
        return HttpResponse(
            f"{field}: {errors[0]}", status=400, content_type="text/plain; charset=utf-8"
        )
    with transaction.atomic():
        item = get_object_or_404(queue.items.select_for_update(of=("self",)), pk=item_id)
        data = form.cleaned_data
        try:
            review = adjudication.decide(
                item,
                data["verdict"],
                by=person(request),
                modes=data["modes"],
                severity=data["severity"],
                note=data["note"],
            )
        except ActionError as error:
            shell.toast(request, str(error), icon="failures")
            return redirect("review_disagreements", slug=slug, queue_slug=queue_slug)
    undo = with_query(reverse("review_withdraw", args=[slug, review.pk]), {"stay": "1"})
    shell.toast(request, f"Decided: {review.get_verdict_display().lower()}", undo=undo)
    return redirect("review_disagreements", slug=slug, queue_slug=queue_slug)
