"""Words of texts and attributes in their indexes alone: the rows hold what they are worked out of.

Attributes of the traces that are there come with a second look, which this asks for. Resumes after
a stop.
"""

import django.contrib.postgres.search
from django.db import migrations, models

from tracehub.traces.partitions import create_index

# Plain texts: ASCII letters and digits between anything else (`core/query/words.py`, are_plain). A
# letter alone, which the end of a text leaves, is no word.
FUNCTIONS = r"""
CREATE OR REPLACE FUNCTION tracehub_text_words(
    words tsvector, name text, input text, output text, error text
) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1000 AS $$
    SELECT coalesce(words, array_to_tsvector(array_remove(string_to_array(
        regexp_replace(lower((' ' || name) COLLATE "C"), '[^a-z0-9]+', ' n', 'g')
        || regexp_replace(lower((' ' || input) COLLATE "C"), '[^a-z0-9]+', ' i', 'g')
        || regexp_replace(lower((' ' || output) COLLATE "C"), '[^a-z0-9]+', ' o', 'g')
        || regexp_replace(lower((' ' || error) COLLATE "C"), '[^a-z0-9]+', ' e', 'g'),
        ' '), '')))
$$;

-- Of each part: its key, with the first four characters of the value, and with all of it.
CREATE OR REPLACE FUNCTION tracehub_attribute_buckets(pairs text) RETURNS integer[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT COST 1000 AS $$
DECLARE
    part text;
    at integer;
    found integer[] := '{}';
BEGIN
    FOREACH part IN ARRAY string_to_array(btrim(pairs, E'\x1e'), E'\x1e') LOOP
        at := strpos(part, E'\x1f');
        found := found || (hashtextextended(part, 0) & 32767)::integer;
        IF at > 0 THEN
            found := found || ARRAY[
                (hashtextextended(left(part, at - 1), 0) & 32767)::integer,
                (hashtextextended(left(part, at + 4), 0) & 32767)::integer];
        END IF;
    END LOOP;
    RETURN found;
END $$;

ALTER TABLE trace_texts ALTER words DROP NOT NULL;
ALTER TABLE trace_attributes ADD COLUMN IF NOT EXISTS pairs text NOT NULL DEFAULT '',
    ALTER words DROP NOT NULL;

-- Statistics of an index over a function would run it for every sampled row.
CREATE OR REPLACE FUNCTION tracehub_index_without_statistics(partition regclass) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    index regclass;
BEGIN
    FOR index IN SELECT indexrelid FROM pg_index
        WHERE indrelid = partition AND indexprs IS NOT NULL
    LOOP
        EXECUTE format('ALTER INDEX %s ALTER COLUMN 1 SET STATISTICS 0', index);
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION tracehub_index_without_statistics(regclass) FROM PUBLIC;

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
        END IF;
        IF to_regclass('traces_' || suffix) IS NULL THEN
            EXECUTE format(
                'CREATE TABLE %I PARTITION OF traces FOR VALUES FROM (%L) TO (%L)',
                'traces_' || suffix, d, d + 1);
        END IF;
        IF to_regclass('texts_' || suffix) IS NULL THEN
            EXECUTE format(
                'CREATE TABLE %I PARTITION OF trace_texts FOR VALUES FROM (%L) TO (%L)',
                'texts_' || suffix, d, d + 1);
            PERFORM tracehub_index_without_statistics(('texts_' || suffix)::regclass);
        END IF;
        IF to_regclass('attributes_' || suffix) IS NULL THEN
            EXECUTE format(
                'CREATE TABLE %I PARTITION OF trace_attributes FOR VALUES FROM (%L) TO (%L)',
                'attributes_' || suffix, d, d + 1);
            PERFORM tracehub_index_without_statistics(('attributes_' || suffix)::regclass);
        END IF;
    END LOOP;
END $$;
"""
# What batches add waits in a list of so many KB and goes sorted into the index: half as much WAL as
# without. Once filled, the room of the list stays with the index of its day.
GIN = "USING gin ({}) WITH (fastupdate = on, gin_pending_list_limit = {})"
INDEXES = {
    "trace_texts": (
        "trace_texts_said",
        "trace_texts_words",
        GIN.format("tracehub_text_words(words, name, input, output, error)", 2048),
    ),
    "trace_attributes": (
        "trace_attributes_buckets",
        "trace_attributes_words",
        GIN.format("tracehub_attribute_buckets(pairs)", 1024),
    ),
}
PARTS = """
    SELECT tracehub_index_without_statistics(inhrelid) FROM pg_inherits
    WHERE inhparent = %s::regclass
"""
ASK = """
    INSERT INTO second_looks (project_id, trace_id, day, asked_at)
    SELECT project_id, trace_id, day, now() FROM trace_attributes WHERE pairs = ''
    ON CONFLICT DO NOTHING
"""


def index(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        for table, (name, before, columns) in INDEXES.items():
            create_index(cursor, name, table, columns)
            cursor.execute(PARTS, [table])
            cursor.execute(f"DROP INDEX IF EXISTS {before}")
        cursor.execute("SELECT to_regclass('second_looks')")
        if cursor.fetchone()[0] is not None:
            cursor.execute(ASK)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("traces", "0014_media")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(FUNCTIONS, migrations.RunSQL.noop)],
            state_operations=[
                migrations.AlterField(
                    "tracetext",
                    "words",
                    django.contrib.postgres.search.SearchVectorField(null=True),
                ),
                migrations.AlterField(
                    "traceattributes",
                    "words",
                    django.contrib.postgres.search.SearchVectorField(null=True),
                ),
                migrations.AddField("traceattributes", "pairs", models.TextField(db_default="")),
            ],
        ),
        migrations.RunPython(index, migrations.RunPython.noop),
    ]
