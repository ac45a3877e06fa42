"""People's verdicts on traces, and the project's own taxonomy of failures."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from tracehub.projects.models import Project, User
from tracehub.review.talk_models import TraceAssignment as TraceAssignment
from tracehub.review.talk_models import TraceComment as TraceComment
from tracehub.review.taxonomy_models import LaterNote as LaterNote
from tracehub.review.taxonomy_models import Taxonomy as Taxonomy


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
    """A label of the taxonomy. `position` gives the order and so the keys 1 to 9.

    `version` counts what it has meant: a changed definition and a split begin the next one.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="failure_modes")
    slug = models.SlugField(max_length=60)
    name = models.CharField(max_length=80)
    definition = models.TextField(blank=True, max_length=2000)
    examples = models.JSONField(default=list, blank=True)  # trace ids
    bad = models.CharField(max_length=200, blank=True)  # what fails under it, in a line
    good = models.CharField(max_length=200, blank=True)  # what would not
    position = models.PositiveIntegerField(default=0)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(default=timezone.now)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("position", "id")
        constraints = (
            models.UniqueConstraint(fields=["project", "slug"], name="failure_mode_slug_once"),
        )

    def __str__(self) -> str:
        return self.name


class ModeVersion(models.Model):
    """What a failure mode meant up to a change: the end of its version `number`."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    mode = models.ForeignKey(FailureMode, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    definition = models.TextField(blank=True)
    change = models.CharField(max_length=200)  # what ended it
    ended_at = models.DateTimeField(default=timezone.now)
    by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ("-number",)
        constraints = (
            models.UniqueConstraint(fields=["project", "mode", "number"], name="mode_version_once"),
        )

    def __str__(self) -> str:
        return f"{self.mode_id} v{self.number}"


class Review(models.Model):
    """One verdict by one person. Kept for good: a new verdict or an undo never edits an old row.

    The verdict of a trace is the adjudicated one, else that of its newest review that was neither
    withdrawn nor is `sealed`: given while an item of a blind queue was open on the trace, so that
    nobody but its author sees it yet. `author` is empty for reviews sent with an API key, which
    `author_key` then names. `submission` is unique per project when given, so that a double click
    or a retry is one review. `failing_span` is the step where it first went wrong, when pinned.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="reviews")
    trace_id = models.UUIDField()
    author = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="reviews")
    author_key = models.CharField(max_length=120, blank=True)
    verdict = models.CharField(max_length=6, choices=Verdict)
    modes = models.ManyToManyField(
        FailureMode, through="ModeLabel", related_name="reviews", blank=True
    )
    severity = models.CharField(max_length=8, choices=Severity, blank=True)
    note = models.TextField(blank=True, max_length=10_000)
    corrected_output = models.JSONField(null=True, blank=True)
    has_correction = models.BooleanField(default=False)  # tells a corrected `null` from none
    submission = models.UUIDField(null=True)
    failing_span = models.CharField(max_length=16, blank=True)
    took_ms = models.PositiveIntegerField(null=True)  # from the trace being shown to the verdict
    spans = models.PositiveIntegerField(null=True)  # of the trace then; later ones came late
    sealed = models.BooleanField(default=False)
    is_repeat = models.BooleanField(default=False)  # answers a `Repeat`, counts nowhere else
    adjudicates = models.BooleanField(default=False)
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


class ModeLabel(models.Model):
    """That a review names a failure mode, and what the mode meant then."""

    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="labels")
    failuremode = models.ForeignKey(FailureMode, on_delete=models.CASCADE, related_name="labels")
    version = models.PositiveIntegerField(default=1)

    class Meta:
        db_table = "review_review_modes"
        constraints = (
            models.UniqueConstraint(fields=["review", "failuremode"], name="mode_label_once"),
        )

    def __str__(self) -> str:
        return f"{self.failuremode_id} v{self.version} on {self.review_id}"


class Queue(models.Model):
    """Traces chosen by rules for people to review.

    `draws` are rules of `core.sampling` that come first, each with its caps. `random_share` percent
    of the other items come from all traces, not from those that `q` finds. `overlap` percent go to
    two people; `repeats` percent come back unsaid to who reviewed them. `reviewers` empty: whoever
    may review. `daily` items are added a day, or as many as `size` lets when it is 0. Sealing
    follows `blind`.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="queues")
    slug = models.SlugField(max_length=60)
    name = models.CharField(max_length=120)
    q = models.TextField(blank=True, max_length=2000)
    size = models.PositiveIntegerField(default=200)
    random_share = models.PositiveSmallIntegerField(default=0)
    draws = models.JSONField(default=list, blank=True)
    overlap = models.PositiveSmallIntegerField(default=0)
    repeats = models.PositiveSmallIntegerField(default=0)
    blind = models.BooleanField(default=False)
    daily = models.PositiveIntegerField(default=0)
    reviewers = models.ManyToManyField(User, related_name="queues", blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    paused_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=["project", "slug"], name="queue_slug_once"),)

    def __str__(self) -> str:
        return self.name


class QueueItem(models.Model):
    """One trace in a queue. Open until all its reviews are in, or an admin closes it.

    `first_closed_at` stays when an undo opens it again: reviews after it were not blind. `chance`
    is the probability with which the draws took the trace (see `core.sampling`); 1 for what was
    chosen on purpose, which stands for itself alone.
    """

    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, related_name="items")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    trace_id = models.UUIDField()
    way = models.CharField(max_length=10, default="filter")
    chance = models.FloatField(default=1.0)
    reason = models.CharField(max_length=200)
    title = models.CharField(max_length=200, blank=True)
    added_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True, blank=True)
    first_closed_at = models.DateTimeField(null=True, blank=True)
    adjudication = models.ForeignKey(
        Review, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=["queue", "trace_id"], name="queue_item_once"),
        )
        indexes = (models.Index(fields=["project", "trace_id"], name="queue_item_by_trace"),)

    def __str__(self) -> str:
        return f"{self.trace_id.hex} in {self.queue_id}"


class Seat(models.Model):
    """One person's turn at an item: assigned to `reviewer`, or free for whoever comes.

    `held_by` has the item open until `held_until`; a hold that ran out is none.
    """

    item = models.ForeignKey(QueueItem, on_delete=models.CASCADE, related_name="seats")
    reviewer = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="seats"
    )
    held_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    held_until = models.DateTimeField(null=True, blank=True)
    review = models.ForeignKey(
        Review, null=True, blank=True, on_delete=models.SET_NULL, related_name="seats"
    )
    skipped_at = models.DateTimeField(null=True, blank=True)
    skip_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"seat {self.pk} of item {self.item_id}"


class Rubric(models.Model):
    """What the built-in judge looks for, for one failure mode. Another text is the next version."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    mode = models.OneToOneField(FailureMode, on_delete=models.CASCADE, related_name="rubric")
    text = models.TextField(max_length=4000)
    version = models.PositiveIntegerField(default=1)
    edited_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"rubric of {self.mode_id} v{self.version}"


class JudgeRun(models.Model):
    """One pass of the judge over traces; it goes on where it stopped. Whoever holds it works.

    `scope` is a half of the reviewed traces, or what `q` finds, of which `share` percent were drawn
    by chance. The run stops when `cost`, in US dollars, reaches `cap`.
    """

    class Scope(models.TextChoices):
        DEV = "dev", "Reviewed, dev half"
        TEST = "test", "Reviewed, test half"
        FILTER = "filter", "What a filter finds"

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        STOPPED = "stopped", "Stopped"
        CAPPED = "capped", "Stopped at the cap"
        FAILED = "failed", "Failed"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="judge_runs")
    mode = models.ForeignKey(FailureMode, on_delete=models.CASCADE, related_name="judge_runs")
    rubric = models.TextField()
    version = models.PositiveIntegerField()
    model = models.CharField(max_length=200)
    scope = models.CharField(max_length=6, choices=Scope)
    q = models.TextField(blank=True)
    share = models.PositiveSmallIntegerField(default=100)
    cap = models.DecimalField(max_digits=10, decimal_places=2)
    cost = models.DecimalField(max_digits=14, decimal_places=6, default=0)
    state = models.CharField(max_length=7, choices=State, default=State.RUNNING)
    error = models.CharField(max_length=300, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)  # in a row that reached no answer
    held_until = models.DateTimeField(default=timezone.now)  # by whoever works, or till a next try
    by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"judge run {self.pk}"


class JudgeTask(models.Model):
    """One trace of a run: the verdict when there is one, `error` when the judge gave none."""

    run = models.ForeignKey(JudgeRun, on_delete=models.CASCADE, related_name="tasks")
    trace_id = models.UUIDField()
    fails = models.BooleanField(null=True)
    error = models.CharField(max_length=200, blank=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=["run", "trace_id"], name="judge_task_once"),)

    def __str__(self) -> str:
        return f"{self.trace_id.hex} in {self.run_id}"


class Repeat(models.Model):
    """A trace shown again to who reviewed it, unsaid: how far a person agrees with themselves.

    Waits for its answer for as long as a turn is held, from `shown_at`. The answer is kept apart
    from all other reviews.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, related_name="repeated")
    trace_id = models.UUIDField()
    first = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="repeated")
    reviewer = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    shown_at = models.DateTimeField(default=timezone.now)
    review = models.OneToOneField(
        Review, null=True, blank=True, on_delete=models.SET_NULL, related_name="repeats"
    )
    dropped_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["project", "queue", "reviewer", "trace_id"], name="repeat_once"
            ),
        )
        indexes = (models.Index(fields=["project", "trace_id"], name="repeat_by_trace"),)

    def __str__(self) -> str:
        return f"repeat {self.pk} of {self.first_id}"


class Measuring(models.Model):
    """The project lets the review page measure itself. Without a row, nothing is measured."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="+")
    since = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"measuring in {self.project_id}"


class Timing(models.Model):
    """What the page measured around one review, in ms; `save_ms` is of the review before it."""

    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, related_name="timings")
    review = models.OneToOneField(Review, on_delete=models.CASCADE, related_name="timing")
    open_ms = models.PositiveIntegerField(null=True)
    first_key_ms = models.PositiveIntegerField(null=True)
    save_ms = models.PositiveIntegerField(null=True)

    def __str__(self) -> str:
        return f"timing of {self.review_id}"


class Recoding(models.Model):
    """One change of the taxonomy over reviews that were there: what `undo` reads.

    `added` and `removed` hold [review, mode, version of the mode]; `archived` and `created` modes;
    `raised` [mode, its next version], all by id. `above` is what else was rewritten along with it.
    """

    class Kind(models.TextChoices):
        ASSIGN = "assign", "Grouped"
        MERGE = "merge", "Merged"
        SPLIT = "split", "Split"
        CHECK = "check", "Checked again"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="recodings")
    kind = models.CharField(max_length=6, choices=Kind)
    added = models.JSONField(default=list)
    removed = models.JSONField(default=list)
    created = models.JSONField(default=list)
    archived = models.JSONField(default=list)
    raised = models.JSONField(default=list)
    above = models.JSONField(default=dict)
    by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = (models.Index(fields=["project", "-id"], name="recoding_by_project"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"
