"""The model of an erasure; `actions` and `work` have what is done with it."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from tracehub.projects.models import Project


class Erasure(models.Model):
    """A job that deletes what is kept of one person, and afterwards the receipt of that.

    `wanted` holds the ids while it runs and is emptied at its end; `marks` are keyed hashes of
    them. `cursor` is where the pass over the traces stands, `again` says that another pass must
    follow, `groups` are failures whose traces went. `counts` says by kind how much was deleted.
    """

    class Kind(models.TextChoices):
        USER = "user", "User id"
        SESSION = "session", "Session id"
        TRACES = "traces", "Trace ids"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="erasures")
    kind = models.CharField(max_length=7, choices=Kind)
    wanted = ArrayField(models.TextField(), default=list)
    marks = ArrayField(models.CharField(max_length=64))
    by = models.CharField(max_length=254)  # e-mail or "system"
    expected = models.BigIntegerField(default=0)  # traces, as counted at the start
    counts = models.JSONField(default=dict)
    cursor = models.CharField(max_length=200, blank=True)
    again = models.BooleanField(default=False)
    groups = ArrayField(models.BigIntegerField(), default=list)
    error = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "erasures"
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"erasure {self.pk}"

    @property
    def traces(self) -> int:
        return int(self.counts.get("traces", 0))

    @property
    def done(self) -> float:
        """Return how far it is, by traces, from 0 to 1."""
        return 1.0 if self.finished_at else min(0.99, self.traces / max(1, self.expected))
