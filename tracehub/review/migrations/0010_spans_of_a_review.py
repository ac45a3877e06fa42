from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("review", "0009_trace_talk")]

    operations = [
        migrations.AddField(
            model_name="review", name="spans", field=models.PositiveIntegerField(null=True)
        ),
    ]
