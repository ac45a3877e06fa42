"""What a detector sees: a trace as its digests, without payloads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from tracehub.core.trace import Json, Signal, SpanDigest, TraceSummary


@dataclass
class Evidence:
    """A trace as the cheap detectors see it. `settled`: the root is there or 60 s were quiet.

    `feedback` holds dicts with name, value, label, comment, source. `violations` are what breaks
    contracts: whoever loads outputs finds them, since digests have none.
    """

    summary: TraceSummary
    spans: Sequence[SpanDigest]
    feedback: Sequence[dict[str, Json]] = ()
    settled: bool = True
    violations: Sequence[Signal] = ()

    @cached_property
    def tools(self) -> list[SpanDigest]:
        """Tool spans in order of start."""
        return [span for span in self.spans if span.kind == "tool"]

    @cached_property
    def calls(self) -> list[SpanDigest]:
        """Calls of a model, in order of start."""
        return [span for span in self.spans if span.kind == "llm"]


Detector = Callable[[Evidence], Iterator[Signal]]
