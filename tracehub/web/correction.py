"""The corrected output while it is typed: what breaks its contract, and what it changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from tracehub.core import promotion
from tracehub.core.contracts import checking
from tracehub.core.contracts.bounds import ContractError, check_schema
from tracehub.core.contracts.problems import Problem
from tracehub.core.trace import Json, Span
from tracehub.failures import querysets as failures
from tracehub.projects.models import Role
from tracehub.traces.reading import LoadedTrace
from tracehub.web import concealing, permissions, word_diff
from tracehub.web.forms.review import MOST_CORRECTED, output_of
from tracehub.web.loading import trace_or_404

CORRECTED = promotion.Judgement(has_correction=True)


@require_POST
def check(request: HttpRequest, slug: str, trace_id: str) -> HttpResponse:
    """Answer what the panel says under the text; nothing is kept."""
    project = permissions.project_for(request, slug, Role.REVIEWER)
    loaded = trace_or_404(project, trace_id)
    text = request.POST.get("corrected", "").replace("\r\n", "\n")[:MOST_CORRECTED]
    context: dict[str, Any] = {"project": project}
    if text.strip():
        context["json_error"] = wrong = _json_error(text)
        context["checks"] = [] if wrong else list(checks(loaded, text))
        if not wrong and not concealing.is_concealed(request, project, loaded.summary.trace_id):
            context |= _changes(loaded, text)
    return render(request, "trace/correction.html", context)


def corrected_span(loaded: LoadedTrace) -> Span:
    """Return the step whose output a correction replaces."""
    return promotion.focus(loaded.summary, loaded.spans, loaded.signals, CORRECTED)


def checks(loaded: LoadedTrace, text: str) -> Iterator[tuple[str, list[Problem]]]:
    """Yield what the text is under, by name, with what breaks it: contracts, the call's schema."""
    span = corrected_span(loaded)
    output = output_of(text)
    own = {span.span_id, loaded.summary.output_span}
    digests = [digest for digest in loaded.digests if digest.span_id in own]
    for contract in failures.in_force(loaded.project.pk):
        if any(contract.applies(digest) for digest in digests):
            yield contract.label, checking.check(contract, output)
    if isinstance(span.output_schema, dict):
        try:
            check_schema(span.output_schema)
        except ContractError:
            return  # what a sender asked for need not be a schema that can be used
        asked = checking.Contract("schema", None, None, span.output_schema)
        yield "the schema that the call asked for", checking.check(asked, output)


def _json_error(text: str) -> str:
    """Say where text that begins like JSON stops being it."""
    if text.strip()[:1] not in ("{", "["):
        return ""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f"No JSON at line {error.lineno}, column {error.colno}: {error.msg}."
    except RecursionError:
        return "It nests too deep to be read as JSON."
    return ""


def _changes(loaded: LoadedTrace, text: str) -> dict[str, Any]:
    recorded = promotion.recorded_output(corrected_span(loaded))
    old, new = _lines(recorded), _lines(output_of(text))
    rows = word_diff.unified(old, new)
    changed = sum(row.kind in ("ins", "del") for row in rows)
    too_long = max(len(old), len(new)) > word_diff.LINES_AT_MOST
    return {"rows": rows, "changed": changed, "too_long": too_long, "recorded": recorded}


def _lines(output: Json) -> list[str]:
    if output is None:
        return []
    text = output if isinstance(output, str) else json.dumps(output, indent=2, ensure_ascii=False)
    return text.splitlines()
