"""Finished calls that gave nothing."""

from __future__ import annotations

from collections.abc import Iterator

from tracehub.core.signals.base import Evidence
from tracehub.core.trace import Signal


def detect(trace: Evidence) -> Iterator[Signal]:
    """Yield `empty_output` for a call that recorded its input, ended well and has no output.

    A call whose input is not there either was recorded without content; that is no failure.
    """
    if not trace.settled:
        return
    for span in trace.calls:
        finished = span.duration_ns is not None and not span.error
        if finished and span.has_input and not span.has_output and not span.refusal:
            yield Signal("empty_output", f"{span.name} returned nothing", "high", span.span_id)
