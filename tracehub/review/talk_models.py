"""What people say about a trace beside their verdicts, and who is to look at it."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from tracehub.projects.models import Project, User


class TraceComment(models.Model):
    """A comment on a trace, or on the passage `quote` of a step's texts.

    A passage is found again by its words and the words before it (`prefix`), as the
    TextQuoteSelector of the W3C's Web Annotation model does.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    trace_id = models.UUIDField()
    span_id = models.CharField(max_length=16, blank=True)
    quote = models.CharField(max_length=1000, blank=True)
    prefix = models.CharField(max_length=64, blank=True)
    text = models.TextField(max_length=4000)
    author = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("id",)
        indexes = (models.Index(fields=["project", "trace_id"], name="comment_by_trace"),)

    def __str__(self) -> str:
        return f"comment {self.pk} on {self.trace_id.hex}"


class TraceAssignment(models.Model):
    """The person who is to look at a trace."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    trace_id = models.UUIDField()
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["project", "trace_id"], name="trace_assigned_once"),
        )
        indexes = (models.Index(fields=["project", "person", "-id"], name="assigned_by_person"),)

    def __str__(self) -> str:
        return f"{self.trace_id.hex} for {self.person_id}"
