"""Trace rows as the worker leaves them, for tests of lists, filters and facets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from uuid import UUID

from django.db import connection

from tracehub.core.query import attributes, terms
from tracehub.projects.models import Project
from tracehub.traces import partitions, rollup
from tracehub.traces.attributes import store
from tracehub.traces.models import Trace
from tracehub.traces.texts import store as texts

_numbers = count(1)


def signal(kind: str, severity: str = "high", message: str = "") -> dict:
    return {
        "kind": kind,
        "span_id": None,
        "pointer": None,
        "message": message or f"It is a {kind}.",
        "severity": severity,
        "contract": None,
        "failure": None,
    }


def trace_row(project: Project, *, ago: timedelta = timedelta(minutes=5), **columns) -> Trace:
    """Store a finished trace of 2 s that began `ago` and did not fail, unless `columns` differ.

    `attributes` holds those of its spans.
    """
    now = datetime.now(UTC)
    started = columns.pop("started_at", now - ago)
    signals = columns.get("signals", [])
    spans = columns.pop("attributes", [])
    partitions.ensure_ahead(now.date())
    given = {
        "project_id": project.pk,
        "day": now.date(),
        "trace_id": UUID(int=next(_numbers) << 64 | 7),
        "started_at": started,
        "duration_ns": 2_000_000_000,
        "name": "airline-support",
        "provisional": False,
        "status": "ok",
        "finished": True,
        "environment": "production",
        "tags": [],
        "metadata": {},
        "model_names": ["gpt-4o"],
        "providers": ["openai"],
        "prompts": ["refund@v12"],
        "tools": [],
        "agents": [],
        "finish_reasons": ["stop"],
        "input_tokens": 500,
        "output_tokens": 100,
        "total_tokens": 600,
        "cost": Decimal("0.0180"),
        "retries": 0,
        "fallbacks": 0,
        "timeouts": 0,
        "streaming": False,
        "span_count": 5,
        "error_count": 0,
        "root_present": True,
        "input_preview": "I want the money back",
        "output_preview": "Refunded.",
        "signals": signals,
        "signal_kinds": sorted({s["kind"] for s in signals}),
        "feedback": [],
        "failure_modes": [],
        "reviewers": [],
        "failing": False,
        "promoted": False,
        "contribution": {},
        "digest_hash": 0,
        **columns,
    }
    row = _stored(given)
    words = attributes.indexed(spans).words
    store.write(project.pk, row.day, {row.trace_id: (started, words)})
    return row


def _stored(given: dict) -> Trace:
    """Store a row with its terms and counts, as the worker does."""
    names = {field.name: field.column for field in Trace._meta.local_concrete_fields}
    whole = {column: given.get(name) for name, column in names.items() if column}
    whole |= {name: given.get(name, []) for name in ("span_kinds", "span_names")}
    row = Trace.objects.create(**given, terms=terms.of_row(whole))
    with connection.cursor() as cursor:
        rollup.change(cursor, [rollup.Change(None, whole)])
        said = [whole[name] or "" for name in ("name", "input_preview", "output_preview")]
        errors = "\n".join(one["message"] for one in whole["signals"])
        keys = [whole[name] for name in ("project_id", "day", "trace_id", "started_at")]
        texts.write(cursor, [texts.TextRow(*keys, *said, errors)])
    return row
