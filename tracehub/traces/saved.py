"""Saved views of the list of traces: who sees them, changing them, and counting what they hold."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet

from tracehub.core.query import FilterError, parse
from tracehub.core.times import TimeError, parse_page_range
from tracehub.projects.actions import ActionError, Conflict
from tracehub.projects.models import Project, User
from tracehub.traces import facets
from tracehub.traces.extent import Range
from tracehub.traces.models import SavedView
from tracehub.traces.querysets import TooSlow, bounded

MOST = 100  # of one person in a project
DEFAULT_RANGE = timedelta(hours=24)
COUNTED_EVERY = timedelta(minutes=5)
AT_ONCE = 20  # views that one run counts
SECONDS = 2.0  # for one count
FORGOTTEN_AFTER = timedelta(days=7)


def visible(project: Project, person: User) -> QuerySet[SavedView]:
    """Return the views that a person sees: the own ones, and those shared with the project."""
    rows = SavedView.objects.filter(project=project, deleted_at=None)
    return rows.filter(Q(owner=person) | Q(shared=True))


def save(
    project: Project, owner: User, name: str, params: dict[str, str], *, shared: bool
) -> SavedView:
    """Keep a list under a name. Raises ActionError."""
    name = _name(name)
    if SavedView.objects.filter(project=project, owner=owner, deleted_at=None).count() >= MOST:
        raise ActionError(f"You have {MOST} saved views here. Delete one first.")
    view = SavedView(project=project, owner=owner, name=name, shared=shared)
    _fill(view, params)
    return _stored(view)


def change(
    view: SavedView,
    *,
    name: str | None = None,
    params: dict[str, str] | None = None,
    shared: bool | None = None,
) -> SavedView:
    """Rename a view, give it another list, or share it or not. Raises ActionError."""
    if name is not None:
        view.name = _name(name)
    if params is not None:
        _fill(view, params)
    if shared is not None:
        view.shared = shared
    return _stored(view)


def delete(view: SavedView, *, now: datetime) -> None:
    """Take a view away; `restore` brings it back for a week."""
    view.deleted_at = now
    view.save(update_fields=["deleted_at"])


def restore(view: SavedView) -> SavedView:
    """Bring a deleted view back. Raises Conflict when its name is taken by now."""
    view.deleted_at = None
    return _stored(view)


def recount(*, now: datetime) -> int:
    """Count some views anew, those first that were counted longest ago; return how many."""
    SavedView.objects.filter(deleted_at__lt=now - FORGOTTEN_AFTER).delete()
    due = Q(counted_at=None) | Q(counted_at__lt=now - COUNTED_EVERY)
    rows = SavedView.objects.filter(due, deleted_at=None).select_related("project")
    some = list(rows.order_by(F("counted_at").asc(nulls_first=True))[:AT_ONCE])
    for view in some:
        count(view, now=now)
    return len(some)


def count(view: SavedView, *, now: datetime) -> None:
    """Note about how many traces a view holds now; unknown when that takes too long."""
    view.counted_at, view.traces = now, None
    try:
        start, end = parse_page_range(view.since, view.until, now=now, default=DEFAULT_RANGE)
        with bounded(SECONDS):
            found, _ = facets.matching(Range(view.project, start, end), parse(view.q))
            view.traces = found
    except (TooSlow, FilterError, TimeError):
        pass  # of a view with a bad filter the list itself tells what is wrong
    view.save(update_fields=["counted_at", "traces"])


def _fill(view: SavedView, params: dict[str, str]) -> None:
    view.q, view.since, view.until, view.sort = (
        params.get(name, "") for name in ("q", "from", "to", "sort")
    )
    view.counted_at = None


def _stored(view: SavedView) -> SavedView:
    try:
        with transaction.atomic():
            view.save()
    except IntegrityError:
        raise Conflict(f"You have a view called {view.name!r} already.", "name") from None
    return view


def _name(name: str) -> str:
    name = " ".join(name.split())
    if not 1 <= len(name) <= 60:
        raise ActionError(f"name must have 1 to 60 characters. Got {len(name)}.", "name")
    return name
