"""Sampling: what waits for its judgement, what was dropped by hour, and a mark on arrivals."""

import django.db.models.deletion
from django.db import migrations, models

MARK = "ALTER TABLE arrivals ADD COLUMN dropped boolean NOT NULL DEFAULT false"
UNMARK = "ALTER TABLE arrivals DROP COLUMN dropped"


def key(*columns):
    return (
        "pk",
        models.CompositePrimaryKey(
            *columns, blank=True, editable=False, primary_key=True, serialize=False
        ),
    )


def count():
    return models.BigIntegerField(default=0, db_default=0)


class Migration(migrations.Migration):
    dependencies = [("projects", "0001_initial"), ("traces", "0006_texts")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(MARK, UNMARK)],
            state_operations=[
                migrations.AddField(
                    "arrival", "dropped", models.BooleanField(default=False, db_default=False)
                ),
            ],
        ),
        migrations.CreateModel(
            name="Sampling",
            fields=[
                (
                    "project",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="sampling",
                        serialize=False,
                        to="projects.project",
                    ),
                ),
                ("one_in", models.PositiveIntegerField(default=1)),
            ],
            options={"db_table": "samplings"},
        ),
        migrations.CreateModel(
            name="Waiting",
            fields=[
                key("project_id", "trace_id"),
                ("project_id", models.BigIntegerField()),
                ("trace_id", models.UUIDField()),
                ("day", models.DateField()),
                ("due_at", models.DateTimeField(db_index=True)),
            ],
            options={"db_table": "sampling_waiting"},
        ),
        migrations.CreateModel(
            name="DroppedHour",
            fields=[
                key("project_id", "hour"),
                ("project_id", models.BigIntegerField()),
                ("hour", models.DateTimeField()),
                ("traces", count()),
                ("spans", count()),
                ("late_spans", count()),
                ("finished", count()),
                ("successes", count()),
                ("retries", count()),
                ("fallbacks", count()),
                ("timeouts", count()),
                ("input_tokens", count()),
                ("output_tokens", count()),
                (
                    "cost",
                    models.DecimalField(max_digits=30, decimal_places=10, default=0, db_default=0),
                ),
            ],
            options={"db_table": "dropped_hours"},
        ),
    ]
