"""What comes apart from its span and belongs to it: log records, and the second half of a run.

Older GenAI instrumentations send messages as log records; LangSmith's own API sends a run when it
starts and a patch when it ends. Either may come before or after its span. A supplement is kept as
long as its trace, and joined again whenever the stored span lacks it, so order does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from tracehub.core.stored import received_of, span_hex
from tracehub.core.trace import Json, RawSpan
from tracehub.core.wire.langsmith_native import merge

SuppKind = Literal["events", "patch"]
_FIELDS = frozenset(f.name for f in fields(RawSpan))


@dataclass(frozen=True, slots=True)
class Supplement:
    """`body` is a list of events, or the fields of a raw span that a patch carries."""

    kind: SuppKind
    body: Json


def raw_of(row: dict[str, Any]) -> RawSpan | None:
    """Rebuild what was received from a row of `spans` (as dict with ids, name, times, `payload`).

    None for a span of TraceHub's own JSON: it came whole, and nothing comes after it.
    """
    received = received_of(row["payload"])
    if "posted" in received:
        return None
    status = received.get("status", [0, ""])
    times = received.get("times", [row["start_ns"], row["start_ns"] + (row["duration_ns"] or 0)])
    return RawSpan(
        trace_id=row["trace_id"].hex,
        span_id=span_hex(row["span_id"]),
        parent_id=received.get("parent_id"),
        name=received.get("name", row["name"]),
        start_ns=times[0],
        end_ns=times[1],
        attributes=received.get("attributes", {}),
        events=received.get("events", []),
        status_code=status[0],
        status_message=status[1],
        links=received.get("links", []),
        resource=received.get("resource", {}),
        scope=received.get("scope", {}),
        span_kind=received.get("kind", 0),
        trace_state=received.get("trace_state", ""),
        dropped=received.get("dropped", {}),
    )


def patch_body(patch: RawSpan) -> dict[str, Json]:
    """Return the fields that a patch carries, for a `Supplement`."""
    empty = RawSpan("", "", None, "", 0, 0, {}, [])
    ids = {"trace_id", "span_id"}
    return {
        name: value
        for name in _FIELDS - ids
        if (value := getattr(patch, name)) != getattr(empty, name)
    }


def join(raw: RawSpan, supplements: Sequence[Supplement]) -> RawSpan | None:
    """Return the span with what it lacked; None when it has everything already."""
    joined = raw
    for supplement in supplements:
        if supplement.kind == "patch":
            patch = replace(
                RawSpan(raw.trace_id, raw.span_id, None, "", 0, 0, {}, []),
                **{k: v for k, v in supplement.body.items() if k in _FIELDS},
            )
            joined = merge(joined, patch)
        else:
            news = [event for event in supplement.body if event not in joined.events]
            if news:
                joined = replace(joined, events=[*joined.events, *news])
    return None if joined == raw else joined
