"""Sums of erased traces by hour: the charts go on counting them."""

from django.db import migrations, models


def count():
    return models.BigIntegerField(default=0, db_default=0)


KEY = models.CompositePrimaryKey(
    "project_id", "hour", blank=True, editable=False, primary_key=True, serialize=False
)
COUNTERS = (
    "traces", "spans", "finished", "successes", "retries", "fallbacks", "timeouts", "input_tokens",
    "output_tokens", "failing", "errors", "review_fail",
)  # fmt: skip
COST = models.DecimalField(max_digits=30, decimal_places=10, default=0, db_default=0)


class Migration(migrations.Migration):
    dependencies = [("traces", "0009_drop_partition")]
    operations = [
        migrations.CreateModel(
            name="ErasedHour",
            fields=[
                ("pk", KEY),
                ("project_id", models.BigIntegerField()),
                ("hour", models.DateTimeField()),
                *((name, count()) for name in COUNTERS),
                ("cost", COST),
            ],
            options={"db_table": "erased_hours"},
        ),
    ]
