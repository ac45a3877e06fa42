"""TraceHub's own JSON -> spans. For people without OpenTelemetry, and for re-importing exports.

One trace, an array of traces, or one trace a line. Fields as in docs/reference/api.md; those that
TraceHub works out itself (`signals`, `models`, `retries` ...) are taken and not used, so that what
the API gave can be sent back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tracehub.core.trace import Json, Span
from tracehub.core.wire import native_fields as read
from tracehub.core.wire.decoded import MAX_SPANS, Decoded, WireError, shown
from tracehub.core.wire.json_text import load
from tracehub.core.wire.native_fields import FieldError
from tracehub.core.wire.native_spans import hash_of, spans_of_trace
from tracehub.core.wire.values import cleaned, shallow


@dataclass(slots=True)
class NativeTraces:
    """The spans of a request; `rejected` has `{"index" | "line", "field", "message"}` per trace."""

    spans: list[Span] = field(default_factory=list)
    trace_ids: list[str] = field(default_factory=list)
    rejected: list[dict[str, Json]] = field(default_factory=list)

    @property
    def accepted(self) -> int:
        """Traces that were taken."""
        return len(self.trace_ids)


def decode(
    body: bytes,
    *,
    lines: bool,
    arrived_ns: int,
    fresh_id: Callable[[], str],
    idempotency_key: str | None = None,
) -> NativeTraces:
    """Read traces; `lines` says NDJSON. A trace with a wrong field is rejected whole, alone.

    A trace without `trace_id` gets one derived from the key and its place in the request, else
    from `fresh_id` (32 hexadecimal digits). Raises WireError when the body is not JSON at all.
    """
    result = NativeTraces()
    for place, value, problem in _items(body, lines):
        try:
            if problem is not None:
                raise problem
            trace_id = _trace_id(value, place, fresh_id, idempotency_key)
            spans = spans_of_trace(value, trace_id, arrived_ns)
        except FieldError as error:
            where = "line" if lines else "index"
            entry = {where: place, "field": error.field, "message": error.message}
            result.rejected.append(entry)
            continue
        result.spans += spans
        result.trace_ids.append(trace_id)
        if len(result.spans) > MAX_SPANS:
            raise WireError(f"A request may hold {MAX_SPANS:,} spans. Send smaller ones.", "spans")
    return result


def _items(body: bytes, lines: bool) -> list[tuple[int, Json, FieldError | None]]:
    """(index, or line from 1; value; what is wrong with it) of every trace in the body."""
    if not lines:
        value = load(body, Decoded())
        checked, problem = _checked(body, value)
        if problem is not None:
            raise WireError(str(problem), "body")
        items = checked if isinstance(checked, list) else [checked]
        return [(index, item, None) for index, item in enumerate(items)]
    found = []
    for number, line in enumerate(body.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            value, problem = _checked(line, load(line, Decoded()))
        except WireError as error:
            value, problem = None, FieldError("", error.message)
        found.append((number, value, problem))
    return found


def _checked(text: bytes, value: Json) -> tuple[Json, FieldError | None]:
    if not shallow(value, 64):
        return None, FieldError("", "Lists and objects may nest 64 deep. These go deeper.")
    return (cleaned(value) if b"\\u0000" in text else value), None


def _trace_id(
    value: Json, place: int, fresh_id: Callable[[], str], idempotency_key: str | None
) -> str:
    if not isinstance(value, dict):
        raise FieldError("", f"A trace must be an object. Got {shown(value)}.")
    sent: str | None = read.trace_id(value.get("trace_id"), "trace_id")
    if sent is not None:
        return sent
    if idempotency_key is None:
        return fresh_id()
    return hash_of(f"{idempotency_key}\n{place}", 16)
