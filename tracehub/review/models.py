"""People's verdicts on traces, and the project's own taxonomy of failures."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from tracehub.projects.models import Project, User


class Verdict(models.TextChoices):
    FAIL = "fail", "Fail"
    PASS = "pass", "Pass"
    UNSURE = "unsure", "Unsure"


class Severity(models.TextChoices):
    LOW = "low", "Low"
    MEDIUM = "medium", "Medium"
    HIGH = "high", "High"
    CRITICAL = "critical", "Critical"


class FailureMode(models.Model):
    """A label of the taxonomy. `position` gives the order and so the keys 1 to 9."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="failure_modes")
    slug = models.SlugField(max_length=60)
    name = models.CharField(max_length=80)
    definition = models.TextField(blank=True, max_length=2000)
    examples = models.JSONField(default=list, blank=True)  # trace ids
    position = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("position", "id")
        constraints = (
            models.UniqueConstraint(fields=["project", "slug"], name="failure_mode_slug_once"),
        )

    def __str__(self) -> str:
        return self.name


class Review(models.Model):
    """One verdict by one person. Kept for good: a new verdict or an undo never edits an old row.

    The verdict of a trace is that of its newest review with `withdrawn_at` empty. `author` is empty
    for reviews sent with an API key, which `author_key` then names. `submission` is unique per
    project when given, so that a double click or a retry is one review.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="reviews")
    trace_id = models.UUIDField()
    author = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="reviews")
    author_key = models.CharField(max_length=120, blank=True)
    verdict = models.CharField(max_length=6, choices=Verdict)
    modes = models.ManyToManyField(FailureMode, related_name="reviews", blank=True)
    severity = models.CharField(max_length=8, choices=Severity, blank=True)
    note = models.TextField(blank=True, max_length=10_000)
    corrected_output = models.JSONField(null=True, blank=True)
    has_correction = models.BooleanField(default=False)  # tells a corrected `null` from none
    submission = models.UUIDField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = (models.Index(fields=["project", "trace_id", "-id"], name="review_by_trace"),)
        constraints = (
            models.UniqueConstraint(
                fields=["project", "submission"],
                condition=models.Q(submission__isnull=False),
                name="review_submitted_once",
            ),
        )

    def __str__(self) -> str:
        return f"{self.verdict} on {self.trace_id.hex}"
