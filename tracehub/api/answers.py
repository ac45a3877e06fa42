"""Rows as the JSON that the API gives (docs/reference/api.md)."""

from __future__ import annotations

from typing import Any

from tracehub.core.trace_json import iso
from tracehub.review.models import FailureMode
from tracehub.traces.models import PromptVersion


def failure_mode(row: FailureMode) -> dict[str, Any]:
    """Return a failure mode of the taxonomy."""
    return {
        "slug": row.slug,
        "name": row.name,
        "definition": row.definition,
        "examples": row.examples,
        "created_at": iso(row.created_at),
    }


def prompt(row: PromptVersion) -> dict[str, Any]:
    """Return a prompt version."""
    return {
        "name": row.name,
        "version": row.version,
        "template": row.template,
        "author": row.author or None,
        "message": row.message or None,
        "order": row.order,
        "first_seen_at": iso(row.first_seen_at) if row.first_seen_at else None,
        "created_at": iso(row.created_at),
    }
