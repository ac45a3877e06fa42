"""Pictures, sounds and documents of spans: the bytes once a project, and who speaks of them."""

from django.db import migrations, models

# A picture is compressed already.
AS_IT_IS = "ALTER TABLE media ALTER body SET STORAGE EXTERNAL"


def key(*fields):
    return models.CompositePrimaryKey(
        *fields, blank=True, editable=False, primary_key=True, serialize=False
    )


class Migration(migrations.Migration):
    dependencies = [("traces", "0013_packed_payloads")]
    operations = [
        migrations.CreateModel(
            name="Medium",
            fields=[
                ("pk", key("project_id", "hash")),
                ("project_id", models.BigIntegerField()),
                ("hash", models.BinaryField()),
                ("type", models.TextField()),
                ("size", models.BigIntegerField()),
                ("body", models.BinaryField()),
                ("key", models.TextField(db_default="")),
                ("due_at", models.DateTimeField(db_index=True)),
            ],
            options={"db_table": "media"},
        ),
        migrations.CreateModel(
            name="MediumUse",
            fields=[
                ("pk", key("project_id", "trace_id", "hash")),
                ("project_id", models.BigIntegerField()),
                ("trace_id", models.UUIDField()),
                ("hash", models.BinaryField()),
                ("day", models.DateField(db_index=True)),
            ],
            options={
                "db_table": "media_uses",
                "indexes": [
                    models.Index(fields=["project_id", "hash"], name="media_uses_by_hash"),
                ],
            },
        ),
        migrations.RunSQL(AS_IT_IS, migrations.RunSQL.noop),
    ]
