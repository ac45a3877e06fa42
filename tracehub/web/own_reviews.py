"""A reviewer's view of their own work: every verdict they gave, sealed and withdrawn ones too."""

from __future__ import annotations

from datetime import timedelta
from statistics import median
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from tracehub.projects.models import Role
from tracehub.review import querysets as reviews
from tracehub.review import talk
from tracehub.web import permissions
from tracehub.web.queues import person

SHOWN = 50
WEEK = timedelta(days=7)


@require_GET
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """The person's reviews, newest first; `before` is the id where the page begins."""
    project = permissions.project_for(request, slug, Role.REVIEWER)
    before = request.GET.get("before", "")
    given = reviews.given_by(person(request), project)
    lately = given.filter(created_at__gte=timezone.now() - WEEK)
    week = list(lately.values("took_ms", "withdrawn_at"))
    times = [one["took_ms"] for one in week if one["took_ms"] is not None]
    if before.isdecimal() and len(before) < 16:
        given = given.filter(pk__lt=int(before))
    rows: list[Any] = list(given.prefetch_related("modes")[: SHOWN + 1])
    titles = reviews.titles(project, [review.trace_id for review in rows])
    for review in rows:
        review.title = titles.get(review.trace_id, "")
    context: dict[str, Any] = {
        "given_to_me": talk.given_to(person(request), project),
        "rows": rows[:SHOWN],
        "older": rows[SHOWN - 1].pk if len(rows) > SHOWN else None,
        "given": len(week),
        "taken_back": sum(one["withdrawn_at"] is not None for one in week),
        "median_ms": median(times) if times else None,
    }
    return render(request, "review/own.html", context)
