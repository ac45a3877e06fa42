"""Traces, their spans, and what is known of prompts and feedback.

`Arrival`, `StoredSpan` and `Trace` are written by `store` alone, with COPY and hand-written SQL;
the first migration creates them (two are partitioned by `day`, the UTC day on which the trace
first arrived). docs/design/storage.md says why they are built as they are.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from tracehub.projects.models import Project
from tracehub.traces.fields import PlainJSON
from tracehub.traces.media.model import Medium as Medium
from tracehub.traces.media.model import MediumUse as MediumUse
from tracehub.traces.querysets import TraceQuerySet
from tracehub.traces.saved_view import SavedView as SavedView
from tracehub.traces.texts.model import TraceAttributes as TraceAttributes
from tracehub.traces.texts.model import TraceText as TraceText


class Arrival(models.Model):
    """One row per trace, for good while it is kept: its day, and whether the worker must look.

    `dirty_seq` is null when the trace row is up to date; `tries` counts failed digests; `dropped`
    remembers a trace that sampling deleted, so that its late spans are not stored.
    """

    pk = models.CompositePrimaryKey("project_id", "trace_id")
    project_id = models.BigIntegerField()
    trace_id = models.UUIDField()
    day = models.DateField()
    dirty_seq = models.BigIntegerField(null=True)
    dirty_at = models.DateTimeField(null=True)
    tries = models.SmallIntegerField(default=0)
    dropped = models.BooleanField(default=False, db_default=False)

    class Meta:
        db_table = "arrivals"

    def __str__(self) -> str:
        return self.trace_id.hex


class StoredSpan(models.Model):
    """One span. Narrow columns first; `facts` is what summaries read; the payload last.

    `payload` is the normalised content and what was received, after masking (`core.packing`).
    `rank` decides between two versions of a span: a finished one beats a pending one, then more
    attributes win. `cost_computed` says that the cost comes from prices and not from the sender.
    """

    pk = models.CompositePrimaryKey("project_id", "day", "trace_id", "span_id")
    project_id = models.BigIntegerField()
    day = models.DateField()
    trace_id = models.UUIDField()
    span_id = models.BigIntegerField()
    parent_id = models.BigIntegerField(null=True)
    started_at = models.DateTimeField()
    start_ns = models.BigIntegerField()
    duration_ns = models.BigIntegerField(null=True)
    name = models.TextField()
    kind = models.TextField()
    error = models.BooleanField()
    provider = models.TextField(null=True)
    model = models.TextField(null=True)
    input_tokens = models.BigIntegerField(null=True)
    output_tokens = models.BigIntegerField(null=True)
    total_tokens = models.BigIntegerField(null=True)
    cost = models.DecimalField(max_digits=20, decimal_places=10, null=True)
    rank = models.IntegerField()
    facts = PlainJSON()
    payload = models.BinaryField()
    cost_computed = models.BooleanField(db_default=False)

    class Meta:
        db_table = "spans"

    def __str__(self) -> str:
        return self.name


class Trace(models.Model):
    """What lists, facets and filters read of a trace; written by the worker alone.

    `failing` follows docs/reference/filters.md: verdict fail, or not pass and with status error
    or a signal of severity high or critical. `signals` holds the full signals for the trace page;
    `signal_kinds` is what filters read.
    """

    pk = models.CompositePrimaryKey("project_id", "day", "trace_id")
    project_id = models.BigIntegerField()
    day = models.DateField()
    trace_id = models.UUIDField()
    started_at = models.DateTimeField()
    duration_ns = models.BigIntegerField(null=True)
    name = models.TextField()
    provisional = models.BooleanField()
    status = models.TextField()
    finished = models.BooleanField()
    environment = models.TextField(null=True)
    release = models.TextField(null=True)
    cohort = models.TextField(null=True)
    service = models.TextField(null=True)
    session_id = models.TextField(null=True)
    user_id = models.TextField(null=True)
    tags = ArrayField(models.TextField())
    metadata = models.JSONField()
    model_names = ArrayField(models.TextField(), db_column="models")
    providers = ArrayField(models.TextField())
    prompts = ArrayField(models.TextField())
    tools = ArrayField(models.TextField())
    agents = ArrayField(models.TextField())
    finish_reasons = ArrayField(models.TextField())
    input_tokens = models.BigIntegerField(null=True)
    output_tokens = models.BigIntegerField(null=True)
    cached_tokens = models.BigIntegerField(null=True)
    reasoning_tokens = models.BigIntegerField(null=True)
    total_tokens = models.BigIntegerField(null=True)
    cost = models.DecimalField(max_digits=20, decimal_places=10, null=True)
    ttft_ns = models.BigIntegerField(null=True)
    retries = models.IntegerField()
    fallbacks = models.IntegerField()
    timeouts = models.IntegerField()
    streaming = models.BooleanField()
    outcome = models.TextField(null=True)
    span_count = models.IntegerField()
    error_count = models.IntegerField()
    root_present = models.BooleanField()
    input_preview = models.TextField(null=True)
    output_preview = models.TextField(null=True)
    signals = models.JSONField()
    signal_kinds = ArrayField(models.TextField())
    severity = models.TextField(null=True)
    feedback = models.JSONField()
    verdict = models.TextField(null=True)
    failure_modes = ArrayField(models.TextField())
    reviewers = ArrayField(models.TextField())
    failing = models.BooleanField()
    # Ids of `failures.Failure`, as the worker found them; merging is a rule on top of these.
    failures = ArrayField(models.BigIntegerField(), default=list)
    promoted = models.BooleanField()
    contribution = PlainJSON()
    digest_hash = models.BigIntegerField()
    span_kinds = ArrayField(models.TextField(), default=list, db_default=[])
    span_names = ArrayField(models.TextField(), default=list, db_default=[])
    terms = ArrayField(models.BigIntegerField(), default=list, db_default=[])

    objects = TraceQuerySet.as_manager()

    class Meta:
        db_table = "traces"

    def __str__(self) -> str:
        return self.name

    @property
    def hex(self) -> str:
        """The trace id as the API and the URLs write it: 32 hex digits."""
        return self.trace_id.hex


class TermCount(models.Model):
    """How many traces that started in a bucket have a value; `rollup` alone writes and reads it.

    Buckets are hours, and 5 minutes under the key `fine`. `day` is the partition of the traces.
    """

    pk = models.CompositePrimaryKey("project_id", "key", "bucket", "value", "day")
    project_id = models.BigIntegerField()
    key = models.TextField()
    bucket = models.DateTimeField()
    value = models.TextField()
    day = models.DateField()
    traces = models.BigIntegerField()
    failing = models.BigIntegerField()

    class Meta:
        db_table = "term_counts"

    def __str__(self) -> str:
        return f"{self.key}:{self.value}"


class Sampling(models.Model):
    """A project keeps 1 in `one_in` of the traces that nothing speaks for; 1 keeps all."""

    project = models.OneToOneField(
        Project, primary_key=True, on_delete=models.CASCADE, related_name="sampling"
    )
    one_in = models.PositiveIntegerField(default=1)

    class Meta:
        db_table = "samplings"

    def __str__(self) -> str:
        return f"1 in {self.one_in}"


class Waiting(models.Model):
    """A trace outside the kept share: judged, and perhaps dropped, when it was quiet long enough.

    `traces.sampling.store` alone writes it, each trace once; what was judged does not come back.
    """

    pk = models.CompositePrimaryKey("project_id", "trace_id")
    project_id = models.BigIntegerField()
    trace_id = models.UUIDField()
    day = models.DateField()
    due_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "sampling_waiting"

    def __str__(self) -> str:
        return self.trace_id.hex


def _sum() -> models.BigIntegerField[int, int]:
    return models.BigIntegerField(default=0, db_default=0)


class GoneHour(models.Model):
    """Sums of deleted traces by hour of start, as in `metrics.rollup.check`: charts count them."""

    pk = models.CompositePrimaryKey("project_id", "hour")
    project_id = models.BigIntegerField()
    hour = models.DateTimeField()
    traces = _sum()
    spans = _sum()
    finished = _sum()
    successes = _sum()
    retries = _sum()
    fallbacks = _sum()
    timeouts = _sum()
    input_tokens = _sum()
    output_tokens = _sum()
    cost = models.DecimalField(max_digits=30, decimal_places=10, default=0, db_default=0)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.traces} gone of {self.hour:%Y-%m-%d %H:00}"


class DroppedHour(GoneHour):
    """What sampling deleted: never failing traces, errors or what a person looked at.

    `late_spans` came in this hour for traces that were dropped before.
    """

    late_spans = _sum()

    class Meta:
        db_table = "dropped_hours"


class ErasedHour(GoneHour):
    """What went with a person's data (`digest.erasure`)."""

    failing = _sum()
    errors = _sum()
    review_fail = _sum()

    class Meta:
        db_table = "erased_hours"


class PromptVersion(models.Model):
    """A prompt version, registered when first seen in a trace or sent by API."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="prompt_versions")
    name = models.CharField(max_length=200)
    version = models.CharField(max_length=100)
    order = models.IntegerField(null=True, blank=True)
    template = models.TextField(blank=True)
    author = models.CharField(max_length=200, blank=True)
    message = models.TextField(blank=True, max_length=2000)
    first_seen_at = models.DateTimeField(null=True)  # earliest started_at
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["project", "name", "version"], name="prompt_version_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


class Feedback(models.Model):
    """A score or thumb from the application's user or an automated judge.

    `key` makes it idempotent: the sender's `id`, else a hash of what was sent.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="feedback")
    trace_id = models.UUIDField()
    span_id = models.CharField(max_length=16, blank=True)
    key = models.CharField(max_length=200)
    name = models.CharField(max_length=200)
    value = models.JSONField(null=True)
    label = models.CharField(max_length=200, blank=True)
    comment = models.TextField(blank=True, max_length=10_000)
    source = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["project", "key"], name="feedback_once"),)
        indexes = (models.Index(fields=["project", "trace_id"], name="feedback_by_trace"),)

    def __str__(self) -> str:
        return f"{self.name} on {self.trace_id.hex}"


class Parked(models.Model):
    """A trace that the worker could not digest: named, counted, retried by `tracehub doctor`."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    trace_id = models.UUIDField()
    error = models.TextField()
    parked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["project", "trace_id"], name="parked_once"),)

    def __str__(self) -> str:
        return self.trace_id.hex


class Supplement(models.Model):
    """What came apart from its span and belongs to it: log records, or a patch of a run.

    Joined by the worker whenever the stored span lacks it; goes with the trace's day.
    """

    project_id = models.BigIntegerField()
    trace_id = models.UUIDField()
    span_id = models.BigIntegerField()
    day = models.DateField()  # of arrival of the supplement
    kind = models.CharField(max_length=10)
    digest = models.BinaryField(max_length=16)  # of the body, so that a retry is stored once
    body = models.BinaryField()  # zstd of JSON

    class Meta:
        db_table = "span_supplements"
        constraints = (
            models.UniqueConstraint(
                fields=["project_id", "trace_id", "span_id", "digest"], name="supplement_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} of {self.trace_id.hex}"


class Refusal(models.Model):
    """A request that ingestion turned away; the Connect page shows the last ones. Rate-limited.

    `project` is empty when the key did not say which one.
    """

    project = models.ForeignKey(Project, null=True, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    path = models.CharField(max_length=200)
    status = models.SmallIntegerField()
    reason = models.CharField(max_length=300)

    class Meta:
        indexes = (models.Index(fields=["project", "-at"], name="refusal_by_project"),)

    def __str__(self) -> str:
        return f"{self.status} {self.path}"
