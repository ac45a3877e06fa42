"""A span as Phoenix exports it, one JSON object a span -> the same span in OTLP/JSON.

Two forms: a row of `get_spans_dataframe()`, whose keys are dotted (`context.trace_id`,
`attributes.llm.model_name`), and a span of its REST API, whose parts are objects.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson

Json = Any
# Kept whole by OpenInference, as JSON in a string.
WHOLE = frozenset(
    ("metadata", "llm.invocation_parameters", "llm.prompt_template.variables", "tool.parameters")
)
PARTS = ("context", "attributes")


def is_span(item: dict[str, Json]) -> bool:
    """Say whether a JSON object is a span of Phoenix."""
    return "context.trace_id" in item or (
        isinstance(item.get("context"), dict) and "trace_id" in item["context"]
    )


def otlp_of(item: dict[str, Json]) -> dict[str, Json]:
    """Return the span as an object of `scopeSpans.spans`; ids are checked where it is read."""
    context, attributes = (_part(item, name) for name in PARTS)
    events = item.get("events")
    if kind := item.get("span_kind"):
        attributes.setdefault("openinference.span.kind", kind)
    return {
        "traceId": context.get("trace_id"),
        "spanId": context.get("span_id"),
        "parentSpanId": item.get("parent_id") or "",
        "name": item.get("name") or "",
        "startTimeUnixNano": nanoseconds(item.get("start_time")),
        "endTimeUnixNano": nanoseconds(item.get("end_time")),
        "attributes": attribute_pairs(attributes),
        "events": [
            _event(event)
            for event in (events if isinstance(events, list) else [])
            if isinstance(event, dict)
        ],
        "status": {
            "code": {"OK": 1, "ERROR": 2}.get(str(item.get("status_code")), 0),
            "message": item.get("status_message") or "",
        },
    }


def _part(item: dict[str, Json], name: str) -> dict[str, Json]:
    part = item.get(name)
    dotted = {k[len(name) + 1 :]: v for k, v in item.items() if k.startswith(f"{name}.")}
    return {**(part if isinstance(part, dict) else {}), **dotted}


def _event(event: dict[str, Json]) -> dict[str, Json]:
    return {
        "name": event.get("name") or "",
        "timeUnixNano": nanoseconds(event.get("timestamp")),
        "attributes": attribute_pairs(_part(event, "attributes")),
    }


def nanoseconds(value: Json) -> str:
    """Nanoseconds as text; ISO 8601 and the milliseconds of pandas are understood, else zero."""
    if isinstance(value, int | float) and value >= 0:
        return str(int(value * 1_000_000))
    if not isinstance(value, str):
        return "0"
    try:
        when = datetime.fromisoformat(value)
    except ValueError:
        return "0"
    past = (when if when.tzinfo else when.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    return str(max(0, (past.days * 86_400 + past.seconds) * 10**9 + past.microseconds * 1000))


def attribute_pairs(attributes: dict[str, Json]) -> list[dict[str, Json]]:
    """Return attributes as OTLP/JSON writes them, nested ones under dotted names."""
    return [{"key": k, "value": _value(v)} for k, v in _flat("", attributes) if v is not None]


def _flat(prefix: str, value: Json) -> Iterator[tuple[str, Json]]:
    """Yield the leaves of a value under dotted names, as OpenInference writes them."""
    if prefix in WHOLE and isinstance(value, dict | list):
        yield prefix, orjson.dumps(value).decode()
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(f"{prefix}.{key}" if prefix else key, item)
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            yield from _flat(f"{prefix}.{index}", item)
    else:
        yield prefix, value


def _value(value: Json) -> dict[str, Json]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(item) for item in value if item is not None]}}
    return {"stringValue": str(value)}
