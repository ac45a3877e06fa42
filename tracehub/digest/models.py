"""Signs of life of the worker."""

from __future__ import annotations

from django.db import models


class Heartbeat(models.Model):
    """When a part of the worker last finished a run; `/readyz` and `doctor` read it."""

    name = models.CharField(max_length=40, primary_key=True)
    at = models.DateTimeField()

    class Meta:
        db_table = "heartbeats"

    def __str__(self) -> str:
        return self.name
