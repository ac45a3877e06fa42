from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("evals", "0007_case_imports"),
        ("projects", "0007_reasoning_and_audio_prices"),
    ]

    operations = [
        migrations.AddField(
            model_name="runresult",
            name="rank",
            field=models.PositiveSmallIntegerField(default=0),
            preserve_default=False,
        ),
        migrations.AddIndex(
            model_name="runresult",
            index=models.Index(
                fields=["project", "run", "rank", "number"],
                include=["status"],
                name="run_result_by_rank",
            ),
        ),
    ]
