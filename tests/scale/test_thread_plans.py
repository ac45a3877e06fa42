"""Sessions and users are found by the index on terms, as the planner chooses with statistics."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
from django.db import connection

from tests.trace_rows import trace_row
from tracehub.core.query import parse
from tracehub.projects.models import Project
from tracehub.traces.extent import Range
from tracehub.traces.querysets import Sort
from tracehub.traces.threads import store as threads

MANY = """
    INSERT INTO traces SELECT (jsonb_populate_record(t, jsonb_build_object(
        'trace_id', gen_random_uuid(), 'started_at', t.started_at - n * interval '1 second'))).*
    FROM traces t, generate_series(1, 300) n WHERE t.session_id IS NULL
"""


def test_a_session_and_a_user_go_by_the_terms(committed_db, database_url):
    """As the planner chooses among 3,000 traces of a day, by what it knows of them."""
    project = Project.objects.create(slug="skylane", name="Skylane")
    for n in range(10):
        trace_row(project, ago=timedelta(minutes=n))
    now = datetime.now(UTC)
    within = Range(project, now - timedelta(days=1), now)
    trace_row(project, session_id="s-1", user_id="u-1")
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(MANY)
        owner.execute("VACUUM ANALYZE traces")
    rows = threads.turns_of(within, "s-1")
    shown = [rows.in_order(Sort.of("started_at"), gathered=True).explain(costs=False)]
    for key, name in (("session", "s-1"), ("user", "u-1")):
        statement, params = threads.statement_of(within, parse("is:failing"), key, [name])
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {statement}", params)
            shown.append("\n".join(line for (line,) in cursor.fetchall()))
    for text in shown:
        assert "Bitmap Index Scan" in text
        assert "Index Cond: (terms && " in text
    assert [row.session_id for row in rows] == ["s-1"]
