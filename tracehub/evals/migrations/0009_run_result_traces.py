import django.contrib.postgres.fields
import django.contrib.postgres.indexes
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("evals", "0008_run_result_rank")]

    operations = [
        migrations.AddField(
            model_name="runresult",
            name="trace_ids",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.UUIDField(), db_default=[], default=list, size=None
            ),
        ),
        migrations.AddIndex(
            model_name="runresult",
            index=django.contrib.postgres.indexes.GinIndex(
                fields=["trace_ids"], name="run_result_by_trace"
            ),
        ),
    ]
