"""The trace page put together: tree, findings, the selected span. Pure; the view adds the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from typing import Any

from tracehub.core.query.attributes import indexed
from tracehub.core.query.tree import Pattern
from tracehub.core.trace import Json, Prompt, Signal, Span, TraceSummary
from tracehub.web import copy
from tracehub.web.trace_view import carried, findings, pane, tree, tries
from tracehub.web.trace_view.text import one_line, visible

TABS = ("messages", "raw", "attributes", "retries")
BADGES = 2


@dataclass
class TracePage:
    """One trace as its page shows it. `span_id`, `tab` and `whole` come from the URL."""

    summary: TraceSummary
    spans: Sequence[Span]
    signals: Sequence[Signal]
    span_id: str = ""
    tab: str = "messages"
    whole: str = ""
    under: str = ""
    first: int = 0
    past: int | None = None
    from_end: bool = False
    failed: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self.failed = findings.failed_spans(self.signals)
        self.tab = self.tab if self.tab in TABS else TABS[0]

    @cached_property
    def selected(self) -> Span | None:
        if self.span_id:
            return next((s for s in self.spans if s.span_id == self.span_id), None)
        return findings.default_span(self.spans, self.signals, self.summary.output_span)

    @cached_property
    def span_tree(self) -> tree.Tree:
        return tree.build(self.spans, self.failed)

    def rows(self) -> list[tree.Row]:
        return tree.rows(
            self.span_tree,
            selected=self.selected.span_id if self.selected else "",
            failed=self.failed,
            under=self.under,
            first=self.first,
            past=self.past,
            from_end=self.from_end,
        )

    def tree_context(self) -> dict[str, Any]:
        """What the tree needs besides its rows."""
        bad = [s for s in self.spans if tree.is_failed(s, self.failed)]
        first = findings.default_span(self.spans, self.signals, None) if bad else None
        seconds = self.span_tree.total_ms / 1000
        digits = 1 if seconds >= 1 else 3
        return {
            "failed_count": len(bad),
            "first_failed": first.span_id if first else "",
            "axis": (f"{seconds / 2:.{digits}f}", f"{seconds:.{digits}f}"),
            "findings": findings.findings(self.signals, self.spans),
        }

    def badges(self) -> list[findings.Finding]:
        """Return the worst kinds of signals, for the head of the page."""
        kinds: dict[str, findings.Finding] = {}
        for found in findings.findings(self.signals, self.spans):
            if found.mark.label != "Retried":  # has a badge of its own, with the count
                kinds.setdefault(found.mark.label, found)
        return list(islice(kinds.values(), BADGES))

    def pane_context(self) -> dict[str, Any]:
        """What the middle pane needs: the selected span as blocks, or its attributes."""
        span = self.selected
        if span is None:
            return {"span": None}
        notes = findings.notes_of(span, self.signals)
        blocks = self._blocks(span, notes) if self.tab == "messages" else []
        _mark_first_error(blocks)
        messages = pane.count(span)
        again = tree.tries(self.span_tree, span.span_id)
        return {
            "span": span,
            "span_name": visible(span.name),
            "span_facts": list(facts(span)),
            "tab": self.tab,
            "tabs": (
                ("messages", "Messages" if messages else "Content", messages or None),
                ("raw", "Raw", None),
                ("attributes", "Attributes", len(span.attributes)),
                *([("retries", "Retries", len(again) - 1)] if again else []),
            ),
            "tries": tries.laid_out(again, self.failed) if self.tab == "retries" else [],
            "span_term": f"span:{Pattern((span.name,))}",
            "blocks": blocks,
            "error_count": len(notes),
            "span_signals": [
                {"kind": s.kind, "severity": s.severity, "shown": one_line(s.message, 300)}
                for s in findings.of_span(span, self.signals)
            ],
            **(self._attributes(span) if self.tab == "attributes" else {}),
        }

    def _attributes(self, span: Span) -> dict[str, Any]:
        found = indexed(span.attributes for span in self.spans)
        return {
            "attributes": carried.of_span(span, self.summary, self.whole),
            "attributes_cut": len(found.words) if found.cut else 0,
        }

    def _blocks(self, span: Span, notes: Sequence[Any]) -> list[pane.Block]:
        sources = [
            s
            for s in self.spans
            if s.kind == "retriever" and s.parent_id == span.parent_id and s.context
        ]
        before = [s for s in sources if s.start_ns <= span.start_ns]
        return pane.blocks(
            span,
            notes=notes,
            sources=before if span.kind == "llm" and not span.context else (),
            calls=[s for s in self.spans if s.kind == "tool"] if span.kind == "llm" else (),
            whole=self.whole,
            answer=self._answer(span),
            tried=lambda span_id: tries.names(tree.tries(self.span_tree, span_id)),
        )

    def _answer(self, span: Span) -> Json:
        """What the documents of a span were read for: its own output, else that of the trace."""
        if span.kind == "llm":
            return span.output
        last = next((s for s in self.spans if s.span_id == self.summary.output_span), None)
        return last.output if last else None


def _mark_first_error(blocks: Sequence[pane.Block]) -> None:
    """Give the first line with a note the anchor that `o` jumps to."""
    for block in blocks:
        for code in (block.code, block.result):
            for line in code.lines if code else ():
                if line.notes:
                    line.first_error = True
                    return


def trace_facts(summary: TraceSummary) -> dict[str, Any]:
    """Return the facts of the strip below the head, names made safe to read."""
    return {
        "trace_id": summary.trace_id,
        "name": visible(summary.name),
        "prompts": [
            {"label": visible(prompt), "term": f"prompt:{Pattern((prompt,))}"}
            for prompt in summary.prompts
        ],
        "models": [
            {"label": visible(model), "term": f"model:{Pattern((model,))}"}
            for model in summary.models
        ],
        "terms": {
            key: f"{key}:{Pattern((value or '',))}"
            for key, value in (
                ("cohort", summary.cohort),
                ("env", summary.environment),
                ("release", summary.release),
            )
        },
        "duration_ns": summary.duration_ns,
        "ttft_ns": summary.ttft_ns,
        "tokens": summary.tokens,
        "cost": summary.cost,
        "cohort": visible(summary.cohort or ""),
        "session_id": visible(summary.session_id or ""),
        "session": summary.session_id,
        "environment": visible(summary.environment or ""),
        "user_id": visible(summary.user_id or ""),
        "user": summary.user_id,
        "release": visible(summary.release or ""),
        "started_at": datetime.fromtimestamp(summary.start_ns / 1e9, UTC),
        "retries": summary.retries,
        "span_count": summary.span_count,
    }


def facts(span: Span) -> Iterator[str]:
    """Yield the facts of a span for the line beside its name."""
    if span.model or span.model_requested:
        yield visible(span.model or span.model_requested or "")
    if "temperature" in span.parameters:
        yield f"temp {visible(str(span.parameters['temperature']))[:12]}"
    if isinstance(span.prompt, Prompt) and span.prompt.label:
        yield visible(span.prompt.label)
    yield copy.duration(span.duration_ns / 1e6) if span.duration_ns is not None else "running"
    tokens = span.tokens
    if tokens and tokens.input is not None and tokens.output is not None:
        yield f"{copy.total(tokens.input)} → {copy.total(tokens.output)} tokens"
    elif tokens and tokens.total is not None:
        yield f"{copy.total(tokens.total)} tokens"
    if span.cost is not None:
        yield copy.money(span.cost)
    if span.finish_reasons:
        yield visible(", ".join(span.finish_reasons))[:60]
