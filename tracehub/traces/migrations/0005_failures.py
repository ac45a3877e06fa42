"""The failures of a trace. A constant default adds the column without a rewrite."""

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models

from tracehub.traces.partitions import create_index

# Most traces are in no group, so the index is partial.
COLUMNS = "USING gin (failures) WITH (fastupdate = off) WHERE failures <> '{}'"


def index(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        create_index(cursor, "traces_by_failure", "traces", COLUMNS)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("traces", "0004_index")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "ALTER TABLE traces"
                    " ADD COLUMN IF NOT EXISTS failures bigint[] NOT NULL DEFAULT '{}'",
                    "ALTER TABLE traces DROP COLUMN failures",
                ),
            ],
            state_operations=[
                migrations.AddField(
                    model_name="trace",
                    name="failures",
                    field=ArrayField(models.BigIntegerField(), default=list, size=None),
                ),
            ],
        ),
        migrations.RunPython(index, migrations.RunPython.noop),
    ]
