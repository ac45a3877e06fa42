"""OTLP/HTTP in JSON: an ExportTraceServiceRequest -> raw spans.

Source: opentelemetry-proto/docs/specification.md, "JSON Protobuf Encoding".
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from tracehub.core.trace import Json, RawSpan, Rejected
from tracehub.core.wire.decoded import (
    HEADERS_SIGN,
    MAX_NESTING,
    MAX_SPANS,
    MAX_UINT64,
    Decoded,
    SpanError,
    WireError,
    check_count,
    shown,
    without_headers,
    without_nul,
)
from tracehub.core.wire.json_text import load

STATUS_CODES = {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}
SPAN_KINDS = {
    "SPAN_KIND_UNSPECIFIED": 0,
    "SPAN_KIND_INTERNAL": 1,
    "SPAN_KIND_SERVER": 2,
    "SPAN_KIND_CLIENT": 3,
    "SPAN_KIND_PRODUCER": 4,
    "SPAN_KIND_CONSUMER": 5,
}
HEX = re.compile(r"[0-9a-f]+")
BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")


def decode_json(body: bytes) -> Decoded:
    """Return the spans of an ExportTraceServiceRequest in JSON.

    A span with bad ids or times is rejected alone. NUL and lone surrogates become U+FFFD. Raises
    WireError when the body is not JSON, not such a request, or holds more than 50,000 spans.
    """
    decoded = Decoded()
    for part in decode_json_parts(body, MAX_SPANS):
        decoded.spans += part.spans
        decoded.rejected += part.rejected
        decoded.replaced += part.replaced
    return decoded


def decode_json_parts(body: bytes, size: int) -> Iterator[Decoded]:
    """Yield the spans of a request, `size` at a time; what was read is let go.

    What is wrong with the request as a whole is raised before the first part.
    """
    decoded = Decoded()
    request = load(body, decoded)
    groups = list(_scopes(request))
    check_count(sum(len(spans) for _, _, spans in groups))
    reader = JsonReader(decoded, clean=b"\\u0000" not in body)
    del request
    index = 0
    for resource, scope, spans in _origins(reader, groups):
        for at, span in enumerate(spans):
            spans[at] = None
            try:
                decoded.spans.append(reader.span(span, resource, scope))
            except SpanError as error:
                decoded.rejected.append(Rejected(index, error.field, error.message))
            index += 1
            if index % size == 0:
                yield decoded
                decoded = reader.decoded = Decoded()
    if decoded.total or decoded.replaced:
        yield decoded


def _origins(
    reader: JsonReader, groups: list[tuple[Json, Json, list[Json]]]
) -> list[tuple[dict[str, Json], dict[str, Json], list[Json]]]:
    """Return the groups with resource and scope read. Spans must not lose where they come from."""
    read = []
    last: object = None
    resource: dict[str, Json] = {}
    for sent_resource, sent_scope, spans in groups:
        try:
            if sent_resource is not last or not resource:
                last, resource = sent_resource, reader.attributes(_attributes_of(sent_resource))
            read.append((resource, reader.scope(sent_scope), spans))
        except SpanError as error:
            raise WireError(f"{error.field} {error.message}", error.field) from error
    return read


def _scopes(request: Json) -> Iterator[tuple[Json, Json, list[Json]]]:
    for resource_spans in _list(request, "resourceSpans", "resourceSpans"):
        path = "resourceSpans.scopeSpans"
        for scope_spans in _list(resource_spans, "scopeSpans", path):
            spans = _list(scope_spans, "spans", f"{path}.spans")
            yield resource_spans.get("resource"), scope_spans.get("scope"), spans


def _list(parent: Json, key: str, path: str) -> list[Json]:
    if not isinstance(parent, dict):
        raise WireError(f"{path} must be in an object. Got {shown(parent)}", path)
    value = parent.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise WireError(f"{path} must be a list. Got {shown(value)}", path)
    return value


def _attributes_of(holder: Json) -> Json:
    return holder.get("attributes") if isinstance(holder, dict) else None


class JsonReader:
    """Turns parsed OTLP/JSON into plain values. `clean` says that no string can hold U+0000."""

    __slots__ = ("clean", "decoded")

    def __init__(self, decoded: Decoded, *, clean: bool) -> None:
        self.decoded = decoded
        self.clean = clean

    def span(self, span: Json, resource: dict[str, Json], scope: dict[str, Json]) -> RawSpan:
        if not isinstance(span, dict):
            raise SpanError("span", f"must be an object. Got {shown(span)}")
        get = span.get
        attributes = self.attributes(get("attributes"))
        if HEADERS_SIGN in attributes:
            attributes = without_headers(attributes)
        raw = RawSpan(
            hex_id(get("traceId"), "traceId", 32),
            hex_id(get("spanId"), "spanId", 16),
            parent_id(get("parentSpanId")),
            self.text(get("name"), "name"),
            uint64(get("startTimeUnixNano"), "startTimeUnixNano"),
            uint64(get("endTimeUnixNano"), "endTimeUnixNano"),
            attributes,
            self._each(get("events"), "events", self.event) if get("events") else [],
            resource=resource,
            scope=scope,
            span_kind=_enum(get("kind"), SPAN_KINDS, "kind"),
        )
        if status := get("status"):
            self._status(status, raw)
        if links := get("links"):
            raw.links = self._each(links, "links", self._link)
        if state := get("traceState"):
            raw.trace_state = self.text(state, "traceState")
        if flags := get("flags"):
            raw.flags = uint64(flags, "flags") & 0xFFFFFFFF
        for name in ("Attributes", "Events", "Links"):
            if count := get(f"dropped{name}Count"):
                raw.dropped[name.lower()] = uint64(count, f"dropped{name}Count")
        return raw

    def _status(self, status: Json, raw: RawSpan) -> None:
        if not isinstance(status, dict):
            raise SpanError("status", f"must be an object. Got {shown(status)}")
        raw.status_code = _enum(status.get("code"), STATUS_CODES, "status.code")
        raw.status_message = self.text(status.get("message"), "status.message")

    def _each(self, items: Json, field: str, read: Callable[[Json], Json]) -> list[Json]:
        if not isinstance(items, list):
            raise SpanError(field, f"must be a list. Got {shown(items)}")
        return [read(item) for item in items if isinstance(item, dict)]

    def event(self, event: dict[str, Json]) -> dict[str, Json]:
        return {
            "name": self.text(event.get("name"), "events.name"),
            "time_ns": uint64(event.get("timeUnixNano"), "events.timeUnixNano"),
            "attributes": self.attributes(event.get("attributes")),
        }

    def _link(self, link: dict[str, Json]) -> dict[str, Json]:
        return {
            "trace_id": self.text(link.get("traceId"), "links.traceId").lower(),
            "span_id": self.text(link.get("spanId"), "links.spanId").lower(),
            "trace_state": self.text(link.get("traceState"), "links.traceState"),
            "attributes": self.attributes(link.get("attributes")),
            "flags": uint64(link.get("flags"), "links.flags"),
        }

    def scope(self, scope: Json) -> dict[str, Json]:
        if not isinstance(scope, dict):
            return {"name": "", "version": ""}
        result: dict[str, Json] = {
            key: self.clear(value) if isinstance(value := scope.get(key), str) else ""
            for key in ("name", "version")
        }
        if attributes := self.attributes(scope.get("attributes")):
            result["attributes"] = attributes
        return result

    def text(self, value: Json, field: str) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            raise SpanError(field, f"must be a string. Got {shown(value)}")
        return self.clear(value)

    def clear(self, text: str) -> str:
        if self.clean or "\0" not in text:
            return text
        self.decoded.replaced += text.count("\0")
        return without_nul(text)

    def attributes(self, pairs: Json, depth: int = 0) -> dict[str, Json]:
        """A list of {key, value} as a dict; of two equal keys the last wins."""
        if not pairs:
            return {}
        if not isinstance(pairs, list):
            raise SpanError("attributes", f"must be a list of key and value. Got {shown(pairs)}")
        result: dict[str, Json] = {}
        clean = self.clean
        for pair in pairs:
            if pair.__class__ is not dict:
                raise SpanError("attributes", f"must hold key and value. Got {shown(pair)}")
            key, value = pair.get("key"), pair.get("value")
            if key.__class__ is not str:
                raise SpanError("attributes.key", f"must be a string. Got {shown(key)}")
            text = value.get("stringValue") if value.__class__ is dict else None
            if text.__class__ is not str:
                text = self.value(value, key, depth)
            elif not clean:
                text = self.clear(text)
            result[key if clean else self.clear(key)] = text
        return result

    def value(self, value: Json, key: str, depth: int) -> Json:
        """An AnyValue as JSON; what cannot be read as its type says is kept as it came."""
        if value is None or value == {}:
            return None
        if not isinstance(value, dict):
            raise SpanError(f"attributes[{key[:60]}]", f"must be an AnyValue. Got {shown(value)}")
        for kind, inner in value.items():
            read = _SCALARS.get(kind)
            if read is not None:
                result = read(inner)
                return self.clear(result) if isinstance(result, str) else result
            if kind in ("arrayValue", "kvlistValue"):
                return self._nested(kind, inner, key, depth + 1)
        return None

    def _nested(self, kind: str, inner: Json, key: str, depth: int) -> Json:
        if depth > MAX_NESTING:
            raise WireError(
                f"Attribute values may nest {MAX_NESTING} deep. {shown(key)} goes deeper.",
                "attributes",
            )
        values = inner.get("values") if isinstance(inner, dict) else None
        if kind == "kvlistValue":
            return self.attributes(values, depth)
        if values is not None and not isinstance(values, list):
            raise SpanError(f"attributes[{key[:60]}]", f"must be a list. Got {shown(values)}")
        return [self.value(item, key, depth) for item in values or ()]


def _integer(value: Json) -> Json:
    if value.__class__ is int:
        return value if -(2**63) <= value <= MAX_UINT64 else str(value)
    try:
        number = int(value) if isinstance(value, str) else value
    except ValueError:
        return value
    if isinstance(number, int) and not -(2**63) <= number <= MAX_UINT64:
        return value
    return number if isinstance(number, int | float) else _plain(value)


def _double(value: Json) -> Json:
    """A number; `NaN` and `Infinity` stay the strings that they were sent as."""
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return value
        return number if math.isfinite(number) else value
    if value.__class__ is int:  # at most 64 bits, orjson reads longer ones as floats
        return float(value)
    return _plain(value)


def _plain(value: Json) -> Json:
    """A scalar as it is; anything else, which has no place here, as its JSON text."""
    if value is None or isinstance(value, str | int | float):
        return value
    return orjson.dumps(value).decode() if _shallow(value) else "[nested]"


def _shallow(value: Json) -> bool:
    level = [value]
    for _ in range(MAX_NESTING):
        if not level:
            return True
        level = [
            inner
            for item in level
            for inner in (item.values() if isinstance(item, dict) else item)
            if isinstance(inner, dict | list)
        ]
    return not level


def _base64(value: Json) -> Json:
    """Standard base64, also when the URL alphabet or no padding was sent; else as it came."""
    if not isinstance(value, str):
        return _plain(value)
    padded = value.replace("-", "+").replace("_", "/") + "=" * (-len(value) % 4)
    try:
        return base64.b64encode(base64.b64decode(padded, validate=True)).decode("ascii")
    except (binascii.Error, ValueError):
        return value


_SCALARS: dict[str, Callable[[Any], Json]] = {
    "stringValue": _plain,
    "boolValue": _plain,
    "intValue": _integer,
    "doubleValue": _double,
    "bytesValue": _base64,
}


def hex_id(value: Json, field: str, digits: int) -> str:
    """A lower-case id of exactly `digits` hexadecimal digits, not all zeros."""
    if not isinstance(value, str):
        raise SpanError(field, f"must be {digits} hexadecimal digits. Got {shown(value)}")
    text = value.lower()
    if len(text) == digits and HEX.fullmatch(text):
        if text.strip("0"):
            return text
        raise SpanError(field, f"must not be all zeros. Got {shown(value)}")
    hint = ""
    if _base64_length(value) == digits // 2 and BASE64.fullmatch(value):
        hint = "; this looks like base64, OTLP/JSON ids are hexadecimal"
    raise SpanError(field, f"must be {digits} hexadecimal digits. Got {shown(value)}{hint}")


def _base64_length(value: str) -> int:
    return len(value.rstrip("=")) * 3 // 4


def parent_id(value: Json) -> str | None:
    """The parent's id, None for a root (absent, empty or all zeros, which some exporters send)."""
    if value is None or value == "" or value == "0" * 16:
        return None
    return hex_id(value, "parentSpanId", 16)


def uint64(value: Json, field: str) -> int:
    """A 64-bit count sent as a number or a string; absent is 0."""
    if value.__class__ is str:
        number = int(value) if value.isascii() and value.isdigit() and len(value) <= 20 else -1
    elif value is None:
        return 0
    elif value.__class__ is int:
        number = value
    elif isinstance(value, float) and value.is_integer():
        number = int(value)
    else:
        number = -1
    if not 0 <= number <= MAX_UINT64:
        raise SpanError(field, f"must be an unsigned 64-bit integer. Got {shown(value)}")
    return number


def _enum(value: Json, names: dict[str, int], field: str) -> int:
    if value is None:
        return 0
    if value.__class__ is int and 0 <= value < 2**31:
        return int(value)
    if isinstance(value, str):
        if value in names:
            return names[value]
        if value.isascii() and value.isdigit() and len(value) < 10:
            return int(value)
    raise SpanError(field, f"must be a number or one of {', '.join(names)}. Got {shown(value)}")
