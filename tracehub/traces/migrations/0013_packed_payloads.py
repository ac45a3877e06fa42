"""One packed payload a span instead of `content` beside `raw`, JSON that is read whole as `json`,
and words with their texts.

What is stored is packed anew, some hundred spans at a time; payloads in object storage come back
into the row and are moved again later.
"""

import json
import re

import orjson
import zstandard
from django.contrib.postgres.search import SearchVectorField
from django.db import migrations, models

from tracehub.core import packing
from tracehub.core.packing import decompress, pack
from tracehub.traces.fields import PlainJSON
from tracehub.traces.payloads import objects
from tracehub.traces.payloads.store import rewritten
from tracehub.traces.texts.store import words_of

BATCH = 500
FIRST = """
ALTER TABLE spans RENAME raw TO payload;
ALTER TABLE spans ADD cost_computed boolean NOT NULL DEFAULT false, ALTER facts TYPE json;
ALTER TABLE traces ALTER contribution TYPE json;
"""
# Words come with their text: nothing waits for them, and no row is replaced to add them. Rows of
# traces that change do not fit in their place whatever is left free, since indexed columns change.
LAST = """
ALTER TABLE spans DROP content;
DROP INDEX trace_texts_waiting;
ALTER TABLE trace_texts ALTER words SET NOT NULL;
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'traces'::regclass LOOP
        EXECUTE format('ALTER TABLE %s RESET (fillfactor)', name);
    END LOOP;
END $$;

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
        END IF;
        IF to_regclass('attributes_' || suffix) IS NULL THEN
            EXECUTE format(
                'CREATE TABLE %I PARTITION OF trace_attributes FOR VALUES FROM (%L) TO (%L)',
                'attributes_' || suffix, d, d + 1);
        END IF;
    END LOOP;
END $$;
"""
STORED = """
    SELECT project_id, day, trace_id, span_id, content::text, payload FROM spans
    WHERE (project_id, day, trace_id, span_id) > (%s, %s, %s, %s)
    ORDER BY project_id, day, trace_id, span_id LIMIT %s
"""
PACK = """
    UPDATE spans s SET payload = new.payload, cost_computed = new.computed
    FROM unnest(%s::int8[], %s::date[], %s::uuid[], %s::int8[], %s::bytea[], %s::bool[])
        AS new (p, d, t, i, payload, computed)
    WHERE project_id = p AND day = d AND trace_id = t AND span_id = i
"""
WAITING = """
    SELECT project_id, day, trace_id, name, input, output, error FROM trace_texts
    WHERE words IS NULL LIMIT %s
"""
INDEX = """
    UPDATE trace_texts SET words = array_to_tsvector(string_to_array(sent.words, ' '))
    FROM unnest(%s::int8[], %s::date[], %s::uuid[], %s::text[]) AS sent (p, d, t, words)
    WHERE project_id = p AND day = d AND trace_id = t
"""
_REFERENCE = re.compile(rb"([\x01-\x03])(\d+)\x00")


def texts_of(content):
    """Return the 64 longest texts that what was received refers to."""
    found, waiting = set(), [content]
    while waiting:
        node = waiting.pop()
        for value in node.values() if isinstance(node, dict) else node:
            if isinstance(value, str) and len(value) >= 24:
                found.add(value)
            elif isinstance(value, (dict, list)):
                waiting.append(value)
    return sorted(found, key=lambda text: (-len(text), text))[:64]


def form(text, kind):
    """Return a text as JSON, as JSON inside a string, or as Python's ASCII JSON in there."""
    if kind == 3:
        return orjson.dumps(json.dumps(text)[1:-1])[1:-1]
    once = orjson.dumps(text)[1:-1]
    return once if kind == 1 else orjson.dumps(once.decode())[1:-1]


def unpacked(raw, content):
    """Return what was received, from `raw` as it was: zstd with references to the content."""
    received = zstandard.ZstdDecompressor(dict_data=packing.WORDS).decompress(raw[1:])
    texts = texts_of(content) if b"\x00" in received else []
    return _REFERENCE.sub(lambda one: form(texts[int(one[2])], one[1][0]), received)


def fetched(content):
    """Return content and `raw` of a span that were moved into one object."""
    body = objects.read(content["payload_object"])
    end = 8 + int.from_bytes(body[:8], "big")
    return {**orjson.loads(decompress(body[8:end])), **content}, body[end:]


def pack_spans(apps, schema_editor):
    key = (0, "0001-01-01", "00000000-0000-0000-0000-000000000000", -(2**63))
    with schema_editor.connection.cursor() as cursor:
        while True:
            cursor.execute(STORED, [*key, BATCH])
            rows = cursor.fetchall()
            if not rows:
                return
            key = rows[-1][:4]
            new, moved = [], []
            for *keys, text, raw in rows:
                content = orjson.loads(text)
                if "payload_object" in content:
                    content, raw = fetched(content)
                    del content["payload_object"]
                    moved.append(tuple(keys))
                computed = content.pop("cost_source", None) == "computed"
                payload = pack(orjson.dumps(content), unpacked(bytes(raw), content))
                new.append((*keys, payload, computed))
            cursor.execute(PACK, [list(column) for column in zip(*new, strict=True)])
            rewritten(cursor, moved)


def fill_words(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        while True:
            cursor.execute(WAITING, [BATCH])
            rows = cursor.fetchall()
            if not rows:
                return
            keys = [list(column) for column in zip(*(row[:3] for row in rows), strict=True)]
            cursor.execute(INDEX, [*keys, [words_of(*row[3:]) for row in rows]])


class Migration(migrations.Migration):
    dependencies = [("traces", "0012_attributes")]
    operations = [
        migrations.RunSQL(FIRST),
        migrations.RunPython(pack_spans),
        migrations.RunPython(fill_words),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(LAST)],
            state_operations=[
                migrations.RemoveField("storedspan", "content"),
                migrations.RenameField("storedspan", "raw", "payload"),
                migrations.AddField(
                    "storedspan", "cost_computed", models.BooleanField(db_default=False)
                ),
                migrations.AlterField("storedspan", "facts", PlainJSON()),
                migrations.AlterField("trace", "contribution", PlainJSON()),
                migrations.AlterField("tracetext", "words", SearchVectorField()),
            ],
        ),
    ]
