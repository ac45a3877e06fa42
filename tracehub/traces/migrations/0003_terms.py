"""Columns for terms, and the hourly counts; 0004 fills them and builds the indexes."""

import django.contrib.postgres.fields
from django.db import migrations, models

COLUMNS = """
ALTER TABLE traces ADD span_kinds text[] NOT NULL DEFAULT '{}',
    ADD span_names text[] NOT NULL DEFAULT '{}', ADD terms bigint[] NOT NULL DEFAULT '{}';
CREATE TABLE term_counts (
    project_id bigint NOT NULL,
    key text NOT NULL,
    bucket timestamptz NOT NULL,
    value text NOT NULL,
    day date NOT NULL,
    traces bigint NOT NULL,
    failing bigint NOT NULL,
    PRIMARY KEY (project_id, key, bucket, value, day)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
"""
BACK = """
DROP TABLE term_counts;
ALTER TABLE traces DROP span_kinds, DROP span_names, DROP terms;
"""


def texts(base):
    return django.contrib.postgres.fields.ArrayField(
        base_field=base, db_default=[], default=list, size=None
    )


class Migration(migrations.Migration):
    dependencies = [("traces", "0002_supplements")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(COLUMNS, BACK)],
            state_operations=[
                migrations.AddField("trace", "span_kinds", texts(models.TextField())),
                migrations.AddField("trace", "span_names", texts(models.TextField())),
                migrations.AddField("trace", "terms", texts(models.BigIntegerField())),
                migrations.CreateModel(
                    name="TermCount",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "project_id",
                                "key",
                                "bucket",
                                "value",
                                "day",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("project_id", models.BigIntegerField()),
                        ("key", models.TextField()),
                        ("bucket", models.DateTimeField()),
                        ("value", models.TextField()),
                        ("day", models.DateField()),
                        ("traces", models.BigIntegerField()),
                        ("failing", models.BigIntegerField()),
                    ],
                    options={"db_table": "term_counts"},
                ),
            ],
        ),
    ]
