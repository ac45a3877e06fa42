"""Attributes of spans, to filter by: a row a trace, partitioned as the traces are.

Those of the traces that are there come with a second look, which this asks for.
"""

import django.contrib.postgres.search
from django.db import migrations, models

TABLE = """
CREATE TABLE trace_attributes (
    project_id bigint NOT NULL,
    day date NOT NULL,
    trace_id uuid NOT NULL,
    started_at timestamptz NOT NULL,
    words tsvector NOT NULL,
    PRIMARY KEY (project_id, day, trace_id)
) PARTITION BY RANGE (day);
-- As for the words of texts: a batch goes sorted into the index.
CREATE INDEX trace_attributes_words ON trace_attributes USING gin (words)
    WITH (fastupdate = on, gin_pending_list_limit = 4096);

CREATE OR REPLACE FUNCTION tracehub_ensure_partitions(first date, last date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    d date;
    suffix text;
BEGIN
    IF last - first > 10 THEN
        RAISE EXCEPTION 'at most 10 days of partitions at once, got % to %', first, last;
    END IF;
    FOR d IN SELECT generate_series(first, last, interval '1 day')::date LOOP
        suffix := to_char(d, 'YYYYMMDD');
        CONTINUE WHEN to_regclass('spans_' || suffix) IS NOT NULL
            AND to_regclass('traces_' || suffix) IS NOT NULL
            AND to_regclass('texts_' || suffix) IS NOT NULL
            AND to_regclass('attributes_' || suffix) IS NOT NULL;
        PERFORM pg_advisory_xact_lock(7426, d - date '2000-01-01');
        IF to_regclass('spans_' || suffix) IS NULL THEN
            EXECUTE format(
                'CREATE TABLE %I PARTITION OF spans FOR VALUES FROM (%L) TO (%L)',
                'spans_' || suffix, d, d + 1);
            -- Only above 2 KB a row; below it the payload stays in the row and is read with it.
            EXECUTE format('ALTER TABLE %I SET (toast_tuple_target = 2048)', 'spans_' || suffix);
        END IF;
        IF to_regclass('traces_' || suffix) IS NULL THEN
            EXECUTE format(
                'CREATE TABLE %I PARTITION OF traces FOR VALUES FROM (%L) TO (%L)'
                ' WITH (fillfactor = 85)',
                'traces_' || suffix, d, d + 1);
        END IF;
        IF to_regclass('texts_' || suffix) IS NULL THEN
            EXECUTE format(
                'CREATE TABLE %I PARTITION OF trace_texts FOR VALUES FROM (%L) TO (%L)',
                'texts_' || suffix, d, d + 1);
        END IF;
        IF to_regclass('attributes_' || suffix) IS NULL THEN
            EXECUTE format(
                'CREATE TABLE %I PARTITION OF trace_attributes FOR VALUES FROM (%L) TO (%L)',
                'attributes_' || suffix, d, d + 1);
        END IF;
    END LOOP;
END $$;
CREATE OR REPLACE FUNCTION tracehub_drop_partition(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF name !~ '^(spans|traces|texts|attributes)_[0-9]{8}$' THEN
        RAISE EXCEPTION 'not a partition: %', name;
    END IF;
    IF to_date(right(name, 8), 'YYYYMMDD') >= current_date THEN
        RAISE EXCEPTION 'the day of % is not over', name;
    END IF;
    EXECUTE format('DROP TABLE IF EXISTS %I', name);
END $$;
"""
DAYS = """
    SELECT DISTINCT substring(inhrelid::regclass::text from '........$')::date FROM pg_inherits
    WHERE inhparent = 'traces'::regclass
"""
ASK = """
    INSERT INTO second_looks (project_id, trace_id, day, asked_at)
    SELECT project_id, trace_id, day, now() FROM arrivals WHERE NOT dropped
    ON CONFLICT DO NOTHING
"""


def partitions(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(DAYS)
        for (day,) in cursor.fetchall():
            cursor.execute("SELECT tracehub_ensure_partitions(%s, %s)", [day, day])
        cursor.execute("SELECT to_regclass('second_looks')")
        if cursor.fetchone()[0] is not None:
            cursor.execute(ASK)


class Migration(migrations.Migration):
    dependencies = [("traces", "0011_payload_objects")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(TABLE, "DROP TABLE trace_attributes")],
            state_operations=[
                migrations.CreateModel(
                    name="TraceAttributes",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "project_id",
                                "day",
                                "trace_id",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("project_id", models.BigIntegerField()),
                        ("day", models.DateField()),
                        ("trace_id", models.UUIDField()),
                        ("started_at", models.DateTimeField()),
                        ("words", django.contrib.postgres.search.SearchVectorField()),
                    ],
                    options={"db_table": "trace_attributes"},
                ),
            ],
        ),
        migrations.RunPython(partitions, migrations.RunPython.noop),
    ]
