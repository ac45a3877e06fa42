"""Mask a span: one that comes, and one that is stored, from what was received of it.

A stored span is read once more from its masked form, so that no field worked out of it keeps what
the rules took away.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from tracehub.core import stored
from tracehub.core.digest import digest
from tracehub.core.mask import Masker
from tracehub.core.packing import unpack
from tracehub.core.stored import SpanRow
from tracehub.core.supplements import raw_of
from tracehub.core.trace import RawSpan, Span
from tracehub.core.wire.native_fields import FieldError
from tracehub.core.wire.native_spans import spans_of_trace
from tracehub.core.wire.normalise import normalise

UNREADABLE = {"name": "[masked]"}  # what is left of a span of our own JSON that masking broke


class Remasked(NamedTuple):
    """The new row of a stored span, and how often each rule struck."""

    row: SpanRow
    counts: Counter[str]


def mask_raw(raw: RawSpan, masker: Masker) -> Counter[str]:
    """Mask every text of a received span in place; return how often each rule struck."""
    counts: Counter[str] = Counter()
    for name in ("name", "attributes", "events", "links", "resource", "scope", "status_message"):
        result = masker.mask(getattr(raw, name))
        setattr(raw, name, result.value)
        counts += result.counts
    return counts


def touches(row: dict[str, Any], masker: Masker) -> bool:
    """Say whether a row of `spans` (as dict with `payload`) could need masking."""
    return masker.touches(unpack(row["payload"])[1])


def remask(project_id: int, row: dict[str, Any], masker: Masker) -> Remasked | None:
    """Return a stored span masked, None when no rule strikes. `row` has all columns, as dict.

    Times, cost and rank stay: a version of the span that comes late is judged as before.
    """
    raw = raw_of(row)
    if raw is None:  # a span of our own JSON
        span, counts = _native(row, masker)
        if not counts:
            return None
        text = stored.received_span_json(span)
    else:
        counts = mask_raw(raw, masker)
        if not counts:
            return None
        span = normalise(raw, arrived_ns=row["start_ns"])
        text = stored.received_json(raw)
    span.start_ns, span.duration_ns = row["start_ns"], row["duration_ns"]
    span.cost, span.cost_source = row["cost"], stored.cost_source(row)
    new = stored.row_of(project_id, span, digest(span), text)
    return Remasked(new._replace(rank=row["rank"]), counts)


def _native(row: dict[str, Any], masker: Masker) -> tuple[Span, Counter[str]]:
    """Read a span of TraceHub's own JSON again: `posted`, and on one span `posted_trace`."""
    received = stored.received_of(row["payload"])
    about, posted = masker.mask(received.get("posted_trace")), masker.mask(received["posted"])
    short_form = about.value is None and row["facts"].get("N") is not None
    value = posted.value if short_form else {**(about.value or {}), "spans": [posted.value]}
    trace_id, start_ns = row["trace_id"].hex, row["start_ns"]
    try:
        span = spans_of_trace(value, trace_id, start_ns)[0]
    except FieldError:  # such as a number that a rule turned into a text
        span = spans_of_trace({**UNREADABLE, "kind": row["kind"]}, trace_id, start_ns)[0]
    span.span_id = stored.span_hex(row["span_id"])
    span.parent_id = None if row["parent_id"] is None else stored.span_hex(row["parent_id"])
    return span, about.counts + posted.counts
