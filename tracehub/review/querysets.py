"""Reads of reviews."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from tracehub.projects.models import Project
from tracehub.review.models import FailureMode, Review


@dataclass(frozen=True, slots=True)
class Standing:
    """What reviewers hold of one trace: the newest verdict, its modes, and who reviewed."""

    verdict: str
    modes: list[str] = field(default_factory=list)
    reviewers: list[str] = field(default_factory=list)


def standing(project_id: int, traces: Iterable[UUID]) -> dict[UUID, Standing]:
    """Return the standing of every reviewed trace among these, in two queries."""
    reviews = (
        Review.objects.filter(project_id=project_id, trace_id__in=list(traces), withdrawn_at=None)
        .order_by("id")
        .select_related("author")
        .prefetch_related("modes")
    )
    newest: dict[UUID, Review] = {}
    people: dict[UUID, dict[str, None]] = {}
    for review in reviews:
        newest[review.trace_id] = review
        who = review.author.email if review.author else review.author_key
        people.setdefault(review.trace_id, {})[who] = None
    return {
        trace: Standing(
            review.verdict, [mode.slug for mode in review.modes.all()], list(people[trace])
        )
        for trace, review in newest.items()
    }


def of_trace(project: Project, trace_id: UUID) -> list[Review]:
    """Return the reviews of a trace that were not withdrawn, newest first."""
    return list(
        Review.objects.filter(project=project, trace_id=trace_id, withdrawn_at=None)
        .order_by("-id")
        .select_related("author")
        .prefetch_related("modes")[:100]
    )


def of_traces(project: Project, traces: Iterable[UUID]) -> dict[UUID, list[Review]]:
    """Return the reviews that were not withdrawn by trace, newest first. Three queries."""
    found: dict[UUID, list[Review]] = {}
    rows = (
        Review.objects.filter(project=project, trace_id__in=list(traces), withdrawn_at=None)
        .order_by("-id")
        .select_related("author")
        .prefetch_related("modes")
    )
    for review in rows:
        found.setdefault(review.trace_id, []).append(review)
    return found


def modes(project: Project) -> list[FailureMode]:
    """Return the project's failure modes in the order of their keys."""
    return list(FailureMode.objects.filter(project=project, archived_at=None))
