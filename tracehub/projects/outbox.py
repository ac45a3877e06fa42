"""What happened, written in the transaction in which it happened; `notify` carries it out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tracehub.core.trace import Json
from tracehub.projects.models import Event

KINDS = {
    "trace.failed": "A trace fails",
    "failure.new": "A failure is new",
    "failure.regressed": "A failure is back",
    "review.done": "A review is done",
    "case.promoted": "A case is promoted",
    "gate.decided": "A gate is decided",
    "budget.passed": "A budget is passed, or will be",
    "rollout.moved": "A rollout moves to another stage",
}


def emit(project_id: int, kind: str, *bodies: Mapping[str, Json]) -> None:
    """Note events of one kind inside the caller's transaction. Bodies hold ids, titles, numbers.

    Never content of traces: a webhook leaves the installation.
    """
    emit_all((project_id, kind, body) for body in bodies)


def emit_all(events: Iterable[tuple[int, str, Mapping[str, Json]]]) -> None:
    """Note events of several projects and kinds, in one statement."""
    Event.objects.bulk_create(
        Event(project_id=project_id, kind=kind, body=dict(body))
        for project_id, kind, body in events
    )
