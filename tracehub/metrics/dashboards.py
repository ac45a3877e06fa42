"""Dashboards: who sees them, and keeping, changing and deleting them."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from tracehub.metrics.models import Dashboard
from tracehub.projects.actions import ActionError, Conflict
from tracehub.projects.models import Project, User

MOST = 100  # of one person in a project
FORGOTTEN_AFTER = timedelta(days=7)


def visible(project: Project, person: User) -> QuerySet[Dashboard]:
    """Return the dashboards that a person sees: the own ones, and those shared with the project."""
    rows = Dashboard.objects.filter(project=project, deleted_at=None)
    return rows.filter(Q(owner=person) | Q(shared=True))


def save(
    project: Project, owner: User, name: str, params: dict[str, str], *, shared: bool
) -> Dashboard:
    """Keep charts under a name. Raises ActionError."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= 60:
        raise ActionError(f"name must have 1 to 60 characters. Got {len(name)}.", "name")
    if Dashboard.objects.filter(project=project, owner=owner, deleted_at=None).count() >= MOST:
        raise ActionError(f"You have {MOST} dashboards here. Delete one first.")
    board = Dashboard(project=project, owner=owner, name=name, shared=shared)
    _fill(board, params)
    return _stored(board)


def change(
    board: Dashboard, *, params: dict[str, str] | None = None, shared: bool | None = None
) -> Dashboard:
    """Give a dashboard other charts, or share it or not."""
    if params is not None:
        _fill(board, params)
    if shared is not None:
        board.shared = shared
    return _stored(board)


def delete(board: Dashboard, *, now: datetime) -> None:
    """Take a dashboard away; `restore` brings it back for a week."""
    board.deleted_at = now
    board.save(update_fields=["deleted_at"])


def restore(board: Dashboard) -> Dashboard:
    """Bring a deleted dashboard back. Raises Conflict when its name is taken by now."""
    board.deleted_at = None
    return _stored(board)


def forget(*, now: datetime) -> None:
    """Forget dashboards that were deleted a week ago."""
    Dashboard.objects.filter(deleted_at__lt=now - FORGOTTEN_AFTER).delete()


def _fill(board: Dashboard, params: dict[str, str]) -> None:
    board.q, board.since, board.until, board.group = (
        params.get(name, "") for name in ("q", "from", "to", "group")
    )
    board.compare = bool(params.get("compare"))
    board.charts = [key for key in params.get("charts", "").split(",") if key]


def _stored(board: Dashboard) -> Dashboard:
    try:
        with transaction.atomic():
            board.save()
    except IntegrityError:
        raise Conflict(f"You have a dashboard called {board.name!r} already.", "name") from None
    return board
