"""The second pass over one trace: detectors on its payloads, and the project's own rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from uuid import UUID

from tracehub.core.query.errors import FilterError
from tracehub.core.signals.base import Asked, Contents
from tracehub.core.signals.custom import CustomRule, check_filter
from tracehub.core.signals.rules import Rules
from tracehub.core.signals.run import detect_late
from tracehub.core.stored import when
from tracehub.core.trace import Signal, Span, TraceSummary
from tracehub.failures.rules import store
from tracehub.traces.models import Trace

MOST = 2_000  # spans of a trace whose payloads are read


def look(
    summary: TraceSummary, spans: Sequence[Span], rules: Rules, before: Sequence[Asked]
) -> list[Signal]:
    """Return what the detectors of the second pass find; `spans` in order of start.

    `before` is what was asked in the session, newest first.
    """
    return detect_late(Contents(summary, spans[:MOST], rules, before))


def earlier(project_id: int, summary: TraceSummary) -> list[Asked]:
    """Return what was asked before in the session of a trace, newest first."""
    if not summary.session_id:
        return []
    trace = UUID(summary.trace_id)
    asked = store.InSession(trace, summary.session_id, when(summary.start_ns))
    return store.earlier(project_id, [asked]).get(trace, [])


def custom(
    rules: Iterable[CustomRule], project_id: int, day: date, traces: Sequence[UUID]
) -> dict[UUID, list[Signal]]:
    """Return the project's own signals of traces of one partition; one query a rule."""
    given: dict[UUID, list[Signal]] = {}
    for rule in rules:
        for trace in matching(rule, project_id, [day], traces):
            given.setdefault(trace, []).append(rule.signal())
    return given


def matching(
    rule: CustomRule, project_id: int, days: Sequence[date], traces: Sequence[UUID]
) -> list[UUID]:
    """Return those of these traces that a rule is about.

    A filter that the language no longer takes matches nothing.
    """
    try:
        wanted = check_filter(rule.q)
    except FilterError:
        return []
    rows = Trace.objects.filter(project_id=project_id, day__in=sorted(set(days)))
    rows = rows.filter(trace_id__in=list(traces)).matching(wanted)
    hit = list(rows.values_list("trace_id", flat=True))
    if not rule.pattern or not hit:
        return hit
    texts: Mapping[UUID, str] = store.texts(project_id, days, hit, rule.field)
    return [trace for trace in hit if rule.fits(texts.get(trace, ""))]
