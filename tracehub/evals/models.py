"""Versioned eval sets, their cases, and the runs of programs against them.

A case row holds one revision of a case and the range of versions it belongs to: version n of a set
is every row with `added_in <= n` and (`removed_in` empty or `removed_in > n`). The draft is the
version after the newest fixed one. A fixed version never changes, since rows it can see are only
ever closed, not edited; nothing is copied when a version is fixed, and a diff is a query.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.fields.json import KeyTextTransform
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
    gate_rules = models.JSONField(default=dict, blank=True)  # core.gate_rules, {} for its defaults
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
    # What erasure of a person's data did to it: [{"at", "old_hash", "new_hash"}], oldest first.
    redactions = models.JSONField(default=list)
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
    redacted_at = models.DateTimeField(null=True, blank=True)  # its content was erased

    class Meta:
        ordering = ("number",)
        constraints = (
            models.UniqueConstraint(
                fields=["project", "eval_set", "number", "added_in"],
                name="case_revision_once",
            ),
        )
        indexes = (
            models.Index(fields=["project", "source_trace_id"], name="case_by_source"),
            # What a version holds is counted from this alone; the rows themselves are 3 kB each.
            models.Index(
                fields=["project", "eval_set", "added_in"],
                include=["removed_in", "number", "kind", "failure_modes", "updated_at"],
                name="case_counts",
            ),
            models.Index(
                fields=["project", "eval_set", "removed_in"],
                condition=models.Q(removed_in__isnull=False),
                name="case_removed",
            ),
            # What drafts hold of a failure, and of a prompt: asked for all that a list shows.
            models.Index(
                fields=["project", "source_failure", "eval_set"],
                condition=models.Q(removed_in__isnull=True) & ~models.Q(source_failure=""),
                name="case_by_failure",
            ),
            models.Index(
                models.F("project"), KeyTextTransform("name", "prompt"), models.F("eval_set"),
                condition=models.Q(removed_in__isnull=True),
                name="case_by_prompt",
            ),
        )  # fmt: skip

    def __str__(self) -> str:
        return f"{self.case_id} of {self.eval_set}"

    @property
    def case_id(self) -> str:
        return f"c_{self.number:04d}"


class CaseImport(models.Model):
    """A file of cases on its way into a draft: read, looked at, added, and perhaps taken back.

    Contents are masked and complete. Once added they are emptied, and `made` has the new cases.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    eval_set = models.ForeignKey(EvalSet, on_delete=models.CASCADE, related_name="imports")
    file = models.CharField(max_length=200)
    contents = models.JSONField(default=list)  # [[line, case]], core.case_files
    problems = models.JSONField(default=list)  # [[line, field, message]]
    about = models.JSONField(default=dict)  # {"formats": {}, "untaken": {}, "problems": n}
    made = ArrayField(models.BigIntegerField(), default=list)
    by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    added_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"{self.file} into {self.eval_set}"


class Run(models.Model):
    """The results of one fixed version for one candidate, and the gate as it was decided.

    `number` counts the runs of a project; people and programs know a run by it. `gate` is the
    gate against the automatic baseline without its cases, decided when the run came, when the
    rules changed and when it was overridden; `fit` says that the run may serve as a baseline.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="runs")
    eval_set = models.ForeignKey(EvalSet, on_delete=models.CASCADE, related_name="runs")
    number = models.PositiveIntegerField()
    version = models.PositiveIntegerField()
    name = models.CharField(max_length=200)
    prompt_version = models.CharField(max_length=200, blank=True)
    model = models.CharField(max_length=200, blank=True)
    commit = models.CharField(max_length=200, blank=True)
    branch = models.CharField(max_length=200, blank=True)
    is_baseline = models.BooleanField(default=False)  # the candidate says so
    expected = models.PositiveIntegerField()  # cases of the version
    told = models.PositiveIntegerField()  # cases with a result that is not skipped
    passed = models.PositiveIntegerField()
    errors = models.PositiveIntegerField()
    flaky = models.PositiveIntegerField()
    tries = models.PositiveIntegerField()
    cost = models.DecimalField(max_digits=26, decimal_places=9, null=True)  # of all tries
    case_cost = models.FloatField(null=True)  # US dollars, mean over the cases
    latency_ms = models.FloatField(null=True)  # median over the cases
    digest = models.CharField(max_length=64)  # SHA-256 of what was sent, to know a repeat
    gate = models.JSONField(default=dict)
    verdict = models.CharField(max_length=10)
    fit = models.BooleanField(default=False)
    override_reason = models.CharField(max_length=2000, blank=True)
    overridden_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    overridden_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField()
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.CharField(max_length=254)  # e-mail, key prefix or "system"

    class Meta:
        ordering = ("-number",)
        constraints = (
            models.UniqueConstraint(fields=["project", "number"], name="run_number_once"),
        )
        indexes = (
            models.Index(
                fields=["project", "eval_set", "version", "-number"], name="run_by_version"
            ),
        )

    def __str__(self) -> str:
        return f"Run {self.number}"


class RunResult(models.Model):
    """One case in one run: its status over all tries, and the tries themselves (core.runs)."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="results")
    number = models.PositiveIntegerField()  # of the case
    kind = models.CharField(max_length=14, choices=CaseKind)
    severity = models.CharField(max_length=8, blank=True)
    status = models.CharField(max_length=8)
    flaky = models.BooleanField(default=False)
    cost = models.FloatField(null=True)  # US dollars, mean of the tries
    latency_ms = models.FloatField(null=True)
    tries = models.JSONField(default=list)
    trace_ids = ArrayField(models.UUIDField(), default=list, db_default=[])  # that its tries sent
    told = models.PositiveSmallIntegerField(default=1)  # tries that were not skipped
    passes = models.PositiveSmallIntegerField(default=0)  # how many of them passed
    # What became of it since the baseline of the kept gate: its place in core.gating.CHANGES.
    rank = models.PositiveSmallIntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["project", "run", "number"], name="run_result_once"),
        )
        indexes = (
            # The page of a run lists its cases from this alone; the rows hold whole outputs.
            models.Index(
                fields=["project", "run", "rank", "number"],
                include=["status"],
                name="run_result_by_rank",
            ),
            GinIndex(fields=["trace_ids"], name="run_result_by_trace"),
        )

    def __str__(self) -> str:
        return f"{self.case_id} in {self.run}"

    @property
    def case_id(self) -> str:
        return f"c_{self.number:04d}"


class Rollout(models.Model):
    """A prompt version on its way from a few to everyone (core.rollout), guarded by an eval set.

    `number` counts the rollouts of a project. `limit` is how much more the candidate may fail than
    the control, as a fraction.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="rollouts")
    number = models.PositiveIntegerField()
    eval_set = models.ForeignKey(EvalSet, on_delete=models.CASCADE, related_name="rollouts")
    prompt = models.CharField(max_length=200)
    candidate = models.CharField(max_length=301)  # name@version
    control = models.CharField(max_length=301)
    limit = models.FloatField(default=0.02)
    stage = models.CharField(max_length=11)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("-number",)
        constraints = (
            models.UniqueConstraint(fields=["project", "number"], name="rollout_number_once"),
            models.UniqueConstraint(
                fields=["project", "prompt"],
                condition=models.Q(stage__in=("internal", "canary")),
                name="rollout_running_once",
            ),
        )

    def __str__(self) -> str:
        return f"Rollout {self.number} of {self.candidate}"


class RolloutStep(models.Model):
    """One change of stage: who, why, and what the gate said. `failing` are ids of cases."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    rollout = models.ForeignKey(Rollout, on_delete=models.CASCADE, related_name="steps")
    before = models.CharField(max_length=11, blank=True)
    after = models.CharField(max_length=11)
    at = models.DateTimeField(default=timezone.now)
    by = models.CharField(max_length=254)  # e-mail, key prefix or "system"
    reason = models.CharField(max_length=2000, blank=True)
    gate = models.JSONField(default=list)  # reasons as core.gating has them
    run = models.PositiveIntegerField(null=True)  # number of the run that the gate looked at
    failing = ArrayField(models.CharField(max_length=20), default=list)

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"{self.rollout}: {self.after}"
