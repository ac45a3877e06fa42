"""A threshold or an own signal before it counts: on how many recent traces it would have fired."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from tracehub.core.digest import digest
from tracehub.core.signals.base import Contents, Evidence
from tracehub.core.signals.custom import CustomRule
from tracehub.core.signals.kinds import KINDS
from tracehub.core.signals.run import one
from tracehub.core.stored import digest_of, span_of
from tracehub.core.summary import summarise
from tracehub.core.trace import Signal
from tracehub.digest import store
from tracehub.failures.rules import looking
from tracehub.failures.rules import store as second_pass
from tracehub.projects.models import Project
from tracehub.traces import rollup
from tracehub.traces.models import Trace
from tracehub.traces.reading import feedback_of
from tracehub.traces.store import spans_of

MOST = 10_000  # traces that are tried
SECONDS = 3.0
EXAMPLES = 12
BATCH = 200
Place = tuple[Any, UUID]  # day and trace


@dataclass
class TryOut:
    """How often it would have fired in the newest traces, as many as there was time for."""

    kind: str
    traces: int = 0
    fired: int = 0
    ms: float = 0.0
    examples: list[tuple[Trace, str]] = field(default_factory=list)  # with what it says


def try_kind(project: Project, kind: str, threshold: float | None) -> TryOut:
    """Run one detector with this threshold over the newest traces."""
    rules = second_pass.rules_of(project.pk)
    limits = {**rules.thresholds, **({} if threshold is None else {kind: threshold})}
    rules = replace(rules, off=frozenset(), thresholds=limits)
    detect: Any = one(kind)

    def first(places: list[Place]) -> Iterator[tuple[Place, Signal | None]]:
        cursor = store.driver_cursor()
        for day, own in groupby(places, key=lambda place: place[0]):
            ids = [trace for _, trace in own]
            scores = feedback_of(project.pk, ids)
            spans: dict[UUID, list[Any]] = {trace: [] for trace in ids}
            for row in store.load_spans(cursor, project.pk, day, ids):
                spans[row["trace_id"]].append(digest_of(row))
            for trace, found in spans.items():
                if found:
                    found.sort(key=lambda span: (span.start_ns, span.span_id))
                    sent = [score for span in found for score in span.feedback]
                    known = [*scores.get(trace, []), *sent]
                    evidence = Evidence(summarise(found), found, known, rules=rules)
                    yield (day, trace), next(detect(evidence), None)

    def second(places: list[Place]) -> Iterator[tuple[Place, Signal | None]]:
        for day, trace in places:
            spans = [span_of(row) for row in spans_of(project.pk, day, [trace], looking.MOST)]
            if spans:
                summary = summarise([digest(span) for span in spans])
                before = looking.earlier(project.pk, summary) if kind == "rephrased" else ()
                contents = Contents(summary, spans, rules, before)
                yield (day, trace), next(detect(contents), None)

    return _over(project, kind, second if KINDS[kind].second else first)


def try_own(project: Project, rule: CustomRule) -> TryOut:
    """Run an own signal over the newest traces."""

    def matching(places: list[Place]) -> Iterator[tuple[Place, Signal | None]]:
        days, traces = [day for day, _ in places], [trace for _, trace in places]
        hit = set(looking.matching(rule, project.pk, days, traces))
        for place in places:
            yield place, rule.signal() if place[1] in hit else None

    return _over(project, rule.kind, matching)


def _newest(project: Project) -> list[Place]:
    """Return where the newest MOST traces lie; the counts tell how far back they go."""
    now, left = timezone.now(), MOST
    days: set[date] = set()
    since = kept = now - timedelta(days=settings.RETENTION_DAYS + 1)
    for hour in rollup.hours(project.pk, kept, now + timedelta(days=1)):
        days |= hour.days
        since, left = hour.start, left - hour.traces
        if left <= 0:
            break
    rows = Trace.objects.filter(project_id=project.pk, day__in=days, started_at__gte=since)
    return list(rows.newest_first().values_list("day", "trace_id")[:MOST])


def _over(project: Project, kind: str, find: Any) -> TryOut:
    began = time.monotonic()
    places = _newest(project)
    found = TryOut(kind)
    hits: list[tuple[Place, str]] = []
    for start in range(0, len(places), BATCH):
        for place, signal in find(places[start : start + BATCH]):
            found.traces += 1
            found.fired += signal is not None
            if signal is not None and len(hits) < EXAMPLES:
                hits.append((place, signal.message))
            if time.monotonic() - began > SECONDS:
                break
        if time.monotonic() - began > SECONDS:
            break
    rows = Trace.objects.filter(project_id=project.pk, day__in={day for (day, _), _ in hits})
    known = {row.trace_id: row for row in rows.filter(trace_id__in=[t for (_, t), _ in hits])}
    found.examples = [(known[t], said) for (_, t), said in hits if t in known]
    found.ms = 1000 * (time.monotonic() - began)
    return found
