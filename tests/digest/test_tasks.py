"""Retention and tidying, as beat runs them every hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from tracehub.digest import tasks
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
