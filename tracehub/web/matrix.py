"""Where it breaks: the last good step against the first failing one, over the newest traces."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from tracehub.core import transitions
from tracehub.core.query.tree import Filter, Pattern, Term
from tracehub.core.stored import digest_of
from tracehub.core.trace import Kind
from tracehub.core.transitions import START, Matrix, Path
from tracehub.digest import store
from tracehub.projects.models import Project
from tracehub.review.querysets import pinned_steps
from tracehub.traces import querysets
from tracehub.traces.models import Trace
from tracehub.web import permissions
from tracehub.web.trace_list.state import ListState

NEWEST = 1000  # traces that are read
SECONDS = 5
MOST_STEPS = 14  # rows and columns; rarer steps are left out
LISTED = 12
GRAVE = frozenset({"high", "critical"})
SHADES = 10


class MatrixState(ListState):
    """What the URL says: a filter and a range, as of a list."""

    route: ClassVar[str] = "failures_matrix"


@dataclass(frozen=True, slots=True)
class Cell:
    """One pair of steps: `shade` is 0 to 10 of the highest rate."""

    before: str
    failing: str
    count: int
    rate: float
    shade: int
    url: str
    chosen: bool
    hot: bool


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    kind: Kind | None
    passed: int
    cells: list[Cell | None]
    failed: int


@require_GET
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """The matrix, and the traces of the chosen cell beside it."""
    project = permissions.project_for(request, slug)
    state = MatrixState.of(project, request.GET, timezone.now())
    context: dict[str, Any] = {"state": state}
    if state.error is not None:
        context["notice"] = state.error.message
        return render(request, "failures/matrix.html", context, status=400)
    try:
        with querysets.bounded(SECONDS):
            rows = list(_newest(state))
            found = _matrix(project, rows)
    except querysets.TooSlow:
        context["notice"] = f"This takes longer than {SECONDS} s. Choose a shorter range."
        return render(request, "failures/matrix.html", context)
    chosen = _chosen(request, found)
    context |= _drawn(found, state, chosen) | _beside(found, rows, chosen)
    context |= {"read": len(rows), "newest": NEWEST, "versions": _versions(rows, state)}
    return render(request, "failures/matrix.html", context)


def _newest(state: ListState) -> Any:
    ranged = Trace.objects.in_project(state.project).in_range(state.start, state.end)
    rows = ranged.matching(state.wanted).filter(finished=True).newest_first()
    return rows.only(
        "project_id", "day", "trace_id", "name", "started_at", "failing", "signals", "prompts",
        "input_preview",
    )[:NEWEST]  # fmt: skip


def _matrix(project: Project, rows: list[Trace]) -> Matrix:
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
        blamed = {s["span_id"] for s in row.signals if s["span_id"] and s["severity"] in GRAVE}
        done = transitions.steps(spans[row.trace_id], blamed)
        kinds |= {step.name: step.kind for step in done}
        pin = pinned.get(row.trace_id, "")
        paths.append(transitions.path(row.hex, done, failing=row.failing, pinned=pin))
    return transitions.matrix(paths, kinds)


def _chosen(request: HttpRequest, found: Matrix) -> tuple[str, str] | None:
    """Return the cell that the URL names, else the one with the most traces."""
    wanted = (request.GET.get("after", ""), request.GET.get("at", ""))
    if wanted in found.cells:
        return wanted
    return max(found.cells, key=lambda cell: len(found.cells[cell]), default=None)


def _drawn(found: Matrix, state: ListState, chosen: tuple[str, str] | None) -> dict[str, Any]:
    failing = Counter(dict.fromkeys(found.names, 0))
    for (_, name), paths in found.cells.items():
        failing[name] += len(paths)
    columns = [name for name in found.names if failing[name]][:MOST_STEPS]
    before = [name for name in [START, *found.names] if any(name == b for b, _ in found.cells)]
    highest = max((found.rate(*cell) for cell in found.cells), default=0.0)
    hottest = sorted(found.cells, key=lambda cell: -len(found.cells[cell]))[:3]

    def cell(one: str, other: str) -> Cell | None:
        count = len(found.cells.get((one, other), ()))
        if not count:
            return None
        rate = found.rate(one, other)
        url = state.url(after=one, at=other)
        shade = round(SHADES * rate / highest)
        here = (one, other)
        return Cell(one, other, count, rate, shade, url, here == chosen, here in hottest)

    rows = []
    for name in before[:MOST_STEPS]:
        cells = [cell(name, other) for other in columns]
        kind = found.kinds.get(name)
        rows.append(Row(name, kind, found.passed[name], cells, sum(c.count for c in cells if c)))
    return {
        "rows": rows,
        "columns": [(name, found.kinds.get(name), failing[name]) for name in columns],
        "located": sum(failing.values()),
        "highest": highest,
    }


def _beside(found: Matrix, rows: list[Trace], chosen: tuple[str, str] | None) -> dict[str, Any]:
    failing = sum(row.failing for row in rows)
    context: dict[str, Any] = {"failing": failing, "chosen": chosen}
    if chosen is None:
        return context
    paths: list[Path] = found.cells[chosen]
    by_id = {row.hex: row for row in rows}
    listed = [(by_id[one.trace_id], one.failing) for one in paths[:LISTED]]
    versions = Counter(p for one in paths for p in by_id[one.trace_id].prompts[:1])
    totals = Counter(p for row in rows for p in row.prompts[:1])
    return context | {
        "listed": listed,
        "chosen_count": len(paths),
        "chosen_passed": found.passed[chosen[0]],
        "kinds": (found.kinds.get(chosen[0]), found.kinds.get(chosen[1])),
        "by_version": [(name, n, n / totals[name]) for name, n in versions.most_common(5)],
        "share": len(paths) / max(1, failing),
    }


def _versions(rows: list[Trace], state: ListState) -> list[tuple[str, str]]:
    """Return the prompt versions of the traces read, each with the page of it alone."""
    seen = Counter(prompt for row in rows for prompt in row.prompts)
    terms = ((name, Term("prompt", (Pattern((name,)),))) for name, _ in seen.most_common(6))
    return [(name, state.filtered(Filter(term))) for name, term in terms]
