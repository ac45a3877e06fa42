"""One whole trace, computed from its spans at the time of asking, so never stale."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, fields
from datetime import date
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from tracehub.core.digest import digest
from tracehub.core.signals.base import Evidence
from tracehub.core.signals.feedback import together
from tracehub.core.signals.rules import Rules
from tracehub.core.signals.run import detect
from tracehub.core.stored import received_of, span_hex, span_of
from tracehub.core.summary import summarise
from tracehub.core.trace import Json, Signal, Span, SpanDigest, TraceSummary
from tracehub.core.trace_json import trace_json
from tracehub.projects.models import Project
from tracehub.traces import store
from tracehub.traces.models import Arrival, Feedback, Trace
from tracehub.traces.querysets import TraceQuerySet

MAX_SPANS = 20_000  # of one trace on a page or in an answer
_TRACE = itemgetter("trace_id")


@dataclass
class LoadedTrace:
    """A trace with its spans in order of start. `row` is None until the worker has seen it."""

    project: Project
    summary: TraceSummary
    spans: list[Span]
    digests: list[SpanDigest]
    row: Trace | None
    feedback: list[dict[str, Json]]
    # What breaks contracts, and what follows: `failures.reading.load` fills it in.
    violations: list[Signal] = field(default_factory=list)
    rules: Rules = field(default_factory=Rules)
    late: list[Signal] = field(default_factory=list)  # of the second pass

    @cached_property
    def signals(self) -> list[Signal]:
        """What the detectors find now, whether or not the worker has come by."""
        settled = self.summary.root_present
        known = (self.violations, self.rules, self.late)
        return detect(Evidence(self.summary, self.digests, self.feedback, settled, *known))

    @property
    def row_signals(self) -> list[Signal]:
        """What the worker stored when it last came by."""
        stored = self.row.signals if self.row is not None else []
        names = [one.name for one in fields(Signal)]
        return [Signal(**{name: one[name] for name in names}) for one in stored]

    def as_json(self, **extra: Json) -> dict[str, Json]:
        """Return the trace as the API writes it (docs/reference/api.md)."""
        return trace_json(self.project.slug, self.summary, self.spans, self.feedback, **extra)


def day_of(project: Project, trace_id: UUID) -> Any:
    """Return the day of a trace's first arrival, None when the project has no such trace."""
    return (
        Arrival.objects.filter(project_id=project.pk, trace_id=trace_id)
        .values_list("day", flat=True)
        .first()
    )


def rows_of(project: Project, traces: Collection[UUID]) -> TraceQuerySet:
    """Return the rows of these traces. Their partitions come first: an id alone could be in any."""
    arrived = Arrival.objects.filter(project_id=project.pk, trace_id__in=traces)
    days = set(arrived.values_list("day", flat=True))
    return Trace.objects.in_project(project).in_partitions(days).filter(trace_id__in=traces)


def known(project: Project, traces: Iterable[UUID]) -> set[UUID]:
    """Return which of these are traces of the project."""
    rows = Arrival.objects.filter(project_id=project.pk, trace_id__in=list(traces))
    return set(rows.values_list("trace_id", flat=True))


def load(project: Project, trace_id: UUID) -> LoadedTrace | None:
    """Return a trace of this project with all its spans; None when there is none.

    Reads one partition: three index look-ups and the spans' payloads.
    """
    return load_many(project, [trace_id]).get(trace_id)


def load_many(project: Project, traces: Collection[UUID]) -> dict[UUID, LoadedTrace]:
    """Return traces of this project with their spans, at most MAX_SPANS of each day's together.

    Three statements and one a day. Traces without spans are left out.
    """
    of_day: dict[date, list[UUID]] = defaultdict(list)
    arrived = Arrival.objects.filter(project_id=project.pk, trace_id__in=traces)
    for trace_id, day in arrived.values_list("trace_id", "day"):
        of_day[day].append(trace_id)
    if not of_day:
        return {}
    stored = Trace.objects.filter(project_id=project.pk, day__in=of_day, trace_id__in=traces)
    rows = {row.trace_id: row for row in stored}
    scores = feedback_of(project.pk, traces)
    found = {}
    for day, ids in of_day.items():
        by_trace = groupby(store.spans_of(project.pk, day, ids, MAX_SPANS), _TRACE)
        for trace_id, each in by_trace:
            spans = [span_of(row) for row in each]
            digests = [digest(span) for span in spans]
            summary, row = summarise(digests), rows.get(trace_id)
            feedback = together(scores.get(trace_id, []), digests)
            found[trace_id] = LoadedTrace(project, summary, spans, digests, row, feedback)
    return found


def received(project: Project, trace_id: UUID) -> dict[str, Json] | None:
    """Return what came over the wire for every span, after masking; None without such a trace.

    `truncated` says that the trace has more spans than are given.
    """
    day = day_of(project, trace_id)
    if day is None:
        return None
    rows = store.received_of(project.pk, day, trace_id, MAX_SPANS + 1)
    spans = [
        {
            "span_id": span_hex(row["span_id"]),
            "name": row["name"],
            **received_of(row["payload"]),
        }
        for row in rows[:MAX_SPANS]
    ]
    return {"spans": spans, "truncated": len(rows) > MAX_SPANS}


def feedback_of(project_id: int, traces: Iterable[UUID]) -> dict[UUID, list[dict[str, Json]]]:
    """Return the feedback that was sent for these traces, oldest first, by trace."""
    found: dict[UUID, list[dict[str, Json]]] = defaultdict(list)
    rows = Feedback.objects.filter(project_id=project_id, trace_id__in=list(traces)).order_by("id")
    for row in rows:
        found[row.trace_id].append(
            {
                "name": row.name,
                "value": row.value,
                "label": row.label or None,
                "comment": row.comment or None,
                "source": row.source or None,
                "span_id": row.span_id or None,
            }
        )
    return dict(found)
