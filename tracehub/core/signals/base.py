"""What a detector sees: a trace as its digests in the first pass, with payloads in the second."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from tracehub.core.preview import last_user_message, plain, told
from tracehub.core.signals.rules import Rules
from tracehub.core.signals.text import CAP, spoken
from tracehub.core.trace import Json, Signal, Span, SpanDigest, TraceSummary


@dataclass
class Evidence:
    """A trace as the cheap detectors see it. `settled`: the root is there or 60 s were quiet.

    `feedback` holds dicts with name, value, label, comment, source. `violations` are what breaks
    contracts: whoever loads outputs finds them, since digests have none. `late` is what the second
    pass found when it last came by.
    """

    summary: TraceSummary
    spans: Sequence[SpanDigest]
    feedback: Sequence[dict[str, Json]] = ()
    settled: bool = True
    violations: Sequence[Signal] = ()
    rules: Rules = field(default_factory=Rules)
    late: Sequence[Signal] = ()

    @cached_property
    def tools(self) -> list[SpanDigest]:
        """Tool spans in order of start."""
        return [span for span in self.spans if span.kind == "tool"]

    @cached_property
    def calls(self) -> list[SpanDigest]:
        """Calls of a model, in order of start."""
        return [span for span in self.spans if span.kind == "llm"]


class Source(NamedTuple):
    """A retrieved document, or the result of a tool (without id)."""

    id: str | None
    text: str


class Asked(NamedTuple):
    """What a user said in an earlier trace of the session."""

    trace_id: str
    text: str


@dataclass
class Contents:
    """A trace with its payloads, as the second pass sees it; spans are in order of start."""

    summary: TraceSummary
    spans: Sequence[Span]
    rules: Rules = field(default_factory=Rules)
    earlier: Sequence[Asked] = ()  # newest first

    @cached_property
    def output(self) -> Json:
        """What the trace gave its user: a text or JSON."""
        span = next((s for s in self.spans if s.span_id == self.summary.output_span), None)
        if span is None:
            return None
        given = self.summary.output_part == "trace_output"
        return told(plain(span.facts.trace_output if given else span.output))

    @cached_property
    def answer(self) -> str:
        """The words of the output; of JSON its texts, one a line."""
        return spoken(self.output)

    @cached_property
    def question(self) -> str:
        """The user's last words."""
        span = next((s for s in self.spans if s.span_id == self.summary.input_span), None)
        if span is None:
            return ""
        if self.summary.input_part == "trace_input":
            return spoken(last_user_message(span.facts.trace_input))
        return spoken(last_user_message(span.input))

    @cached_property
    def given(self) -> str:
        """All that users and instructions said to any call: what an answer may well repeat."""
        texts = [self.question]
        for span in self.calls:
            texts += [
                spoken(plain({"messages": [message]}))
                for message in _messages(span.input)
                if message.get("role") in ("user", "system")
            ]
        return "\n".join(texts)

    @cached_property
    def documents(self) -> list[Source]:
        """What was retrieved, in order."""
        found = [
            Source(doc.get("id"), str(doc.get("content") or ""))
            for span in self.spans
            for doc in span.context
        ]
        return list(dict.fromkeys(found))

    @cached_property
    def results(self) -> list[Source]:
        """What tools gave back."""
        tools = [span for span in self.spans if span.kind == "tool"]
        return [Source(None, str(span.output)[:CAP]) for span in tools if span.output is not None]

    @cached_property
    def calls(self) -> list[Span]:
        """Calls of a model, in order of start."""
        return [span for span in self.spans if span.kind == "llm"]


def _messages(value: Json) -> list[dict[str, Json]]:
    items = value.get("messages") if isinstance(value, dict) else None
    return [m for m in items if isinstance(m, dict)] if isinstance(items, list) else []


Detector = Callable[[Evidence], Iterator[Signal]]
LateDetector = Callable[[Contents], Iterator[Signal]]
