"""Comments on traces, notes on passages of them, and giving a trace to a person.

While a trace is in a blind queue a comment would tell what its author found: until the item
closes, each person reads only their own, and nobody is told that they were named.
"""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from tracehub.failures.talk import MOST, mentioned
from tracehub.projects import outbox
from tracehub.projects.actions import ActionError
from tracehub.projects.masking import masked
from tracehub.projects.models import Project, User
from tracehub.review.models import TraceAssignment, TraceComment
from tracehub.review.querysets import is_sealing

QUOTE, PREFIX = 1000, 64  # characters that are kept


@transaction.atomic
def comment(
    project: Project,
    trace_id: UUID,
    text: str,
    *,
    by: User,
    span_id: str = "",
    quote: str = "",
    prefix: str = "",
) -> TraceComment:
    """Add a comment, masked; members named by `@name` or `@address` get a mail.

    Raises ActionError.
    """
    text = text.replace("\x00", "").strip()
    quote, prefix = _as_shown(quote), _as_shown(prefix)
    if not 1 <= len(text) <= MOST:
        raise ActionError(f"comment must have 1 to {MOST:,} characters. Got {len(text)}.", "text")
    if len(quote) > QUOTE:
        raise ActionError(f"A passage may have {QUOTE:,} characters. Got {len(quote):,}.", "quote")
    named = [user.email for user in mentioned(project, text) if user != by]
    text, quote, prefix = masked(project.pk, [text, quote, prefix])
    made = TraceComment.objects.create(
        project=project, trace_id=trace_id, author=by, text=text[:MOST], span_id=span_id[:16],
        quote=quote[:QUOTE], prefix=prefix[-PREFIX:],
    )  # fmt: skip
    if named and not is_sealing(project, trace_id):
        told = {"trace_id": trace_id.hex, "by": by.email, "emails": named}
        outbox.emit(project.pk, "trace.mentioned", told)
    return made


def _as_shown(text: str) -> str:
    """Undo what a form does to the ends of lines."""
    return text.replace("\x00", "").replace("\r\n", "\n")


def remove(comment: TraceComment) -> None:
    """Take a comment away; `restore` brings it back."""
    comment.removed_at = timezone.now()
    comment.save(update_fields=["removed_at"])


def restore(comment: TraceComment) -> None:
    """Bring a comment back."""
    comment.removed_at = None
    comment.save(update_fields=["removed_at"])


@transaction.atomic
def assign(project: Project, trace_id: UUID, person: User | None, *, by: User) -> User | None:
    """Give a trace to a member, who gets a mail, or to nobody. Return who had it till now."""
    held = TraceAssignment.objects.filter(project=project, trace_id=trace_id)
    before = held.select_related("person").first()
    if person is None:
        held.delete()
        return before.person if before else None
    if not person.memberships.filter(project=project).exists():
        raise ActionError("person must be a member of the project.", "person")
    TraceAssignment.objects.update_or_create(
        project=project, trace_id=trace_id, defaults={"person": person, "by": by}
    )
    if person != by and (before is None or before.person != person):
        told = {"trace_id": trace_id.hex, "by": by.email, "emails": [person.email]}
        outbox.emit(project.pk, "trace.assigned", told)
    return before.person if before else None


def comments(
    project: Project, trace_id: UUID, person: User, *, sealing: bool
) -> list[TraceComment]:
    """Return what a person may read of the comments on a trace, the oldest first.

    `sealing` says that the trace is in a blind queue (`querysets.is_sealing`).
    """
    rows = TraceComment.objects.filter(project=project, trace_id=trace_id, removed_at=None)
    if sealing:
        rows = rows.filter(author=person)
    return list(rows.select_related("author")[:200])


def assigned(project: Project, trace_id: UUID) -> TraceAssignment | None:
    """Return who is to look at a trace, None when it is nobody."""
    rows = TraceAssignment.objects.filter(project=project, trace_id=trace_id)
    return rows.select_related("person").first()


def given_to(person: User, project: Project) -> list[TraceAssignment]:
    """Return the traces that a person is to look at, the newest first."""
    rows = TraceAssignment.objects.filter(project=project, person=person)
    return list(rows.select_related("by").order_by("-id")[:50])


def forget(project_id: int, traces: list[UUID]) -> int:
    """Delete for good what was said about these traces. Return how many comments went."""
    TraceAssignment.objects.filter(project_id=project_id, trace_id__in=traces).delete()
    rows = TraceComment.objects.filter(project_id=project_id, trace_id__in=traces)
    return rows.delete()[0]
