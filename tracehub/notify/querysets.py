"""Reads of destinations and deliveries."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Count, Q, QuerySet

from tracehub.notify.models import Delivery, DeliveryStatus, Destination
from tracehub.projects.models import Project

SHOWN = 50  # newest deliveries of a log


def destinations(project: Project) -> QuerySet[Destination]:
    """The destinations of a project by name, with how many deliveries wait and failed."""
    waiting = Q(deliveries__status=DeliveryStatus.WAITING)
    failed = Q(deliveries__status=DeliveryStatus.FAILED)
    rows = Destination.objects.filter(project=project)
    return rows.annotate(
        waiting=Count("deliveries", filter=waiting), failed=Count("deliveries", filter=failed)
    ).order_by("name")


def log(destination: Destination) -> list[Delivery]:
    """Return the newest deliveries of a destination, the newest first."""
    rows = Delivery.objects.filter(project=destination.project_id, destination=destination)
    return list(rows.select_related("event").order_by("-id")[:SHOWN])


def wanting(kind: str, projects: Iterable[int]) -> set[int]:
    """Return which of these projects have a destination that wants events of a kind."""
    rows = Destination.objects.filter(project__in=list(projects), on=True, events__contains=[kind])
    return set(rows.values_list("project_id", flat=True))
