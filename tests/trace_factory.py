"""Spans and stored traces with valid defaults, written with the statements that ingestion runs."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from uuid import UUID

from django.db import connection, transaction

from tracehub.core.digest import digest
from tracehub.core.stored import SpanRow, received_span_json, row_of
from tracehub.core.trace import Span, ToolUse
from tracehub.digest.actions import digest_traces
from tracehub.digest.store import Claimed
from tracehub.traces import partitions, store

_numbers = count(1)


def text(role: str, words: str) -> dict:
    return {
        "role": role,
        "content": [{"type": "text", "text": words}],
        "tool_calls": [],
        "tool_call_id": None,
    }


def chat(*messages: tuple[str, str]) -> dict:
    return {"messages": [text(role, words) for role, words in messages]}


def span(trace_id: str, **fields) -> Span:
    """A finished model call of one second that began now, unless `fields` say otherwise."""
    given = {
        "span_id": f"{next(_numbers):016x}",
        "parent_id": None,
        "name": "compose-refund",
        "kind": "llm",
        "start_ns": int(datetime.now(UTC).timestamp() * 1e9),
        "duration_ns": 1_000_000_000,
        "model": "gpt-4o",
        "input": chat(("user", "Refund X7K2QD")),
        "output": chat(("assistant", "Refunded.")),
        **fields,
    }
    return Span(trace_id=trace_id, **given)


def tool_span(trace_id: str, **fields) -> Span:
    tool = ToolUse("get_booking", "call_1", {"pnr": "X7K2QD"}, {"fare": "418.60"})
    return span(
        trace_id,
        **{"name": "get_booking", "kind": "tool", "model": None, "tool": tool}
        | {"input": {"pnr": "X7K2QD"}, "output": {"fare": "418.60"}}
        | fields,
    )


def trace(
    project, *spans: Span, trace_id: str | None = None, digested: bool = True, **fields
) -> str:
    """Store a trace and return its id; without `spans` it has one, made from `fields`."""
    trace_id = trace_id or (spans[0].trace_id if spans else f"{next(_numbers):032x}")
    rows = [_row(project, s) for s in spans or (span(trace_id, **fields),)]
    today = datetime.now(UTC).date()
    partitions.ensure_ahead(today)
    with connection.cursor() as cursor:
        cursor.execute(store.ARRIVE, [today, [project.pk], [UUID(hex=trace_id)]])
        arrays = [
            list(column) for column in zip(*[(r[0], today, *r[1:]) for r in rows], strict=True)
        ]
        cursor.execute(store.UPSERT_SPANS.as_string(cursor.cursor), arrays)
    if digested:
        digest_now(project, trace_id)
    return trace_id


def digest_now(project, *trace_ids: str) -> None:
    """Do what the worker does for these traces."""
    today = datetime.now(UTC).date()
    with transaction.atomic():
        digest_traces([Claimed(project.pk, UUID(hex=t), today, 0) for t in trace_ids])


def _row(project, made: Span) -> SpanRow:
    row = row_of(project.pk, made, digest(made), received_span_json(made))
    return row._replace(facts=row.facts.decode())
