"""Retention of traces and the cases made from them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import connection

from tests.web import stories
from tracehub.digest import tasks
from tracehub.evals import actions, promoting, querysets
from tracehub.traces import reading


def age(days: int) -> None:
    """Let all that arrived today have arrived so many days ago."""
    old = datetime.now(UTC).date() - timedelta(days=days)
    with connection.cursor() as cursor:
        cursor.execute("SELECT tracehub_ensure_partitions(%s, %s)", [old, old])
        for table in ("arrivals", "spans", "traces"):
            cursor.execute(f"UPDATE {table} SET day = %s", [old])


def test_a_case_stays_as_it_is_when_its_trace_goes(committed_db, client, settings):
    project = stories.project()
    trace = stories.refund_trace(project)
    made, _ = actions.create_set(project, "Refunds")
    promoting.add_all(made, [promoting.Promotion(UUID(hex=trace))])
    version = actions.fix(made)
    before = list(querysets.bundle(made, 1).cases)
    client.force_login(stories.member(project, "viewer"))
    page = "/skylane/evals/refunds/cases/c_0001?version=1"
    assert f'href="/skylane/traces/{trace}' in client.get(page).text

    age(settings.RETENTION_DAYS + 1)
    tasks.prune()

    assert reading.known(project, [UUID(hex=trace)]) == set()
    assert list(querysets.bundle(made, 1).cases) == before
    assert before[0]["source"]["trace_id"] == trace  # where it came from is still said
    version.refresh_from_db()
    assert version.redactions == []
    said = client.get(page).text
    assert f'href="/skylane/traces/{trace}' not in said
    assert "is deleted" in said
    assert client.get("/skylane/evals/refunds").status_code == 200
