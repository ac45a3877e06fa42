"""Signs of life of the worker, and its long jobs."""

from __future__ import annotations

from uuid import UUID

from django.db import models
from django.utils import timezone

from tracehub.projects.models import Project


class Heartbeat(models.Model):
    """When a part of the worker last finished a run; `/readyz` and `doctor` read it."""

    name = models.CharField(max_length=40, primary_key=True)
    at = models.DateTimeField()

    class Meta:
        db_table = "heartbeats"

    def __str__(self) -> str:
        return self.name


class Repricing(models.Model):
    """A job that prices stored calls anew, from a day on; it goes on where it stopped.

    `day` and `after` are where it stands: the traces of `day` up to `after` are done.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="repricings")
    since = models.DateField()
    until = models.DateField()
    day = models.DateField()
    after = models.UUIDField(default=UUID(int=0))
    traces = models.BigIntegerField(default=0)  # looked at
    changed = models.BigIntegerField(default=0)  # spans with another cost than before
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "repricings"

    def __str__(self) -> str:
        return f"prices from {self.since}"

    @property
    def done(self) -> float:
        """Return how far it is, by days, from 0 to 1."""
        days = (self.until - self.since).days + 1
        return 1.0 if self.finished_at else min(1.0, (self.day - self.since).days / days)
