"""Versioned eval sets and their cases.

A case row holds one revision of a case and the range of versions it belongs to: version n of a set
is every row with `added_in <= n` and (`removed_in` empty or `removed_in > n`). The draft is the
version after the newest fixed one. A fixed version never changes, since rows it can see are only
ever closed, not edited; nothing is copied when a version is fixed, and a diff is a query.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from tracehub.projects.models import Project, User


class CaseKind(models.TextChoices):
    KNOWN_FAILURE = "known_failure", "Known failure"
    SUCCESS = "success", "Success"
    RISKY_EDGE = "risky_edge", "Risky edge"
    FORMAT = "format", "Format"


class EvalSet(models.Model):
    """A named set of cases. `next_case` numbers cases for good: c_0001, c_0002, …"""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="eval_sets")
    slug = models.SlugField(max_length=60)
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True, max_length=2000)
    next_case = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("name", "id")
        constraints = (
            models.UniqueConstraint(fields=["project", "slug"], name="eval_set_slug_once"),
        )

    def __str__(self) -> str:
        return self.name


class EvalSetVersion(models.Model):
    """A fixed version: its number, when and by whom, and a hash over its cases."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    eval_set = models.ForeignKey(EvalSet, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    note = models.TextField(blank=True, max_length=2000)
    case_count = models.PositiveIntegerField()
    content_hash = models.CharField(max_length=64)  # SHA-256 of the native export
    fixed_at = models.DateTimeField(default=timezone.now)
    fixed_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ("-number",)
        constraints = (
            models.UniqueConstraint(
                fields=["project", "eval_set", "number"], name="eval_set_version_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.eval_set} v{self.number}"


class Case(models.Model):
    """One revision of a case, in the fields of the native case form (docs/reference/exports.md)."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    eval_set = models.ForeignKey(EvalSet, on_delete=models.CASCADE, related_name="cases")
    number = models.PositiveIntegerField()
    added_in = models.PositiveIntegerField()
    removed_in = models.PositiveIntegerField(null=True, blank=True)
    kind = models.CharField(max_length=14, choices=CaseKind)
    title = models.CharField(max_length=300, blank=True)
    input = models.JSONField(default=dict)  # {"messages": [...], "variables": {...}}
    context = models.JSONField(default=list)
    tool_calls = models.JSONField(default=dict)  # {"expected": [...], "recorded": [...]}
    prompt = models.JSONField(null=True, blank=True)  # {"name", "version"}
    model = models.CharField(max_length=200, blank=True)
    parameters = models.JSONField(default=dict)
    expected_output = models.JSONField(null=True, blank=True)
    recorded_output = models.JSONField(null=True, blank=True)
    assertions = models.JSONField(default=list)
    failure_modes = ArrayField(models.CharField(max_length=60), default=list, blank=True)  # slugs
    severity = models.CharField(max_length=8, blank=True)
    tags = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    source_trace_id = models.UUIDField(null=True, blank=True)
    source_span_id = models.CharField(max_length=16, blank=True)
    source_failure = models.CharField(max_length=20, blank=True)
    reviewer = models.CharField(max_length=254, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("number",)
        constraints = (
            models.UniqueConstraint(
                fields=["project", "eval_set", "number", "added_in"],
                name="case_revision_once",
            ),
        )
        indexes = (models.Index(fields=["project", "source_trace_id"], name="case_by_source"),)

    def __str__(self) -> str:
        return f"{self.case_id} of {self.eval_set}"

    @property
    def case_id(self) -> str:
        return f"c_{self.number:04d}"
