"""Erasures of a person's data, and their receipts."""

import django.db.models.deletion
import django.utils.timezone
from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models

KINDS = [("user", "User id"), ("session", "Session id"), ("traces", "Trace ids")]
ID = models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")
PROJECT = models.ForeignKey(
    on_delete=django.db.models.deletion.CASCADE, related_name="erasures", to="projects.project"
)


class Migration(migrations.Migration):
    dependencies = [("digest", "0003_bulk_jobs"), ("projects", "0007_reasoning_and_audio_prices")]
    operations = [
        migrations.CreateModel(
            name="Erasure",
            fields=[
                ("id", ID),
                ("kind", models.CharField(choices=KINDS, max_length=7)),
                ("wanted", ArrayField(models.TextField(), default=list)),
                ("marks", ArrayField(models.CharField(max_length=64))),
                ("by", models.CharField(max_length=254)),
                ("expected", models.BigIntegerField(default=0)),
                ("counts", models.JSONField(default=dict)),
                ("cursor", models.CharField(blank=True, max_length=200)),
                ("again", models.BooleanField(default=False)),
                ("groups", ArrayField(models.BigIntegerField(), default=list)),
                ("error", models.CharField(blank=True, max_length=500)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("finished_at", models.DateTimeField(null=True)),
                ("project", PROJECT),
            ],
            options={"db_table": "erasures", "ordering": ("-id",)},
        ),
    ]
