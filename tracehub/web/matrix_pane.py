"""Beside the matrix: the chosen cell by version, its groups of failures, and its traces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.urls import reverse

from tracehub.core.diverse import most_different
from tracehub.core.query.tree import Filter, Pattern, Term
from tracehub.core.transitions import Matrix, Path
from tracehub.failures.models import Failure
from tracehub.projects.models import Project
from tracehub.review.models import Queue
from tracehub.traces.models import Trace
from tracehub.web import copy, links, matrix_cells
from tracehub.web.failure_pane import features
from tracehub.web.matrix_cells import Place
from tracehub.web.matrix_reading import Located, Versions
from tracehub.web.trace_list.state import ListState
from tracehub.web.trace_view.text import visible

LISTED = 6
QUEUED = 25
COMPARED = 300  # traces of a cell among which the most different are looked for
OPENED = 200  # their ids are in the URL
GROUPS = 4
VERSIONS = 5


def context(
    project: Project,
    state: ListState,
    found: Located,
    shown: Matrix,
    versions: Versions | None,
    chosen: Place | None,
) -> dict[str, Any]:
    """Return what the pane shows; `found` are all traces of the page, `shown` its matrix."""
    failing = sum(row.failing for row in found.rows.values())
    told: dict[str, Any] = {"failing": failing, "chosen": chosen}
    if chosen is None:
        return told
    paths = shown.cells[chosen]
    count, passed = matrix_cells.counted(shown, chosen)
    changed = matrix_cells.changes(versions)
    spread = _different(found, paths)
    change = changed.get(chosen)
    return told | {
        "listed": [_listed(found.rows[path.trace_id], path) for path in spread[:LISTED]],
        "queued": [path.trace_id for path in spread],
        "queues": list(Queue.objects.filter(project=project).order_by("name")),
        "chosen_count": count,
        "chosen_passed": passed,
        "chosen_hot": chosen in matrix_cells.hot(changed),
        "kinds": (shown.kinds.get(chosen[0]), shown.kinds.get(chosen[1])),
        "share": count / max(1, failing),
        "by_version": _by_version(found, versions, chosen),
        "difference": copy.points(change.difference) if change else "",
        "interval": [copy.plain_points(end) for end in change.interval] if change else [],
        "groups": _groups(project, found, paths),
        "opened": min(count, OPENED),
        "open_url": _open(project, state, paths[:OPENED]),
    }  # fmt: skip


def _different(found: Located, paths: Sequence[Path]) -> list[Path]:
    """Return the paths of the traces that differ most, for the list and a queue."""
    pool = paths[:COMPARED]
    places = most_different([features(found.rows[path.trace_id]) for path in pool], QUEUED)
    return [pool[place] for place in places]


def _listed(row: Trace, path: Path) -> dict[str, Any]:
    """A trace of the cell, with what was wrong at its failing step."""
    step = path.failing
    span_id = step.span_id if step else ""
    said = next((s["message"] for s in row.signals if s["span_id"] == span_id), "")
    asked = visible(row.input_preview or row.name)
    return {"row": row, "span_id": span_id, "said": visible(said.replace("`", "")), "asked": asked}


def _by_version(
    found: Located, versions: Versions | None, chosen: Place
) -> list[tuple[str, float, int, str]]:
    """Return label, rate, traces and width of the bar in percent, the highest rate first."""
    seen = Counter(label for row in found.rows.values() for label in row.prompts)
    name = (versions.now if versions else next(iter(seen), "")).partition("@")[0]
    counts = {
        label: matrix_cells.counted(found.matrix(label), chosen)
        for label, _ in seen.most_common(VERSIONS)
        if label.partition("@")[0] == name
    }
    if versions is not None:
        counts[versions.before] = matrix_cells.counted(versions.old, chosen)
    rates = {label: n / of for label, (n, of) in counts.items() if of}
    highest = max(rates.values(), default=0.0) or 1.0
    order = sorted(rates, key=lambda label: (-rates[label], label))
    return [(x, rates[x], counts[x][0], f"{100 * rates[x] / highest:.1f}") for x in order]


def _groups(project: Project, found: Located, paths: Sequence[Path]) -> list[tuple[str, str, int]]:
    """Return key, title and traces of the groups at the failing step; the rest has no key."""
    counts: Counter[str] = Counter()
    for path in paths:
        own = found.rows[path.trace_id].signals
        at = [s for s in own if path.failing and s["span_id"] == path.failing.span_id]
        counts[next((s["failure"] for s in at if s.get("failure")), "")] += 1
    keys = [key for key, _ in counts.most_common() if key][:GROUPS]
    numbers = [int(key.removeprefix("TH-")) for key in keys]
    rows = Failure.objects.filter(project=project, number__in=numbers)
    titles = {row.key: row.title for row in rows}
    named = [(key, titles.get(key, ""), counts[key]) for key in keys]
    rest = sum(counts.values()) - sum(n for _, _, n in named)
    return [*named, ("", "", rest)] if rest else named


def _open(project: Project, state: ListState, paths: Sequence[Path]) -> str:
    """Return the list of the traces themselves: no filter says where a trace first fails."""
    ids = tuple(Pattern((path.trace_id,)) for path in paths)
    query = {"q": str(Filter(Term("trace", ids))), "from": state.since, "to": state.until}
    kept = {name: value for name, value in query.items() if value}
    return links.with_query(reverse("traces", args=[project.slug]), kept)
