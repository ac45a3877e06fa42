"""Answers over a length limit."""

from __future__ import annotations

from collections.abc import Iterator

from tracehub.core.preview import plain
from tracehub.core.signals.base import Contents
from tracehub.core.trace import Json, Signal


def detect(trace: Contents) -> Iterator[Signal]:
    """Yield `too_long` per call whose text is longer than the limit, in characters."""
    limit = int(trace.rules.limit("too_long"))
    for span in trace.calls:
        length = _length(span.output)
        if length > limit:
            yield Signal(
                "too_long",
                f"{span.name} answered with {length:,} characters. The limit is {limit:,}",
                "medium",
                span.span_id,
                evidence={"characters": length, "limit": limit},
            )


def _length(output: Json) -> int:
    text = plain(output)
    return len(text) if isinstance(text, str) else 0
