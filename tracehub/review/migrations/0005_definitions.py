"""Definitions of failure modes have versions, and labels remember theirs."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

# The table that Django made for `Review.modes` becomes a model, as it is.
RENAME = """
DO $$ DECLARE held text; BEGIN
    SELECT conname INTO held FROM pg_constraint
    WHERE conrelid = 'review_review_modes'::regclass AND contype = 'u';
    EXECUTE format('ALTER TABLE review_review_modes RENAME CONSTRAINT %I TO mode_label_once', held);
END $$
"""
STATE = [
    migrations.CreateModel(
        name="ModeLabel",
        fields=[
            (
                "id",
                models.BigAutoField(
                    auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                ),
            ),
            (
                "failuremode",
                models.ForeignKey(
                    on_delete=django.db.models.deletion.CASCADE,
                    related_name="labels",
                    to="review.failuremode",
                ),
            ),
            (
                "review",
                models.ForeignKey(
                    on_delete=django.db.models.deletion.CASCADE,
                    related_name="labels",
                    to="review.review",
                ),
            ),
        ],
        options={
            "db_table": "review_review_modes",
        },
    ),
    migrations.AlterField(
        model_name="review",
        name="modes",
        field=models.ManyToManyField(
            blank=True, related_name="reviews", through="review.ModeLabel", to="review.failuremode"
        ),
    ),
    migrations.AddConstraint(
        model_name="modelabel",
        constraint=models.UniqueConstraint(
            fields=("review", "failuremode"), name="mode_label_once"
        ),
    ),
]
LABELS = [
    migrations.SeparateDatabaseAndState(
        database_operations=[migrations.RunSQL(RENAME, migrations.RunSQL.noop)],
        state_operations=STATE,
    ),
    migrations.AddField(
        model_name="modelabel",
        name="version",
        field=models.PositiveIntegerField(default=1),
    ),
]


class Migration(migrations.Migration):
    dependencies = [
        ("projects", "0005_outbox"),
        ("review", "0004_sampling"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="failuremode",
            name="version",
            field=models.PositiveIntegerField(default=1),
        ),
        migrations.AddField(
            model_name="recoding",
            name="above",
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name="recoding",
            name="raised",
            field=models.JSONField(default=list),
        ),
        migrations.AlterField(
            model_name="recoding",
            name="kind",
            field=models.CharField(
                choices=[
                    ("assign", "Grouped"),
                    ("merge", "Merged"),
                    ("split", "Split"),
                    ("check", "Checked again"),
                ],
                max_length=6,
            ),
        ),
        *LABELS,
        migrations.CreateModel(
            name="ModeVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("definition", models.TextField(blank=True)),
                ("change", models.CharField(max_length=200)),
                ("ended_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "mode",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="versions",
                        to="review.failuremode",
                    ),
                ),
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
                "ordering": ("-number",),
            },
        ),
        migrations.AddConstraint(
            model_name="modeversion",
            constraint=models.UniqueConstraint(
                fields=("project", "mode", "number"), name="mode_version_once"
            ),
        ),
    ]
