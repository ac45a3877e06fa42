"""Contracts, and the groups that signals and failing reviews fall into.

A group is one fingerprint for good. Merging is a rule on top (`merged_into`), so it holds for what
comes later and is undone at once. Counts are kept by the worker, by difference to the trace row.
"""

from __future__ import annotations

from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from tracehub.projects.models import Project, User

RECENT_DAYS = 14  # that lists and their sparklines are about, today included


class Contract(models.Model):
    """One version of a contract; it never changes. The newest version of a name is in force.

    `prompt` is the name of a prompt, `span` that of a span; with both, both must fit. Labels, nulls
    and escalations are as in `core.contracts.values`.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="contracts")
    name = models.CharField(max_length=120)
    version = models.PositiveIntegerField()
    prompt = models.CharField(max_length=200, blank=True)
    span = models.CharField(max_length=200, blank=True)
    schema = models.JSONField()
    labels = models.JSONField(default=dict, blank=True)
    nulls = models.JSONField(default=dict, db_default={}, blank=True)
    escalations = models.JSONField(default=dict, db_default={}, blank=True)
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
    release. `reason` is a list of [name, value] that the fingerprint was made from. `recent` are
    the events of each UTC day from `recent_from` on, as of the last change: what a list sums up.
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
    recent = ArrayField(models.IntegerField(), default=list, db_default=[])
    recent_from = models.DateField(null=True)
    users = models.PositiveIntegerField(default=0)
    resolved_in = models.CharField(max_length=340, blank=True)
    resolved_at = models.DateTimeField(null=True)
    regressed_at = models.DateTimeField(null=True)
    ignored_until = models.DateTimeField(null=True)
    ignored_events = models.PositiveIntegerField(null=True)  # of `events`, when it shows again
    ignored_rate = models.FloatField(null=True)  # events a day, when it shows again
    issue = models.URLField(max_length=500, blank=True, db_default="")  # elsewhere
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

    @property
    def together(self) -> list[Failure]:
        """This group and those merged into it, which should be loaded."""
        return [self, *self.merged.all()]


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
    text = models.TextField(blank=True, max_length=4000)  # of a comment
    before = models.JSONField(default=dict)
    undone_at = models.DateTimeField(null=True)

    class Meta:
        indexes = (models.Index(fields=["failure", "-id"], name="activity_by_failure"),)

    def __str__(self) -> str:
        return f"{self.actor} {self.verb}"


class SignalSetting(models.Model):
    """What a project changed of a kind of signal: off, or another threshold than usual."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="signal_settings")
    kind = models.CharField(max_length=40)
    on = models.BooleanField(default=True)
    threshold = models.FloatField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["project", "kind"], name="signal_setting_once"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {'on' if self.on else 'off'}"


class ScoreSetting(models.Model):
    """When a score of one name is negative: from `at_most` down, or with one of `labels`."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="score_settings")
    name = models.CharField(max_length=200)
    at_most = models.FloatField(null=True)
    labels = models.JSONField(default=list)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["project", "name"], name="score_setting_once"),
        )

    def __str__(self) -> str:
        return self.name


class CustomSignal(models.Model):
    """A project's own signal, `custom:SLUG`: see `core.signals.custom`."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="custom_signals")
    slug = models.CharField(max_length=50)
    name = models.CharField(max_length=120)
    severity = models.CharField(max_length=8)
    q = models.TextField()
    field = models.CharField(max_length=6, blank=True)
    pattern = models.CharField(max_length=500, blank=True)
    on = models.BooleanField(default=True)
    created_by = models.CharField(max_length=254)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["project", "slug"], name="custom_signal_once"),
        )

    def __str__(self) -> str:
        return self.name


class CallBaseline(models.Model):
    """95th percentiles of the newest calls of a prompt or span; `key` as `core.signals.rules`."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="call_baselines")
    key = models.CharField(max_length=320)
    calls = models.PositiveIntegerField()
    duration_ns = models.FloatField(null=True)
    cost = models.FloatField(null=True)
    tokens = models.FloatField(null=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["project", "key"], name="call_baseline_once"),
        )

    def __str__(self) -> str:
        return self.key


class SecondLook(models.Model):
    """A trace that waits for the second pass. A row goes when it was looked at."""

    pk = models.CompositePrimaryKey("project_id", "trace_id")
    project_id = models.BigIntegerField()
    trace_id = models.UUIDField()
    day = models.DateField()
    asked_at = models.DateTimeField()

    class Meta:
        db_table = "second_looks"
        indexes = (models.Index(fields=["asked_at"], name="second_looks_by_age"),)

    def __str__(self) -> str:
        return self.trace_id.hex


class LateSignals(models.Model):
    """What the second pass found in a trace; no row where it found nothing."""

    pk = models.CompositePrimaryKey("project_id", "trace_id")
    project_id = models.BigIntegerField()
    trace_id = models.UUIDField()
    day = models.DateField()
    signals = models.JSONField()

    class Meta:
        db_table = "late_signals"
        indexes = (models.Index(fields=["day"], name="late_signals_by_day"),)

    def __str__(self) -> str:
        return self.trace_id.hex


class Recheck(models.Model):
    """A job that has the worker look at past traces again; it goes on where it stopped.

    `day` and `after` are where it stands: the traces of `day` up to `after` were handed over.
    `second`: their payloads are read again as well. `q` names the traces; empty means all.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="rechecks")
    reason = models.CharField(max_length=160)
    q = models.TextField(blank=True)
    second = models.BooleanField(default=False)
    since = models.DateField()
    until = models.DateField()
    day = models.DateField()
    after = models.UUIDField(default=UUID(int=0))
    traces = models.BigIntegerField(default=0)  # handed over
    total = models.BigIntegerField(null=True)  # None: too many to count at the start
    created_at = models.DateTimeField(default=timezone.now)
    handed_at = models.DateTimeField(null=True)  # the last traces
    finished_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.reason

    @property
    def share(self) -> float:
        """Return how far it is, from 0 to 1: by traces, else by days."""
        if self.finished_at:
            return 1.0
        if self.total is not None:
            return min(1.0, self.traces / max(1, self.total))
        return (self.day - self.since).days / ((self.until - self.since).days + 1)

    @property
    def ms_left(self) -> float | None:
        """Return about how long it goes on, in ms; None before anything can be said."""
        took = (timezone.now() - self.created_at).total_seconds() * 1000
        done = self.share
        return took * (1 - done) / done if 0 < done < 1 else None


class OwnerRule(models.Model):
    """Who gets new failures of a prompt or a span. `*` in the pattern stands for anything."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="owner_rules")
    key = models.CharField(max_length=6, choices=[("prompt", "Prompt"), ("span", "Span")])
    pattern = models.CharField(max_length=200)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["project", "key", "pattern"], name="owner_rule_once"),
        )

    def __str__(self) -> str:
        return f"{self.key}:{self.pattern}"


class Tracker(models.Model):
    """Where a project's issues are opened: an address, and no token."""

    project = models.OneToOneField(
        Project, on_delete=models.CASCADE, primary_key=True, related_name="tracker"
    )
    kind = models.CharField(max_length=6)
    base = models.URLField(max_length=300)

    def __str__(self) -> str:
        return self.base


class Fix(models.Model):
    """What was done against failures, from `at` on; `fixes` says later what it brought.

    `failures` are ids of groups; `version` is where it is in, such as `refund@v13` or a release.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="fixes")
    kind = models.CharField(max_length=10)
    title = models.CharField(max_length=200)
    version = models.CharField(max_length=340, blank=True)
    failures = ArrayField(models.BigIntegerField())
    at = models.DateTimeField(default=timezone.now)
    by = models.CharField(max_length=254)

    class Meta:
        indexes = (models.Index(fields=["project", "-at"], name="fix_by_project"),)

    def __str__(self) -> str:
        return self.title
