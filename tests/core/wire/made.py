"""Spans as a client sends them, made from attributes and events."""

from __future__ import annotations

from tests.core.wire.expectations import ARRIVED_NS
from tracehub.core.trace import RawSpan
from tracehub.core.wire.normalise import normalise

START = ARRIVED_NS - 10**9


def raw(attributes, events=(), *, number=1, parent=None, start=START, ms=10, **fields):
    listed = [
        {"name": name, "time_ns": START + at * 10**6, "attributes": found}
        for name, at, found in events
    ]
    return RawSpan(
        "ab" * 16,
        f"{number:016x}",
        parent and f"{parent:016x}",
        fields.pop("name", "x"),
        start,
        start + ms * 10**6,
        attributes,
        listed,
        **fields,
    )


def span(attributes, events=(), **fields):
    return normalise(raw(attributes, events, **fields), arrived_ns=ARRIVED_NS)


CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
