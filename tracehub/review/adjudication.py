"""Deciding where reviewers differ. The decision is a review of its own, so nothing is lost."""

from __future__ import annotations

from collections.abc import Sequence

from tracehub.projects.actions import ActionError, Conflict, audit
from tracehub.projects.models import User
from tracehub.review.actions import submit_review
from tracehub.review.models import QueueItem, Review


def decide(
    item: QueueItem,
    verdict: str,
    *,
    by: User,
    modes: Sequence[str] = (),
    severity: str = "",
    note: str = "",
) -> Review:
    """Make a verdict the label of a closed item's trace. The caller holds a lock on the item.

    Raises ActionError while reviews are missing, and Conflict when it was decided before.
    """
    if item.closed_at is None:
        raise ActionError("Reviews of this trace are still missing. Close it first.", "item")
    if item.adjudication_id is not None:
        raise Conflict("This was decided already.", "item")
    review, _ = submit_review(
        item.project,
        item.trace_id,
        verdict,
        author=by,
        modes=modes,
        severity=severity,
        note=note,
        adjudicates=True,
    )
    item.adjudication = review
    item.save(update_fields=["adjudication"])
    audit("review.adjudicated", by=by, project=item.project, object=item.trace_id.hex)
    return review
