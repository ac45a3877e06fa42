"""The audit log is append-only for every role; what is too old goes by a function of its owner."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

GUARD = """
CREATE OR REPLACE FUNCTION projects_audit_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.at < now() - interval '400 days' THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'The audit log is append-only: % is refused.', TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE FUNCTION tracehub_prune_audit() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DELETE FROM projects_auditentry WHERE at < now() - interval '400 days 1 hour';
$$;
REVOKE EXECUTE ON FUNCTION tracehub_prune_audit() FROM PUBLIC;
"""
UNDO = "DROP FUNCTION tracehub_prune_audit();"


class Migration(migrations.Migration):
    dependencies = [("projects", "0005_outbox")]

    operations = [
        migrations.AlterField(
            model_name="auditentry",
            name="project",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="audit_entries",
                to="projects.project",
            ),
        ),
        migrations.RunSQL(GUARD, UNDO),
    ]
