"""What stands around a note on the coding board: where its trace fails, and what it says there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from tracehub.core.stored import span_number
from tracehub.projects.models import Project
from tracehub.review.models import LaterNote, Review
from tracehub.traces.models import Arrival, StoredSpan, Trace
from tracehub.web.trace_view.text import one_line

ORDERS = (("alike", "Alike first"), ("newest", "Newest"), ("step", "By step"))


def around(project: Project, notes: Sequence[Review]) -> dict[int, dict[str, str]]:
    """Return `step` and `seen` by review, in three queries for all notes."""
    ids = {note.trace_id for note in notes}
    rows = Arrival.objects.filter(project_id=project.pk, trace_id__in=ids)
    days: dict[UUID, date] = dict(rows.values_list("trace_id", "day"))
    steps = _steps(project, notes, days)
    traces = Trace.objects.in_project(project).at(list(days.values()), list(days))
    seen = {
        row.trace_id: _seen(row) for row in traces.only("trace_id", "signals", "output_preview")
    }
    return {
        note.pk: {
            "step": steps.get((note.trace_id, note.failing_span), ""),
            "seen": seen.get(note.trace_id, ""),
        }
        for note in notes
    }


def later(project: Project) -> set[int]:
    """Return the reviews whose note was put off."""
    return set(LaterNote.objects.filter(project=project).values_list("review", flat=True))


def _steps(
    project: Project, notes: Sequence[Review], days: dict[UUID, date]
) -> dict[tuple[UUID, str], str]:
    pinned = {(n.trace_id, n.failing_span) for n in notes if n.failing_span and n.trace_id in days}
    if not pinned:
        return {}
    numbers = {(trace, span_number(span)): span for trace, span in pinned}
    rows: Any = StoredSpan.objects.filter(
        project_id=project.pk,
        day__in={days[trace] for trace, _ in pinned},
        trace_id__in={trace for trace, _ in pinned},
        span_id__in={number for _, number in numbers},
    ).values_list("trace_id", "span_id", "name")
    return {
        (trace, numbers[trace, number]): one_line(name, 60)
        for trace, number, name in rows
        if (trace, number) in numbers
    }


def _seen(row: Trace) -> str:
    """Return what a trace shows at its gravest signal, else how its answer begins."""
    messages = [str(signal.get("message") or "") for signal in row.signals]
    return one_line(next(filter(None, messages), row.output_preview or ""), 160)
