"""Calls in projects that hide content: viewers' keys get numbers, other reads are noted."""

from __future__ import annotations

from collections.abc import Mapping

from tracehub.api.errors import ApiError
from tracehub.core.concealment import asks_for_words
from tracehub.core.query import FilterError, parse
from tracehub.projects.actions import audit
from tracehub.projects.models import ApiKey, Scope

# Calls whose answers are names and numbers alone.
NUMBERS = frozenset(
    {"/facets", "/failure-modes", "/queues", "/queues/{id}/stats", "/metrics"}
    | {"/setup", "/keys/{id}", "/members/{email}"}
)
# Calls that a viewer's key gets without texts. Every other call is refused.
CONCEALED = frozenset({"/traces", "/traces/{trace_id}", "/eval-sets", "/eval-sets/{slug}"})


def guard(key: ApiKey, path: str, asked: str, query: Mapping[str, str]) -> bool:
    """Tell whether the texts of the answer are to be hidden. Raises ApiError 403.

    `path` is that of the call, `asked` the one with its ids, for the audit log.
    """
    if not key.project.hides_content or key.scope == Scope.INGEST:
        return False
    if key.scope != Scope.VIEWER:
        if path not in NUMBERS:
            audit("content.revealed", by=key, project=key.project, object=asked[:254])
        return False
    if path not in NUMBERS | CONCEALED or _words(query.get("q", "")):
        raise ApiError(403, "This project hides content: this needs a key of scope reviewer.")
    return path in CONCEALED


def _words(text: str) -> bool:
    try:
        return asks_for_words(parse(text))
    except FilterError:
        return False
