"""Traces that a queue chooses for what is in them: the most different, uncertain, contested."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from tracehub.core.diverse import Features, most_different
from tracehub.review import judging
from tracehub.review.models import Queue, QueueItem, Verdict

Rows = QuerySet[Any]  # traces with their hash (`chance`) and title (`shown`)
Chosen = tuple[UUID, str, str]  # trace, title, reason
POOL = 400  # traces by chance among which the most different are looked for
KEPT = 100  # of those in the queue, the newest, which new ones should differ from
FEATURES = (
    "name", "model_names", "prompts", "tools", "signal_kinds", "span_kinds", "finish_reasons",
    "outcome", "status", "input_preview",
)  # fmt: skip


def different(queue: Queue, rows: Rows, fresh: Rows, number: int) -> list[Chosen]:
    """Those that differ most from each other and from what came this way before."""
    pool = list(fresh.order_by("chance").values("trace_id", "shown", *FEATURES)[:POOL])
    before = QueueItem.objects.filter(queue=queue, way="different").order_by("-pk")
    kept = rows.filter(trace_id__in=list(before.values_list("trace_id", flat=True)[:KEPT]))
    away = [_features(row) for row in kept.values(*FEATURES)]
    places = most_different([_features(row) for row in pool], number, away_from=away)
    return [(pool[at]["trace_id"], pool[at]["shown"], "Most different") for at in places]


def uncertain(queue: Queue, _rows: Rows, fresh: Rows, number: int) -> list[Chosen]:
    """Those that judges contradict each other on, or score near one half, or people were unsure of.

    The most uncertain come first.
    """
    doubts = judging.doubts(queue.project)
    unsure = fresh.filter(verdict=Verdict.UNSURE).order_by("-started_at")
    for trace in unsure.values_list("trace_id", flat=True)[:number]:
        doubts.setdefault(trace, (1.0, "Reviewed as unsure"))
    shown = _titles(fresh, doubts)
    order = sorted(shown, key=lambda trace: (-doubts[trace][0], trace))
    return [(trace, shown[trace], doubts[trace][1]) for trace in order[:number]]


def contested(queue: Queue, _rows: Rows, fresh: Rows, number: int) -> list[Chosen]:
    """Those where a judge says otherwise than the reviewers, or than status and signals say."""
    said = judging.verdicts(queue.project)
    shown = _titles(fresh, said)
    failing = dict(fresh.filter(trace_id__in=list(shown)).values_list("trace_id", "failing"))
    found = []
    for trace, (name, fails) in said.items():
        if trace in failing and failing[trace] != fails:
            word = "fail" if fails else "pass"
            found.append((trace, shown[trace], f"Judge {name} says {word}"))
    return found[:number]


def _titles(rows: Rows, traces: Iterable[UUID]) -> dict[UUID, str]:
    found = rows.filter(trace_id__in=list(traces)).values_list("trace_id", "shown")
    return dict(found)


def _features(row: dict[str, object]) -> Features:
    """Return a trace as a set: each value of its facts, and the first words of its input."""
    found = set()
    for key in FEATURES[:-1]:
        value = row[key]
        for one in value if isinstance(value, list) else [value]:
            found.add(f"{key}={one}")
    found.update(str(row["input_preview"] or "").lower().split()[:20])
    return frozenset(found)


CHOOSE: dict[str, Callable[[Queue, Rows, Rows, int], list[Chosen]]] = {
    "different": different,
    "uncertain": uncertain,
    "judge": contested,
}
