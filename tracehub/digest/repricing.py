"""Prices stored calls anew when a project's prices change: a job in batches that can be killed.

Each batch stores its costs, marks its traces for the worker and moves the job on in one
transaction. Costs are a function of tokens and prices, so a batch that is done twice changes
nothing. Costs that senders gave stay as they are.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from tracehub.core.cost import Override, price
from tracehub.core.stored import digest_of, when
from tracehub.digest import life, store
from tracehub.digest.models import Repricing
from tracehub.projects.models import Project
from tracehub.projects.prices import overrides
from tracehub.traces import partitions
from tracehub.traces.store import mark_dirty

BATCH = 500  # traces in one transaction
WAIT = timedelta(seconds=10)  # until no ingestion remembers the old prices (5 s)


def start(project: Project, since: date) -> Repricing:
    """Ask for new costs of the calls that came from `since` on; open jobs become one."""
    until = timezone.now().date() + timedelta(days=1)  # an early trace of tomorrow by its own clock
    kept = min((each.day for each in partitions.existing()), default=until)
    since = min(max(since - timedelta(days=1), kept), until)
    with transaction.atomic():
        waiting = Repricing.objects.select_for_update().filter(project=project, finished_at=None)
        for job in waiting:
            since = min(since, job.since)
            job.finished_at = timezone.now()
            job.save(update_fields=["finished_at"])
        return Repricing.objects.create(project=project, since=since, until=until, day=since)


def work(*, seconds: float) -> int:
    """Go on with open jobs until they are done or the time is up; return the spans changed."""
    end, changed = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        life.sign()
        with transaction.atomic():
            job = (
                Repricing.objects.select_for_update(skip_locked=True)
                .filter(finished_at=None, created_at__lte=timezone.now() - WAIT)
                .order_by("pk")
                .first()
            )
            if job is None:
                break
            changed += _step(job)
    return changed


def _step(job: Repricing) -> int:
    """Price one batch of traces anew and move the job on."""
    cursor = store.driver_cursor()
    traces = store.day_traces(cursor, job.project_id, job.day, job.after, BATCH)
    changed = 0
    if traces:
        calls = store.lock_calls(cursor, job.project_id, job.day, traces)
        costs = _new_costs(calls, overrides(job.project_id))
        changed = len(costs)
        if costs:
            store.set_costs(cursor, job.project_id, job.day, costs)
            mark_dirty(job.project_id, {trace_id for trace_id, _, _ in costs})
        job.after = traces[-1]
        job.traces += len(traces)
        job.changed += changed
    if len(traces) < BATCH:
        job.day, job.after = job.day + timedelta(days=1), UUID(int=0)
        if job.day > job.until:
            job.finished_at = datetime.now(UTC)
    job.save()
    return changed


def _new_costs(
    calls: Sequence[dict[str, Any]], prices: Sequence[Override]
) -> list[tuple[UUID, int, Decimal | None]]:
    found = []
    for row in calls:
        call = digest_of(row)
        if call.tokens is None or call.model is None:
            continue
        at = when(call.start_ns)
        cost = price(call.model, call.provider, call.tokens, at, prices, call.service_tier)
        if cost != row["cost"]:
            found.append((row["trace_id"], row["span_id"], cost))
    return found
