"""The traces behind the matrix of steps: read once, with where each of them first failed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from tracehub.core import transitions
from tracehub.core.query.tree import Filter
from tracehub.core.stored import digest_of
from tracehub.core.trace import Kind
from tracehub.core.transitions import Matrix, Path
from tracehub.digest import store
from tracehub.projects.models import Project
from tracehub.review.querysets import pinned_steps
from tracehub.traces.models import Trace
from tracehub.web.trace_list.state import ListState

NEWEST = 1000  # traces that are read
GRAVE = frozenset({"high", "critical"})


@dataclass(slots=True)
class Located:
    """Traces that were read, and where each of them first failed."""

    rows: dict[str, Trace]
    paths: list[Path]
    kinds: dict[str, Kind]
    pinned: int

    def matrix(self, label: str = "") -> Matrix:
        """Return the matrix of all of them, or of those with a prompt version."""
        paths = self.paths
        if label:
            paths = [path for path in paths if label in self.rows[path.trace_id].prompts]
        return transitions.matrix(paths, self.kinds)


@dataclass(frozen=True, slots=True)
class Versions:
    """Two versions of a prompt, one after the other, as `refund@v12`, with where each breaks."""

    before: str
    now: str
    old: Matrix
    new: Matrix


def located(state: ListState, wanted: Filter) -> Located:
    """Read the newest finished traces of the range under this filter."""
    ranged = Trace.objects.in_project(state.project).in_range(state.start, state.end)
    rows = ranged.matching(wanted).filter(finished=True).newest_first()
    found = rows.only(
        "project_id", "day", "trace_id", "name", "started_at", "failing", "signals", "prompts",
        "input_preview", "output_preview", "model_names", "cohort", "tags",
    )[:NEWEST]  # fmt: skip
    return _paths(state.project, list(found))


def first_failing(project: Project, row: Trace) -> str:
    """Return the id of the step where a trace first went wrong, else of its last, which answered.

    Empty when nothing in it does any work.
    """
    spans = store.load_spans(store.driver_cursor(), project.pk, row.day, [row.trace_id])
    done = transitions.steps([digest_of(span) for span in spans], _blamed(row))
    failed = next((step.span_id for step in done if step.failed), "")
    return failed or (done[-1].span_id if done else "")


def _blamed(row: Trace) -> set[str]:
    return {s["span_id"] for s in row.signals if s["span_id"] and s["severity"] in GRAVE}


def _paths(project: Project, rows: list[Trace]) -> Located:
    """Read the narrow part of the traces' spans, a partition at a time."""
    by_day: dict[date, list[Trace]] = defaultdict(list)
    for row in rows:
        by_day[row.day].append(row)
    cursor = store.driver_cursor()
    spans: dict[UUID, list[Any]] = defaultdict(list)
    for day, traces in by_day.items():
        for span in store.load_spans(cursor, project.pk, day, [t.trace_id for t in traces]):
            spans[span["trace_id"]].append(digest_of(span))
    pinned = pinned_steps(project, [row.trace_id for row in rows])
    kinds: dict[str, Kind] = {}
    paths = []
    for row in rows:
        done = transitions.steps(spans[row.trace_id], _blamed(row))
        kinds |= {step.name: step.kind for step in done}
        pin = pinned.get(row.trace_id, "")
        paths.append(transitions.path(row.hex, done, failing=row.failing, pinned=pin))
    return Located({row.hex: row for row in rows}, paths, kinds, len(pinned))
