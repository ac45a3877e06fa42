"""Retention without the right to drop tables: a function of the owner drops days that are over."""

from __future__ import annotations

from django.db import migrations

FUNCTION = """
CREATE FUNCTION tracehub_drop_partition(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF name !~ '^(spans|traces|texts)_[0-9]{8}$' THEN
        RAISE EXCEPTION 'not a partition: %', name;
    END IF;
    IF to_date(right(name, 8), 'YYYYMMDD') >= current_date THEN
        RAISE EXCEPTION 'the day of % is not over', name;
    END IF;
    EXECUTE format('DROP TABLE IF EXISTS %I', name);
END $$;
REVOKE EXECUTE ON FUNCTION tracehub_drop_partition(text) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION tracehub_ensure_partitions(date, date) FROM PUBLIC;
"""
UNDO = """
DROP FUNCTION tracehub_drop_partition(text);
GRANT EXECUTE ON FUNCTION tracehub_ensure_partitions(date, date) TO PUBLIC;
"""


class Migration(migrations.Migration):
    dependencies = [("traces", "0008_saved_views")]

    operations = [migrations.RunSQL(FUNCTION, UNDO)]
