"""The audit log keeps what it was told, also from the application that writes it."""

from __future__ import annotations

from django.db import migrations

# A project that is deleted leaves its entries, without their link to it: the one change allowed.
# Entries may go after 400 days.
GUARD = """
CREATE FUNCTION projects_audit_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.at < now() - interval '400 days' THEN
            RETURN OLD;
        END IF;
    ELSIF TG_OP = 'UPDATE' THEN
        IF NEW.project_id IS NULL
            AND (to_jsonb(NEW) - 'project_id') = (to_jsonb(OLD) - 'project_id') THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'The audit log is append-only: % is refused.', TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON projects_auditentry
    FOR EACH ROW EXECUTE FUNCTION projects_audit_kept();
CREATE TRIGGER audit_not_emptied BEFORE TRUNCATE ON projects_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION projects_audit_kept();
"""
UNDO = """
DROP TRIGGER audit_not_emptied ON projects_auditentry;
DROP TRIGGER audit_append_only ON projects_auditentry;
DROP FUNCTION projects_audit_kept();
"""


class Migration(migrations.Migration):
    dependencies = [("projects", "0002_masking")]

    operations = [migrations.RunSQL(GUARD, UNDO)]
