"""What Langfuse exports -> spans in OTLP/JSON with the attributes of its SDKs, and scores.

Items are traces (with their observations and scores, as `GET /api/public/traces/{id}` gives them,
or without), observations, and scores. Names come in camelCase (API, page) or snake_case (batch
exports to blob storage). Ids of older SDKs have any form: what is no OTLP id becomes a hash, the
same for the same id, so that files of traces, observations and scores meet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import orjson

from tracehub.core.wire.phoenix_export import attribute_pairs, nanoseconds

Json = Any
Item = dict[str, Json]
OBSERVATION = "langfuse.observation."
# Field -> attribute of an observation.
ATTRIBUTES = {
    "type": f"{OBSERVATION}type",
    "level": f"{OBSERVATION}level",
    "statusMessage": f"{OBSERVATION}status_message",
    "input": f"{OBSERVATION}input",
    "output": f"{OBSERVATION}output",
    "model": f"{OBSERVATION}model.name",
    "providedModelName": f"{OBSERVATION}model.name",
    "modelParameters": f"{OBSERVATION}model.parameters",
    "usageDetails": f"{OBSERVATION}usage_details",
    "costDetails": f"{OBSERVATION}cost_details",
    "completionStartTime": f"{OBSERVATION}completion_start_time",
    "promptName": f"{OBSERVATION}prompt.name",
    "promptVersion": f"{OBSERVATION}prompt.version",
    "environment": "langfuse.environment",
    "version": "langfuse.version",
}
# Field -> attribute of the root of a trace.
OF_TRACE = {
    "name": "langfuse.trace.name",
    "input": "langfuse.trace.input",
    "output": "langfuse.trace.output",
    "sessionId": "session.id",
    "userId": "user.id",
    "release": "langfuse.release",
    "version": "langfuse.version",
    "environment": "langfuse.environment",
    "tags": "langfuse.trace.tags",
}
USAGE = {"input": "input", "output": "output", "total": "total"}


class NotLangfuse(ValueError):
    """An item that lacks what it needs; the text says what."""


def is_item(item: Item) -> bool:
    """Say whether a JSON object is a trace, an observation or a score of Langfuse."""
    return _is_observation(item) or _is_score(item) or _is_trace(item)


def _is_observation(item: Item) -> bool:
    return get(item, "traceId") is not None and get(item, "startTime") is not None


def _is_score(item: Item) -> bool:
    has_value = any(get(item, name) is not None for name in ("value", "stringValue"))
    return get(item, "traceId") is not None and has_value and "name" in item


def _is_trace(item: Item) -> bool:
    named = ("htmlPath", "observations", "sessionId", "userId", "totalCost", "projectId")
    return "id" in item and "timestamp" in item and any(get(item, n) is not None for n in named)


def get(item: Item, name: str) -> Json:
    """Return a field by its name in camelCase, or in snake_case when that is there.

    >>> get({"trace_id": 1}, "traceId"), get({"traceId": 2}, "traceId")
    (1, 2)
    """
    if (found := item.get(name)) is not None:
        return found
    return item.get(re.sub("([A-Z])", r"_\1", name).lower())


def otlp_of(item: Item) -> Item:
    """Return an item's spans as an ExportTraceServiceRequest. Raises NotLangfuse."""
    return {"resourceSpans": [{"scopeSpans": [{"spans": list(_spans(item))}]}]}


def scores_of(item: Item) -> list[Item]:
    """Return an item's scores as `POST /api/v1/feedback` takes them. Raises NotLangfuse."""
    if _is_score(item) and not _is_observation(item):
        return [_score(item, get(item, "traceId"))]
    scores = item.get("scores")
    return [_score(s, item.get("id")) for s in _objects(scores)]


def _objects(value: Json) -> list[Item]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _spans(item: Item) -> Iterator[Item]:
    if _is_observation(item):
        yield _span(item, get(item, "traceId"), {}, get(item, "parentObservationId"))
        return
    if _is_score(item):
        return
    trace = item.get("id")
    observations = _objects(item.get("observations"))
    known = {each.get("id") for each in observations}
    tops = [each for each in observations if get(each, "parentObservationId") not in known]
    about = _trace_attributes(item)
    single = tops[0] if len(tops) == 1 else None
    if single is None:
        yield _root(item, observations, about)
    for each in observations:
        top = each in tops
        parent = (
            get(each, "parentObservationId") if not top else None if single else f"root {trace}"
        )
        yield _span(each, trace, about if each is single else {}, parent)


def _root(item: Item, observations: list[Item], about: Item) -> Item:
    """The trace itself as a span, when no one observation is its root."""
    trace = item.get("id")
    start = int(nanoseconds(item.get("timestamp")))
    ends = [int(nanoseconds(get(o, "endTime") or get(o, "startTime"))) for o in observations]
    latency = item.get("latency")
    if isinstance(latency, int | float):
        ends.append(start + int(latency * 1_000_000_000))
    about = {**about, f"{OBSERVATION}type": "span"}
    return {
        "traceId": trace_id(trace),
        "spanId": span_id(trace, f"root {trace}"),
        "name": item.get("name") or "trace",
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(max([start, *ends])),
        "attributes": attribute_pairs(about),
    }


def _trace_attributes(item: Item) -> Item:
    about = {key: _text(get(item, name)) for name, key in OF_TRACE.items()}
    tags = item.get("tags")
    about["langfuse.trace.tags"] = tags if isinstance(tags, list) and tags else None
    for key, value in _metadata(item).items():
        about[f"langfuse.trace.metadata.{key}"] = _text(value)
    return about


def _span(item: Item, trace: Json, about: Item, parent: Json) -> Item:
    if not isinstance(item.get("id"), str):
        raise NotLangfuse("id of an observation is missing.")
    attributes = {
        key: _text(get(item, name)) for name, key in ATTRIBUTES.items() if _has(item, name)
    }
    attributes[f"{OBSERVATION}type"] = str(item.get("type") or "span").lower()
    _usage_and_cost(item, attributes)
    for key, value in _metadata(item).items():
        attributes[f"{OBSERVATION}metadata.{key}"] = _text(value)
    for name, key in (("userId", "user.id"), ("sessionId", "session.id")):
        if (value := get(item, name)) is not None:
            attributes[key] = str(value)
    end = get(item, "endTime")
    if end is None and attributes[f"{OBSERVATION}type"] == "event":
        end = get(item, "startTime")
    failed = item.get("level") == "ERROR"
    return {
        "traceId": trace_id(trace),
        "spanId": span_id(trace, item["id"]),
        "parentSpanId": span_id(trace, parent) if parent else "",
        "name": item.get("name") or "observation",
        "startTimeUnixNano": nanoseconds(get(item, "startTime")),
        "endTimeUnixNano": nanoseconds(end),
        "attributes": attribute_pairs({**attributes, **{k: v for k, v in about.items() if v}}),
        "status": {"code": 2, "message": get(item, "statusMessage") or ""} if failed else {},
    }


def _has(item: Item, name: str) -> bool:
    return get(item, name) not in (None, {}, [])


def _usage_and_cost(item: Item, attributes: Item) -> None:
    """Usage and cost of older servers, which had no details."""
    usage = item.get("usage")
    if f"{OBSERVATION}usage_details" not in attributes and isinstance(usage, dict):
        counts = {name: usage.get(key) for key, name in USAGE.items()}
        if counts := {name: count for name, count in counts.items() if count}:
            attributes[f"{OBSERVATION}usage_details"] = _text(counts)
    cost = get(item, "calculatedTotalCost") or get(item, "totalCost")
    if f"{OBSERVATION}cost_details" not in attributes and isinstance(cost, int | float):
        attributes[f"{OBSERVATION}cost_details"] = _text({"total": cost})


def _metadata(item: Item) -> Item:
    value = item.get("metadata")
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return {"metadata": value}
    if value is None or value == {}:
        return {}
    # What older SDKs sent of OpenTelemetry itself is told by the span already.
    dull = ("attributes", "resourceAttributes", "scope")
    return (
        {k: v for k, v in value.items() if k not in dull}
        if isinstance(value, dict)
        else {"metadata": value}
    )


def _text(value: Json) -> Json:
    """Objects and lists as JSON in a string, as the SDKs send them."""
    return orjson.dumps(value).decode() if isinstance(value, dict | list) else value


def _score(item: Item, trace: Json) -> Item:
    value = item.get("value")
    label = get(item, "stringValue")
    if get(item, "dataType") == "BOOLEAN" and isinstance(value, int | float):
        value = bool(value)
    elif value is None or get(item, "dataType") == "CATEGORICAL":
        value = label
    observation = get(item, "observationId")
    score = {
        "trace_id": trace_id(get(item, "traceId") or trace),
        "span_id": span_id(trace, observation) if observation else None,
        "name": item.get("name"),
        "value": value,
        "label": label if isinstance(label, str) and label != value else None,
        "comment": item.get("comment"),
        "source": str(item["source"]).lower() if item.get("source") else None,
        "id": item.get("id"),
    }
    return {name: field for name, field in score.items() if field is not None}


def trace_id(value: Json) -> str:
    """Return 32 hex digits: the id itself when it is such, or a UUID, else a hash of it.

    >>> trace_id("0197e4c2-3b1c-7e58-8a54-6a5a8a1f0001"), trace_id("booking 7")
    ('0197e4c23b1c7e588a546a5a8a1f0001', '263f940bdc61ef318a6621ff09196430')
    """
    if not isinstance(value, str) or not value:
        raise NotLangfuse("id of the trace is missing.")
    plain = value.replace("-", "").lower()
    if re.fullmatch("[0-9a-f]{32}", plain) and plain.strip("0"):
        return plain
    return blake2b(value.encode("utf-8", "replace"), digest_size=16).hexdigest()


def span_id(trace: Json, value: Json) -> str:
    """Return 16 hex digits: the id itself when it is such, else a hash of it and its trace's."""
    if isinstance(value, str) and re.fullmatch("[0-9a-f]{16}", value) and value.strip("0"):
        return value
    text = f"{trace}\n{value}"
    return blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()
