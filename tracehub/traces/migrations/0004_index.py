"""Terms and counts of the traces that were there before, then the indexes. Resumes after a stop."""

import json

from django.db import migrations, transaction

from tracehub.core.query import terms
from tracehub.traces.partitions import create_index
from tracehub.traces.rollup import Change, change

BATCH = 1000
COLUMNS = (
    "project_id", "day", "trace_id", "started_at", "finished", "failing", "status", "verdict",
    "severity", "name", "environment", "cohort", "release", "session_id", "user_id", "outcome",
    "signal_kinds", "failure_modes", "reviewers", "agents", "models", "providers", "tools", "tags",
    "finish_reasons", "prompts", "metadata", "retries", "fallbacks", "timeouts", "promoted",
    "streaming", "span_kinds", "span_names",
)  # fmt: skip
# Kinds and names of spans come with the next look of the worker.
SELECT = f"""
    SELECT {", ".join(COLUMNS)} FROM traces WHERE terms = '{{}}' ORDER BY project_id, day, trace_id
    LIMIT {BATCH} FOR UPDATE
"""  # noqa: S608 names of ours
UPDATE = """
    UPDATE traces SET terms = sent.terms::bigint[]
    FROM unnest(%s::int8[], %s::date[], %s::uuid[], %s::text[]) AS sent (p, d, t, terms)
    WHERE project_id = p AND day = d AND trace_id = t
"""
# What each sort of the list walks: absent values stand as less than all.
INDEXES = {
    "traces_by_latency": "(project_id, COALESCE(duration_ns, -1) DESC, trace_id DESC)",
    "traces_by_cost": "(project_id, COALESCE(cost, -1) DESC, trace_id DESC)",
    "traces_by_tokens": "(project_id, COALESCE(total_tokens, -1) DESC, trace_id DESC)",
    # A batch of the worker goes into a short pending list (KB) and from there sorted into the
    # index: a quarter of the WAL, and a read goes through 64 pages more at most.
    "traces_terms": "USING gin (terms) WITH (fastupdate = on, gin_pending_list_limit = 512)",
}


def fill(apps, schema_editor):
    connection = schema_editor.connection
    while True:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute(SELECT)
            rows = [dict(zip(COLUMNS, row, strict=True)) for row in cursor.fetchall()]
            if not rows:
                return
            for row in rows:
                row["metadata"] = json.loads(row["metadata"])
            arrays = [f"{{{','.join(map(str, terms.of_row(row)))}}}" for row in rows]
            keys = [[row[name] for row in rows] for name in ("project_id", "day", "trace_id")]
            cursor.execute(UPDATE, [*keys, arrays])
            change(cursor, [Change(None, row) for row in rows])
            cursor.execute(
                "UPDATE arrivals SET dirty_seq = nextval('arrivals_dirty_seq'), dirty_at = now()"
                " WHERE (project_id, trace_id) IN (SELECT * FROM unnest(%s::int8[], %s::uuid[]))",
                [keys[0], keys[2]],
            )


def index(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        for name, columns in INDEXES.items():
            create_index(cursor, name, "traces", columns)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("traces", "0003_terms")]
    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.RunPython(index, migrations.RunPython.noop),
    ]
