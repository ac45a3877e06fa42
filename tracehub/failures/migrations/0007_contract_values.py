from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("failures", "0006_recent_days"),
    ]

    operations = [
        migrations.AddField(
            model_name="contract",
            name="escalations",
            field=models.JSONField(blank=True, db_default={}, default=dict),
        ),
        migrations.AddField(
            model_name="contract",
            name="nulls",
            field=models.JSONField(blank=True, db_default={}, default=dict),
        ),
    ]
