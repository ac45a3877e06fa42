"""Partitions are made beside their table and then attached.

`CREATE TABLE … PARTITION OF` locks the table against everybody: behind one long read, such as an
export, all that reads or writes traces waited, and a read of two tables could meet it in a deadlock.
Attaching goes on beside reads and writes.
"""

from django.db import migrations

FUNCTION = r"""
CREATE OR REPLACE FUNCTION tracehub_ensure_partitions(first date, last date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    d date;
    whole text;
    part text;
BEGIN
    IF last - first > 10 THEN
        RAISE EXCEPTION 'at most 10 days of partitions at once, got % to %', first, last;
    END IF;
    FOR d IN SELECT generate_series(first, last, interval '1 day')::date LOOP
        FOR whole, part IN VALUES ('spans', 'spans_'), ('traces', 'traces_'),
            ('trace_texts', 'texts_'), ('trace_attributes', 'attributes_')
        LOOP
            part := part || to_char(d, 'YYYYMMDD');
            CONTINUE WHEN to_regclass(part) IS NOT NULL;
            PERFORM pg_advisory_xact_lock(7426, d - date '2000-01-01');
            CONTINUE WHEN to_regclass(part) IS NOT NULL;  -- somebody else made it meanwhile
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', part, whole);
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                whole, part, d, d + 1);
            IF whole IN ('trace_texts', 'trace_attributes') THEN
                PERFORM tracehub_index_without_statistics(part::regclass);
            END IF;
        END LOOP;
    END LOOP;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("traces", "0015_words_in_indexes")]

    operations = [migrations.RunSQL(FUNCTION, migrations.RunSQL.noop)]
