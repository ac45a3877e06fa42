"""Join log records and late halves of runs to their spans, before a trace is summed up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from tracehub.core import stored
from tracehub.core.cost import set_cost
from tracehub.core.digest import digest
from tracehub.core.stored import SpanRow
from tracehub.core.supplements import join, raw_of
from tracehub.core.wire.normalise import normalise
from tracehub.digest import store
from tracehub.projects.prices import overrides


def supplement_spans(
    cursor: store.Cursor, project_id: int, day: date, traces: Sequence[UUID]
) -> None:
    """Rewrite the spans of these traces that lack a supplement of theirs."""
    waiting = store.load_supplements(cursor, project_id, traces)
    if not waiting:
        return
    prices = overrides(project_id)
    changed: list[SpanRow] = []
    for row in store.lock_spans(cursor, project_id, day, list(waiting)):
        supplements = waiting[row["trace_id"], row["span_id"]]
        stored_raw = raw_of(row)
        raw = None if stored_raw is None else join(stored_raw, supplements)
        if raw is None:
            continue
        # The stored start stands in for an arrival that nobody kept; mended times stay as they are.
        span = normalise(raw, arrived_ns=row["start_ns"])
        set_cost(span, prices)
        extra = row["rank"] % stored.FINISHED - len(span.attributes)
        joined = max(len(supplements), extra + 1)
        received = stored.received_json(raw)
        changed.append(stored.row_of(project_id, span, digest(span), received, joined=joined))
    if changed:
        store.rewrite_spans(cursor, day, changed)
