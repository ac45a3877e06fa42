"""Judges traces that were quiet for ten minutes: what nothing speaks for goes, its sums stay.

Found from a table, so a run that dies is done again; each batch is one transaction. The rollups
are not touched: what a trace added to the charts it added for good.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from tracehub.core.share import in_share
from tracehub.digest.store import Cursor, driver_cursor
from tracehub.evals.querysets import promoted
from tracehub.failures.rules import store as second_pass
from tracehub.review.models import QueueItem, Review
from tracehub.traces import rollup as term_counts
from tracehub.traces.models import Feedback
from tracehub.traces.sampling import store

BATCH = 200  # traces in one transaction


def put_up(
    cursor: Cursor, project_id: int, day: date, seen: Iterable[UUID], known: Iterable[UUID]
) -> None:
    """Note which of the traces that were just summed up must be judged, and when.

    `known` had a row before: they wait already, or were judged, or came before sampling did.
    """
    one_in = store.one_in(project_id)
    if one_in == 1:
        return
    now, old = timezone.now(), set(known)
    outside = [trace for trace in seen if not in_share(trace, one_in)]
    store.put_up(cursor, project_id, day, now, [t for t in outside if t not in old])
    store.put_off(cursor, project_id, now, [t for t in outside if t in old])


def drop_due(*, now: datetime | None = None, limit: int = BATCH) -> int:
    """Judge one batch of quiet traces in a transaction; return how many were judged."""
    now = now or timezone.now()
    with transaction.atomic():
        cursor = driver_cursor()
        due = store.due(cursor, now, limit)
        groups: dict[tuple[int, date], list[store.Due]] = defaultdict(list)
        for trace in due:
            groups[trace.project_id, trace.day].append(trace)
        gone: list[dict[str, Any]] = []
        for (project_id, day), traces in sorted(groups.items()):
            gone += _judge(cursor, project_id, day, traces, now)
        term_counts.change(
            cursor, [term_counts.Change(row if row["counted"] else None, None) for row in gone]
        )
    return len(due)


def _judge(
    cursor: Cursor, project_id: int, day: date, due: Sequence[store.Due], now: datetime
) -> list[dict[str, Any]]:
    """Drop those of one partition that nothing speaks for; return their rows as they were."""
    one_in = store.one_in(project_id)
    outside = [trace.trace_id for trace in due if not in_share(trace.trace_id, one_in)]
    held = set(store.hold(cursor, project_id, outside)) - second_pass.among(project_id, outside)
    store.put_off(cursor, project_id, now, [trace for trace in outside if trace not in held])
    store.judged(cursor, [t for t in due if t.trace_id in held or t.trace_id not in outside])
    lone = store.unmarked(cursor, project_id, day, sorted(held))
    lone -= _wanted(project_id, lone)
    return store.delete(cursor, project_id, day, sorted(lone)) if lone else []


def _wanted(project_id: int, traces: set[UUID]) -> set[UUID]:
    """Return those that a person or a queue has to do with, whatever became of it since."""
    found = promoted(project_id, traces)
    for model in (Review, QueueItem, Feedback):
        rows = model.objects.filter(project_id=project_id, trace_id__in=traces)
        found.update(rows.values_list("trace_id", flat=True))
    return found
