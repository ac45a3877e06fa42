from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("evals", "0009_run_result_traces")]

    operations = [
        migrations.AddField(model_name="run", name="case_cost", field=models.FloatField(null=True)),
        migrations.AddField(
            model_name="run", name="latency_ms", field=models.FloatField(null=True)
        ),
    ]
