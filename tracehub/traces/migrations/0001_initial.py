from pathlib import Path

import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

SQL = (Path(__file__).parents[1] / "sql" / "0001_tables.sql").read_text()


def make_first_partitions(apps, schema_editor):
    schema_editor.execute("SELECT tracehub_ensure_partitions(current_date - 1, current_date + 3)")


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("projects", "0001_initial"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    SQL,
                    "DROP TABLE traces, spans, arrivals; DROP SEQUENCE arrivals_dirty_seq;"
                    " DROP FUNCTION tracehub_ensure_partitions",
                ),
            ],
            state_operations=[
                migrations.CreateModel(
                    name="Arrival",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "project_id",
                                "trace_id",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("project_id", models.BigIntegerField()),
                        ("trace_id", models.UUIDField()),
                        ("day", models.DateField()),
                        ("dirty_seq", models.BigIntegerField(null=True)),
                        ("dirty_at", models.DateTimeField(null=True)),
                        ("tries", models.SmallIntegerField(default=0)),
                    ],
                    options={
                        "db_table": "arrivals",
                    },
                ),
                migrations.CreateModel(
                    name="StoredSpan",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "project_id",
                                "day",
                                "trace_id",
                                "span_id",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("project_id", models.BigIntegerField()),
                        ("day", models.DateField()),
                        ("trace_id", models.UUIDField()),
                        ("span_id", models.BigIntegerField()),
                        ("parent_id", models.BigIntegerField(null=True)),
                        ("started_at", models.DateTimeField()),
                        ("start_ns", models.BigIntegerField()),
                        ("duration_ns", models.BigIntegerField(null=True)),
                        ("name", models.TextField()),
                        ("kind", models.TextField()),
                        ("error", models.BooleanField()),
                        ("provider", models.TextField(null=True)),
                        ("model", models.TextField(null=True)),
                        ("input_tokens", models.BigIntegerField(null=True)),
                        ("output_tokens", models.BigIntegerField(null=True)),
                        ("total_tokens", models.BigIntegerField(null=True)),
                        (
                            "cost",
                            models.DecimalField(decimal_places=10, max_digits=20, null=True),
                        ),
                        ("rank", models.IntegerField()),
                        ("facts", models.JSONField()),
                        ("content", models.JSONField()),
                        ("raw", models.BinaryField()),
                    ],
                    options={
                        "db_table": "spans",
                    },
                ),
                migrations.CreateModel(
                    name="Trace",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "project_id",
                                "day",
                                "trace_id",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("project_id", models.BigIntegerField()),
                        ("day", models.DateField()),
                        ("trace_id", models.UUIDField()),
                        ("started_at", models.DateTimeField()),
                        ("duration_ns", models.BigIntegerField(null=True)),
                        ("name", models.TextField()),
                        ("provisional", models.BooleanField()),
                        ("status", models.TextField()),
                        ("finished", models.BooleanField()),
                        ("environment", models.TextField(null=True)),
                        ("release", models.TextField(null=True)),
                        ("cohort", models.TextField(null=True)),
                        ("service", models.TextField(null=True)),
                        ("session_id", models.TextField(null=True)),
                        ("user_id", models.TextField(null=True)),
                        (
                            "tags",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.TextField(), size=None
                            ),
                        ),
                        ("metadata", models.JSONField()),
                        (
                            "model_names",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.TextField(),
                                db_column="models",
                                size=None,
                            ),
                        ),
                        (
                            "providers",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.TextField(), size=None
                            ),
                        ),
                        (
                            "prompts",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.TextField(), size=None
                            ),
                        ),
                        (
                            "tools",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.TextField(), size=None
                            ),
                        ),
                        (
                            "agents",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.TextField(), size=None
                            ),
                        ),
                        (
                            "finish_reasons",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.TextField(), size=None
                            ),
                        ),
                        ("input_tokens", models.BigIntegerField(null=True)),
                        ("output_tokens", models.BigIntegerField(null=True)),
                        ("cached_tokens", models.BigIntegerField(null=True)),
                        ("reasoning_tokens", models.BigIntegerField(null=True)),
                        ("total_tokens", models.BigIntegerField(null=True)),
                        (
                            "cost",
                            models.DecimalField(decimal_places=10, max_digits=20, null=True),
                        ),
                        ("ttft_ns", models.BigIntegerField(null=True)),
                        ("retries", models.IntegerField()),
                        ("fallbacks", models.IntegerField()),
                        ("timeouts", models.IntegerField()),
                        ("streaming", models.BooleanField()),
                        ("outcome", models.TextField(null=True)),
                        ("span_count", models.IntegerField()),
                        ("error_count", models.IntegerField()),
                        ("root_present", models.BooleanField()),
                        ("input_preview", models.TextField(null=True)),
                        ("output_preview", models.TextField(null=True)),
                        ("signals", models.JSONField()),
                        (
                            "signal_kinds",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.TextField(), size=None
                            ),
                        ),
                        ("severity", models.TextField(null=True)),
                        ("feedback", models.JSONField()),
                        ("verdict", models.TextField(null=True)),
                        (
                            "failure_modes",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.TextField(), size=None
                            ),
                        ),
                        (
                            "reviewers",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.TextField(), size=None
                            ),
                        ),
                        ("failing", models.BooleanField()),
                        ("promoted", models.BooleanField()),
                        ("contribution", models.JSONField()),
                        ("digest_hash", models.BigIntegerField()),
                    ],
                    options={
                        "db_table": "traces",
                    },
                ),
            ],
        ),
        migrations.RunPython(make_first_partitions, migrations.RunPython.noop),
        migrations.CreateModel(
            name="Feedback",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("trace_id", models.UUIDField()),
                ("span_id", models.CharField(blank=True, max_length=16)),
                ("key", models.CharField(max_length=200)),
                ("name", models.CharField(max_length=200)),
                ("value", models.JSONField(null=True)),
                ("label", models.CharField(blank=True, max_length=200)),
                ("comment", models.TextField(blank=True, max_length=10000)),
                ("source", models.CharField(blank=True, max_length=60)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="feedback",
                        to="projects.project",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["project", "trace_id"], name="feedback_by_trace")],
                "constraints": [
                    models.UniqueConstraint(fields=("project", "key"), name="feedback_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Parked",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("trace_id", models.UUIDField()),
                ("error", models.TextField()),
                ("parked_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="projects.project",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("project", "trace_id"), name="parked_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="PromptVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                ("version", models.CharField(max_length=100)),
                ("order", models.IntegerField(blank=True, null=True)),
                ("template", models.TextField(blank=True)),
                ("author", models.CharField(blank=True, max_length=200)),
                ("message", models.TextField(blank=True, max_length=2000)),
                ("first_seen_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="prompt_versions",
                        to="projects.project",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("project", "name", "version"),
                        name="prompt_version_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Refusal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("path", models.CharField(max_length=200)),
                ("status", models.SmallIntegerField()),
                ("reason", models.CharField(max_length=300)),
                (
                    "project",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="projects.project",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["project", "-at"], name="refusal_by_project")],
            },
        ),
    ]
