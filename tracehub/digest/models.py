"""Signs of life of the worker, and its long jobs."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db import models
from django.utils import timezone

from tracehub.digest.erasure.model import Erasure as Erasure
from tracehub.projects.models import Project, User


class Heartbeat(models.Model):
    """When a part of the worker last showed life; `/readyz` and `doctor` read it."""

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


class Remasking(models.Model):
    """A job that masks stored traces by the rules of its project; it goes on where it stopped.

    Traces are taken in the order of their ids, those up to `after` are done. `total` is None where
    counting them would take too long.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="remaskings")
    by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    total = models.BigIntegerField(null=True)
    after = models.UUIDField(default=UUID(int=0))
    traces = models.BigIntegerField(default=0)  # looked at
    changed = models.BigIntegerField(default=0)  # traces with something masked
    values = models.BigIntegerField(default=0)  # how often a rule struck
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "remaskings"

    def __str__(self) -> str:
        return f"masking of {self.project_id}"

    @property
    def share(self) -> float:
        """Return how far it is, from 0 to 1."""
        if self.finished_at or not self.total:
            return 1.0 if self.finished_at else 0.0
        return min(1.0, self.traces / self.total)

    @property
    def ms_left(self) -> float | None:
        """Return about how long it goes on, in ms; None at the start, and without a total."""
        took = (timezone.now() - self.created_at).total_seconds()
        if self.finished_at or not self.total or not self.traces:
            return None
        return 1000 * max(0, self.total - self.traces) * took / self.traces


class BulkJob(models.Model):
    """One action on all traces that a filter finds; it goes on where it stopped.

    `choice` says how: {"verdict", "mode"?}, {"queue"}, {"set", "near"?}, {"format"}; of a deletion
    {"traces"?}, those alone; of a search {"found"}, the newest that match; "undoing" says that
    taking it back has stopped, "notify" that who started it gets a mail when it is over. Unless
    they are named, the traces are those of [since, until) that
    match `q`, newest first; those up to `cursor` are done. `size` is how much of an export's file
    counts, in bytes. Jobs take turns: the one whose turn is longest ago is next; a deletion waits
    for its first.
    """

    class Kind(models.TextChoices):
        REVIEW = "review", "Mark"
        QUEUE = "queue", "Add to queue"
        PROMOTE = "promote", "Promote"
        EXPORT = "export", "Export"
        DELETE = "delete", "Delete"
        SEARCH = "search", "Search"

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        CANCELLED = "cancelled", "Cancelled"
        STOPPED = "stopped", "Stopped"
        UNDOING = "undoing", "Being undone"
        UNDONE = "undone", "Undone"

    OPEN = (State.RUNNING, State.UNDOING)
    KEPT = timedelta(days=7)  # the file of an export
    UNDO = timedelta(days=1)  # how long what was done can be taken back
    DELAY = timedelta(minutes=10)  # before the first trace of a deletion goes
    NOTED = 200  # traces that a search keeps: as many as a filter can name
    FINAL = (Kind.EXPORT, Kind.DELETE, Kind.SEARCH)  # nothing to take back

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="bulk_jobs")
    by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    kind = models.CharField(max_length=7, choices=Kind)
    choice = models.JSONField(default=dict)
    q = models.TextField(blank=True)
    since = models.DateTimeField()
    until = models.DateTimeField()
    expected = models.BigIntegerField()  # traces, as counted at the start
    estimated = models.BooleanField(default=False)
    state = models.CharField(max_length=9, choices=State, default=State.RUNNING)
    cursor = models.CharField(max_length=200, blank=True)
    traces = models.BigIntegerField(default=0)  # looked at
    changed = models.BigIntegerField(default=0)  # reviews, items or cases made, or taken back
    size = models.BigIntegerField(default=0)
    error = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    turn_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "bulk_jobs"
        indexes = (
            models.Index(fields=["project", "-id"], name="bulk_job_by_project"),
            models.Index(
                fields=["turn_at"], name="bulk_job_open", condition=models.Q(finished_at=None)
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @property
    def open(self) -> bool:
        return self.state in self.OPEN

    @classmethod
    def any_due(cls) -> bool:
        """Tell whether a job of any project can go on. One probe of a partial index."""
        return cls.objects.filter(finished_at=None, turn_at__lte=timezone.now()).exists()

    @property
    def percent(self) -> int:
        """Return how far it is, from 0 to 100; an estimate may have been too low."""
        if self.state == self.State.DONE:
            return 100
        return min(99, 100 * self.traces // max(1, self.expected))

    @property
    def ms_left(self) -> float | None:
        """Return about how long it goes on, in ms; None in the first 2 s and at the end."""
        took = (timezone.now() - self.created_at).total_seconds()
        if self.state != self.State.RUNNING or not self.traces or took < 2:
            return None
        return 1000 * max(0, self.expected - self.traces) * took / self.traces

    @property
    def notifies(self) -> bool:
        """Tell whether who started it gets a mail when it is over."""
        return bool(self.choice.get("notify"))

    @property
    def has_file(self) -> bool:
        """Tell whether an export can be fetched; its file is deleted after KEPT."""
        done = self.kind == self.Kind.EXPORT and self.state == self.State.DONE and not self.error
        age = timezone.now() - (self.finished_at or timezone.now())
        return done and age < self.KEPT

    @property
    def undoable(self) -> bool:
        done = self.state in (self.State.DONE, self.State.CANCELLED, self.State.STOPPED)
        fresh = self.finished_at is not None and timezone.now() - self.finished_at < self.UNDO
        some = self.changed > 0 and not self.undo_stopped
        return done and fresh and some and self.kind not in self.FINAL

    @property
    def undo_stopped(self) -> bool:
        """Tell whether it stopped while it was being taken back: it goes on with that."""
        return self.state == self.State.STOPPED and "undoing" in self.choice

    @property
    def waiting(self) -> bool:
        """Tell whether a deletion has not begun: until then it can be called off whole."""
        begun = self.kind != self.Kind.DELETE or self.traces > 0 or self.turn_at <= timezone.now()
        return self.state == self.State.RUNNING and not begun


class BulkChange(models.Model):
    """What a job made: the id of a review, an item of a queue or a case. Undo goes by these."""

    job = models.ForeignKey(BulkJob, on_delete=models.CASCADE, related_name="changes")
    made = models.BigIntegerField()

    class Meta:
        db_table = "bulk_changes"

    def __str__(self) -> str:
        return f"{self.made} of {self.job_id}"
