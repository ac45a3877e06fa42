"""Texts of traces with the index over their words, partitioned as the traces are.

Texts of the traces that are there come with the next look of the worker, which this asks for.
"""

import django.contrib.postgres.search
from django.db import migrations, models

TABLE = """
CREATE TABLE trace_texts (
    project_id bigint NOT NULL,
    day date NOT NULL,
    trace_id uuid NOT NULL,
    started_at timestamptz NOT NULL,
    name text NOT NULL,
    input text NOT NULL,
    output text NOT NULL,
    error text NOT NULL,
    words tsvector,
    PRIMARY KEY (project_id, day, trace_id)
) PARTITION BY RANGE (day);
-- Words of a batch wait in a list of up to 4 MB and go sorted into the index: a third of the WAL.
CREATE INDEX trace_texts_words ON trace_texts USING gin (words)
    WITH (fastupdate = on, gin_pending_list_limit = 4096);
CREATE INDEX trace_texts_waiting ON trace_texts (project_id) WHERE words IS NULL;

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
            AND to_regclass('texts_' || suffix) IS NOT NULL;
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
    END LOOP;
END $$;
"""
BACK = "DROP TABLE trace_texts"
DAYS = """
    SELECT DISTINCT substring(inhrelid::regclass::text from '........$')::date FROM pg_inherits
    WHERE inhparent = 'traces'::regclass
"""


def partitions(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(DAYS)
        for (day,) in cursor.fetchall():
            cursor.execute("SELECT tracehub_ensure_partitions(%s, %s)", [day, day])
        cursor.execute(
            "UPDATE arrivals SET dirty_seq = nextval('arrivals_dirty_seq'), dirty_at = now()"
        )


class Migration(migrations.Migration):
    dependencies = [("traces", "0005_failures")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(TABLE, BACK)],
            state_operations=[
                migrations.CreateModel(
                    name="TraceText",
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
                        ("name", models.TextField()),
                        ("input", models.TextField()),
                        ("output", models.TextField()),
                        ("error", models.TextField()),
                        ("words", django.contrib.postgres.search.SearchVectorField(null=True)),
                    ],
                    options={"db_table": "trace_texts"},
                ),
            ],
        ),
        migrations.RunPython(partitions, migrations.RunPython.noop),
    ]
