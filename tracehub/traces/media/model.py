"""Tables of media: the bytes once a project, and which traces speak of them."""

from __future__ import annotations

from django.db import models


class Medium(models.Model):
    """The bytes of one thing; in object storage under `key` when that is not empty.

    `due_at` is when the worker looks whether it must go or move.
    """

    pk = models.CompositePrimaryKey("project_id", "hash")
    project_id = models.BigIntegerField()
    hash = models.BinaryField()
    type = models.TextField()
    size = models.BigIntegerField()
    body = models.BinaryField()
    key = models.TextField(db_default="")
    due_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "media"

    def __str__(self) -> str:
        return bytes(self.hash).hex()


class MediumUse(models.Model):
    """A trace speaks of a medium; `day` is when that came, so that retention finds it."""

    pk = models.CompositePrimaryKey("project_id", "trace_id", "hash")
    project_id = models.BigIntegerField()
    trace_id = models.UUIDField()
    hash = models.BinaryField()
    day = models.DateField(db_index=True)

    class Meta:
        db_table = "media_uses"
        indexes = (models.Index(fields=["project_id", "hash"], name="media_uses_by_hash"),)

    def __str__(self) -> str:
        return bytes(self.hash).hex()
