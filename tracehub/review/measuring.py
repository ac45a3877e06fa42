"""How quick reviewing is, measured by the page itself, in projects that want it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from statistics import median

from tracehub.projects.actions import audit
from tracehub.projects.models import Project, User
from tracehub.review.models import Measuring, Queue, Review, Timing

_TIMING = re.compile(r"[0-9]{0,8},[0-9]{0,8},[0-9]{0,8}")
NEWEST = 500  # reviews of a queue


@dataclass(frozen=True, slots=True)
class Medians:
    """In ms: from the key before to the trace, to the first key, a save. `undone` is a share."""

    open_ms: float | None
    first_key_ms: float | None
    save_ms: float | None
    undone: float
    number: int


def measures(project: Project) -> bool:
    return Measuring.objects.filter(project=project).exists()


def turn(project: Project, *, on: bool, by: User) -> None:
    """Begin or end measuring in a project. What was measured stays."""
    if on:
        Measuring.objects.get_or_create(project=project)
    else:
        Measuring.objects.filter(project=project).delete()
    audit(f"review.measuring_{'on' if on else 'off'}", by=by, project=project, object=project.slug)


def note(review: Review, queue_slug: str, timing: str) -> None:
    """Keep what the page measured: `open,first key,save` in ms, each may be empty.

    What is no measurement is left out: it must not cost a verdict.
    """
    if not _TIMING.fullmatch(timing) or not measures(review.project):
        return
    queue = Queue.objects.filter(project_id=review.project_id, slug=queue_slug).first()
    if queue is not None:
        parts = [int(part) if part else None for part in timing.split(",")]
        Timing.objects.get_or_create(
            review=review,
            defaults={
                "queue": queue, "open_ms": parts[0], "first_key_ms": parts[1], "save_ms": parts[2],
            },
        )  # fmt: skip


def medians(queue: Queue) -> Medians | None:
    """Return the medians over the newest reviews; None before the first."""
    rows = list(
        Timing.objects.filter(queue=queue)
        .order_by("-pk")
        .values_list("open_ms", "first_key_ms", "save_ms", "review__withdrawn_at")[:NEWEST]
    )
    if not rows:
        return None
    columns = [
        [value for value in column if value is not None] for column in zip(*rows, strict=True)
    ]
    opened, first, saved = (median(column) if column else None for column in columns[:3])
    return Medians(opened, first, saved, len(columns[3]) / len(rows), len(rows))
