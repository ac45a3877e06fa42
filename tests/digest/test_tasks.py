"""Retention and tidying, as beat runs them every hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from tests.trace_rows import trace_row
from tests.web import stories
from tracehub.digest import tasks
from tracehub.review import queueing
from tracehub.review.models import QueueItem, Seat
from tracehub.traces import partitions
from tracehub.traces.models import Arrival, Refusal

pytestmark = pytest.mark.usefixtures("committed_db")


def test_prune_drops_days_past_retention_with_their_arrivals(settings):
    old = datetime.now(UTC).date() - timedelta(days=settings.RETENTION_DAYS + 1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT tracehub_ensure_partitions(%s, %s)", [old, old])
        cursor.execute(
            "INSERT INTO arrivals (project_id, trace_id, day)"
            " VALUES (1, gen_random_uuid(), %s), (1, gen_random_uuid(), current_date)",
            [old],
        )
    assert old in {p.day for p in partitions.existing()}
    tasks.prune()
    days = {p.day for p in partitions.existing()}
    today = datetime.now(UTC).date()
    assert old not in days
    assert {today + timedelta(days=n) for n in range(-1, 4)} <= days
    assert [a.day for a in Arrival.objects.all()] == [today]


def test_prune_forgets_old_refusals_and_may_run_twice():
    now = datetime.now(UTC)
    for days in (1, 8):
        Refusal.objects.create(
            at=now - timedelta(days=days), path="/v1/traces", status=401, reason="x"
        )
    tasks.prune()
    tasks.prune()
    assert Refusal.objects.count() == 1


def test_71_what_retention_took_leaves_the_queue_of_the_reviewer_who_has_it_open(client, settings):
    project = stories.project()
    reviewer = stories.member(project, "reviewer")
    client.force_login(reviewer)
    old = datetime.now(UTC).date() - timedelta(days=settings.RETENTION_DAYS + 1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT tracehub_ensure_partitions(%s, %s)", [old, old])
    gone, kept = trace_row(project, day=old), trace_row(project)
    for row in (gone, kept):
        Arrival.objects.create(project_id=project.pk, trace_id=row.trace_id, day=row.day)
    queue = queueing.create_queue(project, "Refunds")[0]
    waiting = QueueItem.objects.create(queue=queue, project=project, trace_id=gone.trace_id)
    Seat.objects.create(item=waiting, reviewer=reviewer)
    where = f"/{project.slug}/review/{queue.slug}/next"
    assert gone.trace_id.hex in client.get(f"{where}?not={kept.trace_id.hex}")["Location"]

    tasks.prune()
    said = client.post(f"/{project.slug}/traces/{gone.trace_id.hex}/review", {"verdict": "pass"})
    assert said.status_code == 404
    assert kept.trace_id.hex in client.get(where)["Location"]
    assert queue.items.get(trace_id=gone.trace_id).closed_at is not None
    assert queue.items.get(trace_id=kept.trace_id).closed_at is None
