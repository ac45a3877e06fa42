"""A large OTLP request in protobuf as several small ones, without parsing its spans.

Parsed, a message takes several times its bytes; so a large body is cut between spans, and only one
piece at a time is parsed. Each piece repeats the resource and scope of its spans.
Source: protobuf.dev/programming-guides/encoding, opentelemetry-proto/trace/v1/trace.proto.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tracehub.core.wire.decoded import check_count

RESOURCE_SPANS = 1  # of ExportTraceServiceRequest
INNER = 2  # scope_spans of ResourceSpans, and spans of ScopeSpans
MESSAGE = 2  # wire type
FIXED = {1: 8, 5: 4}  # bytes by wire type


class Field(NamedTuple):
    """One field: number, wire type, and where it begins, its value begins and it ends."""

    number: int
    wire: int
    start: int
    value: int
    end: int


class Uncuttable(ValueError):
    """Bytes that are not plain fields one after another: let the parser say what is wrong."""


def pieces(body: bytes, size: int) -> Iterator[bytes]:
    """Yield requests of about `size` bytes that together say what `body` says.

    A body that cannot be cut comes whole. Raises WireError when there are more than 50,000 spans.
    """
    try:
        plan = _plan(body)
    except Uncuttable:
        yield body
        return
    check_count(sum(len(spans) for _, scopes in plan for _, spans in scopes))
    waiting: list[bytes] = []
    held = 0
    for resource, scopes in plan:
        for scope, spans in scopes:
            for batch in _batches(spans, size):
                inner = scope + b"".join(body[span.start : span.end] for span in batch)
                waiting.append(_message(1, resource + _message(INNER, inner)))
                held += len(waiting[-1])
                if held >= size:
                    yield b"".join(waiting)
                    waiting, held = [], 0
    if waiting:
        yield b"".join(waiting)


def _plan(body: bytes) -> list[tuple[bytes, list[tuple[bytes, list[Field]]]]]:
    """Return [(fields of the resource, [(fields of the scope, spans)])] in order."""
    plan = []
    for outer in _fields(body, 0, len(body)):
        if outer.number != RESOURCE_SPANS or outer.wire != MESSAGE:
            continue
        resource, groups = _parted(body, outer)
        plan.append((resource, [_parted(body, group) for group in groups]))
    return plan


def _parted(body: bytes, holder: Field) -> tuple[bytes, list[Field]]:
    """Return all other fields of a message, and those of number INNER."""
    rest, inner = [], []
    for item in _fields(body, holder.value, holder.end):
        if item.number == INNER and item.wire == MESSAGE:
            inner.append(item)
        else:
            rest.append(body[item.start : item.end])
    return b"".join(rest), inner


def _fields(body: bytes, at: int, end: int) -> Iterator[Field]:
    while at < end:
        start = at
        tag, at = _varint(body, at, end)
        wire = tag & 7
        value = at
        if wire == MESSAGE:
            length, value = _varint(body, at, end)
            at = value + length
        elif wire == 0:
            _, at = _varint(body, at, end)
        elif wire in FIXED:
            at += FIXED[wire]
        else:
            raise Uncuttable
        if at > end or not tag >> 3:
            raise Uncuttable
        yield Field(tag >> 3, wire, start, value, at)


def _varint(body: bytes, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 70:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise Uncuttable


def _batches(spans: list[Field], size: int) -> Iterator[list[Field]]:
    batch: list[Field] = []
    held = 0
    for span in spans:
        batch.append(span)
        held += span.end - span.start
        if held >= size:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def _message(number: int, value: bytes) -> bytes:
    length, out = len(value), bytearray([number << 3 | MESSAGE])
    while length > 0x7F:
        out.append(length & 0x7F | 0x80)
        length >>= 7
    out.append(length)
    return bytes(out) + value
