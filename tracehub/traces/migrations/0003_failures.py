import django.contrib.postgres.fields
from django.db import migrations, models

# A constant default adds the column without a rewrite. The index is partial: most traces are in
# no group. It is built on every partition in the transaction, which this early version allows.
SQL = """
    ALTER TABLE traces ADD COLUMN failures bigint[] NOT NULL DEFAULT '{}';
    CREATE INDEX traces_by_failure ON traces USING gin (failures) WHERE failures <> '{}'
"""


class Migration(migrations.Migration):
    dependencies = [
        ("traces", "0002_supplements"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    SQL, "DROP INDEX traces_by_failure; ALTER TABLE traces DROP COLUMN failures"
                ),
            ],
            state_operations=[
                migrations.AddField(
                    model_name="trace",
                    name="failures",
                    field=django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), default=list, size=None
                    ),
                ),
            ],
        ),
    ]
