"""What search looks through: a row a trace of its texts, and one of its attributes."""

from __future__ import annotations

from django.contrib.postgres.search import SearchVectorField
from django.db import models


class TraceText(models.Model):
    """What a trace says, and its words, which search finds; `texts.store` writes and reads it."""

    pk = models.CompositePrimaryKey("project_id", "day", "trace_id")
    project_id = models.BigIntegerField()
    day = models.DateField()
    trace_id = models.UUIDField()
    started_at = models.DateTimeField()
    name = models.TextField()
    input = models.TextField()
    output = models.TextField()
    error = models.TextField()
    words = SearchVectorField(null=True)  # none where the index works them out of the texts

    class Meta:
        db_table = "trace_texts"

    def __str__(self) -> str:
        return self.trace_id.hex


class TraceAttributes(models.Model):
    """The attributes of its spans, as filters find a trace by them: `attributes.store`."""

    pk = models.CompositePrimaryKey("project_id", "day", "trace_id")
    project_id = models.BigIntegerField()
    day = models.DateField()
    trace_id = models.UUIDField()
    started_at = models.DateTimeField()
    words = SearchVectorField(null=True)  # as they were stored before `pairs`
    pairs = models.TextField(db_default="")

    class Meta:
        db_table = "trace_attributes"

    def __str__(self) -> str:
        return self.trace_id.hex
