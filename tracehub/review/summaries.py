"""A trace row with its reviews as JSON: what the API lists and exports hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracehub.core.preview import told
from tracehub.core.trace_json import iso, money, ms
from tracehub.review.models import Review
from tracehub.traces.models import Trace


def trace_summary(row: Trace, project: str, said: Sequence[Review]) -> dict[str, Any]:
    """Return a trace row as a list shows it: a whole trace without its spans.

    `input` and `output` are the beginnings that lists keep, as text. `said` is newest first.
    """
    return {
        "trace_id": row.trace_id.hex,
        "name": row.name,
        "project": project,
        "started_at": iso(row.started_at),
        "duration_ms": ms(row.duration_ns),
        "status": row.status,
        "provisional": row.provisional,
        "root_present": row.root_present,
        "span_count": row.span_count,
        "environment": row.environment,
        "release": row.release,
        "cohort": row.cohort,
        "service": row.service,
        "session_id": row.session_id,
        "user_id": row.user_id,
        "tags": row.tags,
        "metadata": row.metadata,
        "models": row.model_names,
        "prompts": row.prompts,
        **_measures(row),
        "input": told(row.input_preview),
        "output": told(row.output_preview),
        "feedback": row.feedback,
        "signals": [{**signal, "failure": signal.get("failure")} for signal in row.signals],
        "severity": row.severity,
        "verdict": row.verdict,
        "failure_modes": row.failure_modes,
        "failing": row.failing,
        "promoted": row.promoted,
        "reviews": [review(one) for one in said],
    }


def _measures(row: Trace) -> dict[str, Any]:
    return {
        "tokens": _tokens(row),
        "cost": money(row.cost),
        "time_to_first_token_ms": ms(row.ttft_ns),
        "retries": row.retries,
        "fallbacks": row.fallbacks,
        "timeouts": row.timeouts,
        "outcome": row.outcome,
    }


def _tokens(row: Trace) -> dict[str, int | None] | None:
    counts = {
        "input": row.input_tokens,
        "output": row.output_tokens,
        "cached": row.cached_tokens,
        "reasoning": row.reasoning_tokens,
        "total": row.total_tokens,
    }
    return counts if any(count is not None for count in counts.values()) else None


def review(row: Review) -> dict[str, Any]:
    """Return a review; its `modes` and `author` should be loaded."""
    return {
        "id": row.pk,
        "trace_id": row.trace_id.hex,
        "verdict": row.verdict,
        "failure_modes": [mode.slug for mode in row.modes.all()],
        "severity": row.severity or None,
        "note": row.note,
        "corrected_output": row.corrected_output,
        "author": row.author.email if row.author else row.author_key or None,
        "created_at": iso(row.created_at),
    }
