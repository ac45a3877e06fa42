"""From the ids in a URL to a trace that the project has."""

from __future__ import annotations

import re
from uuid import UUID

from django.http import Http404

from tracehub.core.summary_rules import reported_errors
from tracehub.failures import reading
from tracehub.projects.models import Project
from tracehub.traces.models import Trace
from tracehub.traces.reading import LoadedTrace, rows_of

_TRACE_ID = re.compile(r"[0-9a-f]{32}")


def id_or_404(trace_id: str) -> UUID:
    """Return the id that a URL names; nobody need have such a trace."""
    if not _TRACE_ID.fullmatch(trace_id):
        raise Http404("A trace id has 32 hex digits.")
    return UUID(hex=trace_id)


def row_or_404(project: Project, trace_id: str) -> Trace:
    """Return the row of a trace of the project: what lists show of it."""
    found: Trace | None = rows_of(project, [id_or_404(trace_id)]).first()
    if found is None:
        raise Http404("There is no such trace in this project.")
    return found


def trace_or_404(project: Project, trace_id: str) -> LoadedTrace:
    """Return a trace of the project, with validation errors that a later call told of its spans."""
    loaded = reading.load(project, id_or_404(trace_id))
    if loaded is None:
        raise Http404("There is no such trace in this project.")
    told = reported_errors(loaded.digests)
    for span in loaded.spans:
        span.validation_errors.extend(told.get(span.span_id, ()))
    return loaded
