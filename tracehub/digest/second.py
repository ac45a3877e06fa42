"""The second pass: what reads whole payloads, done when lists are up to date.

A batch is one transaction: it looks, keeps what it found, asks for the rows whose signals changed
and takes its traces out of the queue. A worker that is killed loses nothing but that batch's time.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from tracehub.core.digest import digest
from tracehub.core.query.attributes import indexed
from tracehub.core.signals.base import Asked
from tracehub.core.signals.rules import Rules
from tracehub.core.signals.usual import ENOUGH
from tracehub.core.stored import span_of, when
from tracehub.core.summary import summarise
from tracehub.core.trace import Signal, Span
from tracehub.failures.rules import looking, store
from tracehub.projects.models import Project
from tracehub.traces.attributes import store as attributes
from tracehub.traces.store import mark_dirty, spans_of

logger = logging.getLogger(__name__)

BATCH = 50  # traces in one transaction
UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
SETTLED = 10 * ENOUGH  # calls from which a baseline may wait for the hour


def look_some(limit: int = BATCH) -> int:
    """Look at some of the traces that wait; return how many those were."""
    with transaction.atomic():
        claimed = store.waiting(limit)
        groups: dict[tuple[int, date], list[UUID]] = defaultdict(list)
        for one in claimed:
            groups[one.project_id, one.day].append(one.trace_id)
        for (project_id, day), traces in groups.items():
            _look(project_id, day, traces)
        if claimed:
            store.done(claimed)
    return len(claimed)


def _look(project_id: int, day: date, traces: Sequence[UUID]) -> None:
    rules = store.rules_of(project_id)
    known = store.found(project_id, traces)
    before = _earlier(project_id, day, traces, rules)
    late: dict[UUID, list[Signal]] = {}
    words: dict[UUID, tuple[datetime, list[str]]] = {}
    for trace, rows in _spans(project_id, day, traces):
        spans = _read(trace, rows)
        late[trace] = _signals(trace, spans, rules, before.get(trace, []))
        if spans:
            start = when(min(span.start_ns for span in spans))
            words[trace] = start, indexed(span.attributes for span in spans).words
    attributes.write(project_id, day, words)
    own = looking.custom(store.custom_of(project_id), project_id, day, traces)
    news = {
        trace: now
        for trace, found in late.items()
        if (now := [*found, *own.get(trace, [])]) != known.get(trace, [])
    }
    if news:
        store.keep(project_id, day, news)
        mark_dirty(project_id, news)


def _spans(
    project_id: int, day: date, traces: Sequence[UUID]
) -> Iterator[tuple[UUID, list[dict[str, Any]]]]:
    """Yield each trace with its spans; never more than `looking.MOST` spans in memory.

    One query reads them all, unless they are too many: then those that it cut off come alone.
    """
    read = spans_of(project_id, day, traces, looking.MOST)
    cut = read[-1]["trace_id"] if len(read) == looking.MOST else None
    whole: dict[UUID, list[dict[str, Any]]] = {}
    for row in read:
        whole.setdefault(row["trace_id"], []).append(row)
    del read
    for trace in sorted(traces):
        rows = whole.pop(trace, [])
        if cut is not None and trace >= cut:
            rows = spans_of(project_id, day, [trace], looking.MOST)
        yield trace, rows


def _earlier(
    project_id: int, day: date, traces: Sequence[UUID], rules: Rules
) -> dict[UUID, list[Asked]]:
    """Return what was asked before in the session of each trace, in two queries for all."""
    if "rephrased" in rules.off:
        return {}
    return store.earlier(project_id, store.sessions(project_id, day, traces))


def _read(trace: UUID, rows: Sequence[dict[str, Any]]) -> list[Span]:
    """Return the spans of a trace; none of one that cannot be read, which is noted."""
    try:
        return [span_of(row) for row in rows]
    except UNREADABLE:
        logger.exception("The second pass could not read trace %s.", trace.hex)
        return []


def _signals(
    trace: UUID, spans: Sequence[Span], rules: Rules, before: Sequence[Asked]
) -> list[Signal]:
    """Return what is found in one trace. One that no detector can read is noted and left."""
    if not spans:
        return []
    try:
        summary = summarise([digest(span) for span in spans])
        return looking.look(summary, spans, rules, before)
    except UNREADABLE:
        logger.exception("The second pass could not look at trace %s.", trace.hex)
        return []


def refresh_baselines() -> None:
    """Work out anew what is usual, for every project. Once an hour."""
    for project_id in Project.objects.order_by("pk").values_list("pk", flat=True):
        store.refresh_baselines(project_id, timezone.now(), ENOUGH)


def first_baselines() -> None:
    """Work out what is usual where little was known so far, so that new projects need no hour."""
    now = timezone.now()
    for project_id in store.young(now, ENOUGH, SETTLED):
        store.refresh_baselines(project_id, now, ENOUGH)
