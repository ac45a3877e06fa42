from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("projects", "0003_audit_append_only")]

    operations = [
        migrations.AddField(
            model_name="project",
            name="hides_content",
            field=models.BooleanField(default=False),
        ),
    ]
