"""The tables of the charts. `rollup` alone writes and reads them, with hand-written SQL.

`core.rollup` says what the counters mean and how a trace adds to them.
"""

from __future__ import annotations

from decimal import Decimal

from django.contrib.postgres.fields import ArrayField
from django.db import models

from tracehub.metrics.budget import Axis, Breach, Budget, Passed
from tracehub.metrics.dashboard import Dashboard

__all__ = [
    "Axis", "Breach", "Budget", "Counters", "Dashboard", "Delta", "Histogram", "Passed", "Rollup",
    "RollupCheck", "Series",
]  # fmt: skip


def money() -> models.DecimalField[Decimal, Decimal]:
    """Wide enough that no sum of absurd costs can overflow and stop the folder."""
    return models.DecimalField(max_digits=30, decimal_places=10, default=0)


class Counters(models.Model):
    """What is summed; the same columns in a delta and in a rollup. Costs in US dollars.

    A trace counts once in each row, so `failing` of `requests` is a share. `own_*` are the tokens
    and the cost of the row's model or prompt alone, `tool_*` the calls and errors of its tool; all
    others are of the whole trace. `weight_*` are sums over reviewed traces of 1 / (chance of a
    queue to take them), in thousandths.
    """

    requests = models.BigIntegerField(default=0)
    finished = models.BigIntegerField(default=0)
    failing = models.BigIntegerField(default=0)
    successes = models.BigIntegerField(default=0)
    errors = models.BigIntegerField(default=0)
    retried = models.BigIntegerField(default=0)
    retries = models.BigIntegerField(default=0)
    fell_back = models.BigIntegerField(default=0)
    fallbacks = models.BigIntegerField(default=0)
    timed_out = models.BigIntegerField(default=0)
    timeouts = models.BigIntegerField(default=0)
    counted = models.BigIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    cached_tokens = models.BigIntegerField(default=0)
    priced = models.BigIntegerField(default=0)
    cost = money()
    calls = models.BigIntegerField(default=0)
    own_input_tokens = models.BigIntegerField(default=0)
    own_output_tokens = models.BigIntegerField(default=0)
    own_cost = money()
    tool_calls = models.BigIntegerField(default=0)
    tool_errors = models.BigIntegerField(default=0)
    review_fail = models.BigIntegerField(default=0)
    review_pass = models.BigIntegerField(default=0)
    review_unsure = models.BigIntegerField(default=0)
    weight_failed = models.BigIntegerField(default=0)
    weight_reviewed = models.BigIntegerField(default=0)
    weight_squares = models.BigIntegerField(default=0)
    feedback_negative = models.BigIntegerField(default=0)
    feedback_positive = models.BigIntegerField(default=0)
    outcome_answered = models.BigIntegerField(default=0)
    outcome_clarified = models.BigIntegerField(default=0)
    outcome_insufficient = models.BigIntegerField(default=0)
    outcome_escalated = models.BigIntegerField(default=0)
    outcome_refused = models.BigIntegerField(default=0)
    outcome_fallback = models.BigIntegerField(default=0)
    outcome_error = models.BigIntegerField(default=0)

    class Meta:
        abstract = True


class Series(models.Model):
    """One line of the charts: an axis, its value, and the four dimensions. "" means none.

    `id` is a hash of them (`core.rollup.series_id`). `target` is the series in which it is summed:
    itself, or `other` for what came after a project's 2,000th new series of a day.
    """

    pk = models.CompositePrimaryKey("project_id", "id")
    project_id = models.BigIntegerField()
    id = models.BigIntegerField()
    axis = models.TextField()
    value = models.TextField()
    name = models.TextField()
    environment = models.TextField()
    cohort = models.TextField()
    release = models.TextField()
    target = models.BigIntegerField()
    created_on = models.DateField()

    class Meta:
        db_table = "rollup_series"

    def __str__(self) -> str:
        return " ".join(part for part in (self.axis, self.value, self.name) if part)


class Delta(Counters):
    """A signed change that the folder has not merged yet. Rows are added, merged and deleted.

    `measures`, `indexes` and `counts` run in parallel: bucket `indexes[i]` of `measures[i]`.
    """

    id = models.BigAutoField(primary_key=True)
    project_id = models.BigIntegerField()
    minute = models.DateTimeField()
    series = models.BigIntegerField()
    axis = models.TextField()
    value = models.TextField()
    name = models.TextField()
    environment = models.TextField()
    cohort = models.TextField()
    release = models.TextField()
    measures = ArrayField(models.SmallIntegerField())
    indexes = ArrayField(models.SmallIntegerField())
    counts = ArrayField(models.BigIntegerField())

    class Meta:
        db_table = "rollup_deltas"

    def __str__(self) -> str:
        return f"delta {self.pk}"


class Rollup(Counters):
    """Sums of one series in one bucket. `resolution` is its length: 60, 3600 or 86400 seconds."""

    pk = models.CompositePrimaryKey("project_id", "resolution", "series", "bucket")
    project_id = models.BigIntegerField()
    resolution = models.IntegerField()
    bucket = models.DateTimeField()
    series = models.BigIntegerField()

    class Meta:
        db_table = "rollups"

    def __str__(self) -> str:
        return f"{self.bucket:%Y-%m-%d %H:%M} of series {self.series}"


class RollupCheck(models.Model):
    """The last comparison of a project's rollups with its traces, and how far it came.

    Days from `since` up to `next_day` are done; `until` is the last one. `differing` counts rows.
    """

    project_id = models.BigIntegerField(primary_key=True)
    since = models.DateField()
    until = models.DateField()
    next_day = models.DateField()
    mend = models.BooleanField()
    differing = models.BigIntegerField(default=0)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "rollup_checks"

    def __str__(self) -> str:
        return f"{self.since} to {self.until}"


class Histogram(models.Model):
    """How many values of a measure fell in log bucket `index`; see `core.rollup.bucket`."""

    pk = models.CompositePrimaryKey(
        "project_id", "resolution", "series", "measure", "bucket", "index"
    )
    project_id = models.BigIntegerField()
    resolution = models.IntegerField()
    measure = models.SmallIntegerField()
    bucket = models.DateTimeField()
    series = models.BigIntegerField()
    index = models.SmallIntegerField()
    count = models.BigIntegerField()

    class Meta:
        db_table = "rollup_histograms"

    def __str__(self) -> str:
        return f"{self.count} in bucket {self.index}"
