"""A trace beside another one, such as the answer of another prompt version to the same input."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db.models.fields.json import KeyTextTransform
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from tracehub.core.query.tree import Filter, Pattern, Term
from tracehub.core.trace import TraceSummary
from tracehub.traces import querysets
from tracehub.traces.models import StoredSpan, Trace
from tracehub.traces.reading import LoadedTrace
from tracehub.web import copy, permissions
from tracehub.web.loading import trace_or_404
from tracehub.web.trace_view import compared, findings
from tracehub.web.trace_view.text import visible

NEAR = timedelta(days=30)
LOOKED_AT = 200  # traces with the same name and beginning whose input is compared
SHOWN = 20
SECONDS = 2


@require_GET
def page(request: HttpRequest, slug: str, trace_id: str) -> HttpResponse:
    """Word by word against the trace that `with` names; without it, which ones had the same input.

    `step` is the id of a span of this trace, or of the other one for steps that only it has.
    """
    project = permissions.project_for(request, slug)
    one = trace_or_404(project, trace_id)
    wanted = "".join(request.GET.get("with", "").split()).lower().replace("-", "")
    context: dict[str, Any] = {"trace": _side(one), "wanted": wanted}
    if not wanted:
        return render(request, "trace/diff.html", context | _candidates(one))
    other = trace_or_404(project, wanted)
    pairs = compared.steps(one.spans, other.spans)
    step = _chosen(one, pairs, request.GET.get("step", ""))
    context |= {
        "other": _side(other),
        "steps": pairs,
        "step": step,
        "sides": compared.sides(step) if step else [],
        "facts": list(zip(_facts(one.summary), _facts(other.summary), strict=True)),
        "differing": sum(pair.differs for pair in pairs),
        "same_input": _hash(one) == _hash(other) is not None,
    }
    return render(request, "trace/diff.html", context)


def _side(loaded: LoadedTrace) -> dict[str, str]:
    summary = loaded.summary
    prompt = ", ".join(visible(name) for name in summary.prompts[:2])
    return {"id": summary.trace_id, "name": visible(summary.name), "prompt": prompt}


def _chosen(one: LoadedTrace, pairs: Sequence[compared.Step], wanted: str) -> compared.Step | None:
    """Return the step of the URL, else the one the trace page would open, else the first."""
    by_id = {pair.id: pair for pair in pairs}
    if wanted in by_id:
        return by_id[wanted]
    first = findings.default_span(one.spans, one.signals, one.summary.output_span)
    return by_id.get(first.span_id if first else "") or next(iter(pairs), None)


def _facts(summary: TraceSummary) -> list[tuple[str, str]]:
    ms = None if summary.duration_ns is None else summary.duration_ns / 1e6
    tokens = summary.tokens.total if summary.tokens else None
    return [
        ("Prompt", ", ".join(map(visible, summary.prompts)) or "none"),
        ("Model", ", ".join(map(visible, summary.models)) or "none"),
        ("Latency", "none" if ms is None else copy.duration(ms)),
        ("Tokens", "none" if tokens is None else copy.total(tokens)),
        ("Cost", "none" if summary.cost is None else copy.money(summary.cost)),
        ("Steps", copy.total(summary.span_count)),
    ]


def _hash(loaded: LoadedTrace) -> int | None:
    """Return the hash of the input of the first step that has one."""
    return next((d.input_hash for d in loaded.digests if d.input_hash is not None), None)


def _candidates(one: LoadedTrace) -> dict[str, Any]:
    """Return traces of the last and next 30 days whose first input is the same, newest first."""
    wanted = _hash(one)
    if one.row is None or wanted is None:
        return {"candidates": []}
    at = one.row.started_at
    rows = Trace.objects.in_project(one.project).in_range(at - NEAR, at + NEAR)
    named = rows.matching(Filter(Term("name", (Pattern((one.row.name,)),))))
    alike = named.filter(input_preview=one.row.input_preview).exclude(trace_id=one.row.trace_id)
    try:
        with querysets.bounded(SECONDS):
            found = list(alike.order_by("-started_at", "-trace_id")[:LOOKED_AT])
            same = _having(one, found, wanted)
    except querysets.TooSlow:
        return {"candidates": [], "slow": True}
    rest = [row for row in found if row.trace_id in same]
    # Another prompt version tells the most.
    rest.sort(key=lambda row: set(row.prompts) == set(one.summary.prompts))
    return {"candidates": rest[:SHOWN]}


def _having(one: LoadedTrace, rows: Sequence[Trace], wanted: int) -> set[Any]:
    """Return the ids of those traces that have a step with an input of this hash."""
    spans = StoredSpan.objects.filter(
        project_id=one.project.pk,
        day__in={row.day for row in rows},
        trace_id__in=[row.trace_id for row in rows],
    )
    spans = spans.annotate(hashed=KeyTextTransform("h", "facts")).filter(hashed=str(wanted))
    return set(spans.values_list("trace_id", flat=True))
