"""Contracts, and the groups that signals and failing reviews fall into.

A group is one fingerprint for good. Merging is a rule on top (`merged_into`), so it holds for what
comes later and is undone at once. Counts are kept by the worker, by difference to the trace row.
"""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from tracehub.projects.models import Project, User


class Contract(models.Model):
    """One version of a contract; it never changes. The newest version of a name is in force.

    `prompt` is the name of a prompt, `span` that of a span; with both, both must fit.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="contracts")
    name = models.CharField(max_length=120)
    version = models.PositiveIntegerField()
    prompt = models.CharField(max_length=200, blank=True)
    span = models.CharField(max_length=200, blank=True)
    schema = models.JSONField()
    labels = models.JSONField(default=dict, blank=True)
    note = models.CharField(max_length=300, blank=True)
    created_by = models.CharField(max_length=254, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["project", "name", "version"], name="contract_version_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.name}/{self.version}"


class Status(models.TextChoices):
    """As stored. A new group counts as ongoing after a week; see `querysets`."""

    NEW = "new", "New"
    ONGOING = "ongoing", "Ongoing"
    RESOLVED = "resolved", "Resolved"
    REGRESSED = "regressed", "Regressed"
    IGNORED = "ignored", "Ignored"


class Failure(models.Model):
    """A group: all traces with one fingerprint. Times are those of the traces.

    `resolved_in` says from which version on it must not come back: "" is from `resolved_at` on,
    `>refund@v12` a later version of the prompt, `refund@v13` that version, `release 2.1` that
    release. `reason` is a list of [name, value] that the fingerprint was made from.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="failures")
    number = models.PositiveIntegerField()
    fingerprint = models.CharField(max_length=32)
    kind = models.CharField(max_length=80)
    title = models.CharField(max_length=300)
    span = models.CharField(max_length=300, blank=True)
    severity = models.CharField(max_length=8)
    reason = models.JSONField(default=list)
    since = models.CharField(max_length=320, blank=True)  # prompt version of the first trace
    status = models.CharField(max_length=9, choices=Status, default=Status.NEW)
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()
    events = models.PositiveIntegerField(default=0)
    users = models.PositiveIntegerField(default=0)
    resolved_in = models.CharField(max_length=340, blank=True)
    resolved_at = models.DateTimeField(null=True)
    regressed_at = models.DateTimeField(null=True)
    ignored_until = models.DateTimeField(null=True)
    ignored_events = models.PositiveIntegerField(null=True)  # of `events`, when it shows again
    assignee = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    merged_into = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="merged"
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["project", "number"], name="failure_number_once"),
            models.UniqueConstraint(
                fields=["project", "fingerprint"], name="failure_fingerprint_once"
            ),
        )
        indexes = (models.Index(fields=["project", "status"], name="failure_by_status"),)

    def __str__(self) -> str:
        return self.key

    @property
    def key(self) -> str:
        return f"TH-{self.number}"


class FailureCount(models.Model):
    """The last number given in a project."""

    project = models.OneToOneField(
        Project, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    last = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"TH-{self.last}"


class FailureDay(models.Model):
    """Traces of a group that started on one UTC day."""

    pk = models.CompositePrimaryKey("failure_id", "day")
    failure = models.ForeignKey(Failure, on_delete=models.CASCADE, related_name="days")
    day = models.DateField()
    events = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.events} on {self.day}"


class FailureUser(models.Model):
    """Traces of a group by one user, who is kept as a hash."""

    pk = models.CompositePrimaryKey("failure_id", "user")
    failure = models.ForeignKey(Failure, on_delete=models.CASCADE, related_name="seen_by")
    user = models.BigIntegerField()
    events = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.events} of {self.user}"


class Activity(models.Model):
    """One line of a group's history. `before` holds the changed fields, for undo."""

    failure = models.ForeignKey(Failure, on_delete=models.CASCADE, related_name="activities")
    at = models.DateTimeField(default=timezone.now)
    actor = models.CharField(max_length=254)  # address, name of a key, or "TraceHub"
    verb = models.CharField(max_length=20)
    detail = models.CharField(max_length=400, blank=True)
    before = models.JSONField(default=dict)
    undone_at = models.DateTimeField(null=True)

    class Meta:
        indexes = (models.Index(fields=["failure", "-id"], name="activity_by_failure"),)

    def __str__(self) -> str:
        return f"{self.actor} {self.verb}"
