"""What drafts hold of a failure and of a prompt, built while cases are written."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models.fields.json import KeyTextTransform


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("evals", "0010_run_typical")]
    operations = [
        AddIndexConcurrently(
            "case",
            models.Index(
                fields=["project", "source_failure", "eval_set"],
                condition=models.Q(removed_in__isnull=True) & ~models.Q(source_failure=""),
                name="case_by_failure",
            ),
        ),
        AddIndexConcurrently(
            "case",
            models.Index(
                models.F("project"),
                KeyTextTransform("name", "prompt"),
                models.F("eval_set"),
                condition=models.Q(removed_in__isnull=True),
                name="case_by_prompt",
            ),
        ),
    ]
