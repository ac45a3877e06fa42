"""What a trace is held against: the usual latency of its prompt, and the turns of its session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tracehub.core.query.tree import Filter, Pattern, Term
from tracehub.core.series_filter import conditions
from tracehub.metrics import querysets as metrics
from tracehub.traces import querysets, rollup
from tracehub.traces.extent import Range
from tracehub.traces.models import Trace
from tracehub.traces.reading import LoadedTrace
from tracehub.traces.threads import store as threads
from tracehub.web import copy, marks
from tracehub.web.trace_view.text import visible

USUAL = timedelta(days=7)
NEAR = timedelta(days=1)  # of a session's other turns, and of what a cohort is a part of
MOST_TURNS = 30
SECONDS = 1


@dataclass(frozen=True, slots=True)
class Turn:
    """One trace of the session, in the order of start."""

    number: int
    trace_id: str
    said: str
    mark: marks.Mark
    here: bool


def beside(loaded: LoadedTrace, *, now: datetime) -> dict[str, Any]:
    """Return `usual` (p95 in nanoseconds, its prompt, slower or not), the session's `turns`, and
    `cohort_part`, in percent.

    Each is left out when there is nothing to compare with, all when reading takes too long.
    """
    found: dict[str, Any] = {}
    if loaded.row is None:
        return found
    try:
        with querysets.bounded(SECONDS):
            if loaded.summary.prompts and loaded.summary.duration_ns:
                found["usual"] = _usual(loaded, now)
            if loaded.row.cohort:
                found["cohort_part"] = _part(loaded.row)
            if loaded.summary.session_id:
                found |= _session(loaded)
    except querysets.TooSlow:
        return {}
    return found


def _usual(loaded: LoadedTrace, now: datetime) -> dict[str, Any] | None:
    """Compare with the series of the prompt; never with trace rows, which may be millions."""
    prompt = loaded.summary.prompts[0]
    only = conditions(Filter(Term("prompt", (Pattern((prompt,)),))))
    group = "" if only else "prompt"  # a name without version means all of them in a filter
    read = metrics.series(
        loaded.project, "latency_p95", group, now - USUAL, now, USUAL, now=now, narrow=only or ()
    )
    line = next((line for line in read.lines if line.group in ("", prompt)), None)
    if line is None or line.total is None or sum(line.requests) < 2:
        return None
    p95_ns = int(float(line.total) * 1_000_000)
    slower = (loaded.summary.duration_ns or 0) > p95_ns
    return {"p95_ns": p95_ns, "prompt": visible(prompt), "slower": slower}


def _part(row: Trace) -> int | None:
    """Return the percent of this cohort among the traces with one, in the day until this one."""
    end = rollup.floor(row.started_at) + rollup.HOUR
    counted = rollup.totals(row.project_id, ["cohort"], end - NEAR, end)
    traces = {name: count for (_, name), (count, _) in counted.items()}
    return copy.part(traces.get(row.cohort or "", 0), sum(traces.values()))


def _mark(row: Trace) -> marks.Mark:
    if row.failing:
        return marks.VERDICTS["fail"]
    return marks.VERDICTS.get(row.verdict or "", marks.NOT_REVIEWED)


def _session(loaded: LoadedTrace) -> dict[str, Any]:
    """Read the session within a day of the trace, by the index on terms."""
    assert loaded.row is not None  # noqa: S101 asked by the caller
    at = loaded.row.started_at
    within = Range(loaded.project, at - NEAR, at + NEAR)
    rows = threads.turns_of(within, loaded.summary.session_id or "")
    shown = rows.order_by("started_at", "trace_id")
    few = list(shown.only("trace_id", "name", "input_preview", "failing", "verdict")[:MOST_TURNS])
    turns = [
        Turn(
            number,
            row.hex,
            visible(" ".join((row.input_preview or row.name).split())[:120]),
            _mark(row),
            row.trace_id == loaded.row.trace_id,
        )
        for number, row in enumerate(few, 1)
    ]
    here = next((turn.number for turn in turns if turn.here), 0)
    return {"turns": turns, "turn": here} if len(turns) > 1 else {}
