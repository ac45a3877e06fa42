"""The digests of a trace's spans -> its summary.

A pure function of the set of spans: any order of arrival gives the same result. Linear in the
number of spans apart from one sort; nothing is recursive, parent cycles included.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TypeVar

from tracehub.core import summary_rules
from tracehub.core.digest import digest
from tracehub.core.span_tree import SpanTree
from tracehub.core.trace import Json, SpanDigest, SpanFacts, Tokens, TraceSummary

__all__ = ["digest", "summarise"]

T = TypeVar("T")
MAX_NS = 2**63 - 1  # what a bigint holds
TOKEN_FIELDS = (
    "input",
    "output",
    "total",
    "cached",
    "cache_write",
    "reasoning",
    "audio_input",
    "audio_output",
)


def summarise(digests: Sequence[SpanDigest]) -> TraceSummary:
    """Summarise a trace from the digests of its stored spans, one per span id, in any order.

    Raises ValueError without spans. `digests` of several traces must not be mixed.
    """
    if not digests:
        raise ValueError("A trace has at least one span. Got none.")
    tree = SpanTree(digests)
    spans = tree.spans
    root = tree.root
    calls = summary_rules.counted_calls(tree)
    attempts = summary_rules.count_attempts(tree)
    llms = [span for span in spans if span.kind == "llm"]
    ends = [span.start_ns + span.duration_ns for span in spans if span.duration_ns is not None]
    start_ns = spans[0].start_ns
    summary = TraceSummary(
        trace_id=spans[0].trace_id,
        name=_name(tree),
        provisional=root is None,
        start_ns=start_ns,
        duration_ns=min(max(ends) - start_ns, MAX_NS) if ends else None,
        status="error" if _failed(tree) else "ok",
        finished=root is not None and root.duration_ns is not None,
        tokens=sum_tokens(span.tokens for span in calls),
        cost=sum_cost(span.cost for span in calls),
        ttft_ns=summary_rules.first_token(tree, llms[0]) if llms else None,
        retries=attempts.retries,
        fallbacks=attempts.fallbacks,
        timeouts=summary_rules.count_timeouts(tree),
        streaming=any(span.streaming for span in spans),
        span_count=len(spans),
        error_count=sum(span.error for span in spans),
        root_present=root is not None,
        by_model=_by(calls, lambda span: span.model if span.kind == "llm" else None),
        by_prompt=_by(calls, lambda span: span.prompt),
        by_tool=_by(
            [span for span in spans if not _told_above(span, tree)],
            lambda span: span.tool if span.kind == "tool" else None,
        ),
    )
    _facts(summary, tree)
    _names(summary, spans, llms)
    _payload_spans(summary, tree, llms)
    return summary


def _told_above(span: SpanDigest, tree: SpanTree) -> bool:
    """Whether a call of a tool is the one that the span above it tells already."""
    parent = tree.parent_of(span)
    return parent is not None and parent.kind == span.kind == "tool" and parent.tool == span.tool


def _names(summary: TraceSummary, spans: list[SpanDigest], llms: list[SpanDigest]) -> None:
    """What the trace used, sorted; models and providers are those of calls of chat models."""
    summary.models = _sorted(span.model for span in llms)
    summary.providers = _sorted(span.provider for span in llms)
    summary.prompts = _sorted(span.prompt for span in spans)
    summary.tools = _sorted(_tool_label(span, summary.service) for span in spans)
    summary.agents = _sorted(span.agent for span in spans)
    summary.finish_reasons = _sorted(text for span in llms for text in span.finish_reasons)


def _tool_label(span: SpanDigest, service: str | None) -> str | None:
    """`get_booking@2.1`, or the name alone. What another service ran has that service's release."""
    if not span.tool or span.kind != "tool":
        return span.tool
    facts = span.facts
    elsewhere = facts.service is not None and facts.service != service
    version = span.tool_version or (facts.release if elsewhere else None)
    return f"{span.tool}@{version}" if version else span.tool


def _sorted(values: Iterable[str | None]) -> list[str]:
    return sorted({value for value in values if value})


def _name(tree: SpanTree) -> str:
    """An explicit trace name, else the root's, else that of the earliest top span."""
    for span in tree.root_first:
        if span.facts.trace_name:
            return span.facts.trace_name
    return tree.root_first[0].name


def _failed(tree: SpanTree) -> bool:
    """A trace has the status of its root; without one, of any top span that failed."""
    if tree.root is not None:
        return tree.root.error
    return any(span.error for span in tree.tops)


def _facts(summary: TraceSummary, tree: SpanTree) -> None:
    """Trace fields: the root's value, else that of the earliest span which has one."""
    facts = [span.facts for span in tree.root_first]
    summary.environment = _first(fact.environment for fact in facts)
    summary.release = _first(fact.release for fact in facts)
    summary.cohort = _first(fact.cohort for fact in facts)
    summary.service = _first(fact.service for fact in facts)
    summary.user_id = _first(fact.user_id for fact in facts)
    summary.outcome = _first(fact.outcome for fact in facts)
    summary.session_id = _session(facts)
    tags: dict[str, None] = {}
    for fact in facts:
        if fact.tags:
            tags.update(dict.fromkeys(fact.tags))
        for key, value in fact.metadata.items():
            summary.metadata.setdefault(key, value)
    summary.tags = list(tags)


def _first(values: Iterable[T | None]) -> T | None:
    return next((value for value in values if value is not None), None)


def _session(facts: list[SpanFacts]) -> str | None:
    """A session id anywhere beats a conversation id anywhere; then the root's, the earliest's."""
    best: SpanFacts | None = None
    for fact in facts:
        if fact.session_id is not None and (best is None or fact.session_rank < best.session_rank):
            best = fact
    return best.session_id if best is not None else None


def sum_tokens(counts: Iterable[Tokens | None]) -> Tokens | None:
    """The sum of token counts, part by part; a part that no span has stays None."""
    sums: dict[str, int] = {}
    for tokens in counts:
        if tokens is not None:
            for name in TOKEN_FIELDS:
                if (value := getattr(tokens, name)) is not None:
                    sums[name] = sums.get(name, 0) + value
    return Tokens(**sums) if sums else None


def sum_cost(costs: Iterable[Decimal | None]) -> Decimal | None:
    known = [cost for cost in costs if cost is not None]
    return sum(known[1:], known[0]) if known else None


def _by(calls: list[SpanDigest], key: summary_rules.Grouping) -> dict[str, dict[str, Json]]:
    """Per model or prompt: `{"calls", "errors", "input", "output", "total", "cost"}`.

    Token counts are 0 where nothing was reported; cost is a decimal string or None.
    """
    groups: dict[str, list[SpanDigest]] = {}
    for span in calls:
        if name := key(span):
            groups.setdefault(name, []).append(span)
    return {name: _group(groups[name]) for name in sorted(groups)}


def _group(spans: list[SpanDigest]) -> dict[str, Json]:
    tokens = sum_tokens(span.tokens for span in spans) or Tokens()
    cost = sum_cost(span.cost for span in spans)
    return {
        "calls": len(spans),
        "errors": sum(span.error for span in spans),
        "input": tokens.input or 0,
        "output": tokens.output or 0,
        "total": tokens.total or 0,
        "cost": None if cost is None else format(cost, "f"),
    }


def _payload_spans(summary: TraceSummary, tree: SpanTree, llms: list[SpanDigest]) -> None:
    """Which spans hold the trace's input and output, and in which part of them."""
    holder = tree.app_root or tree.root
    for span in tree.root_first:
        if summary.input_span is None and span.facts.trace_input is not None:
            summary.input_span, summary.input_part = span.span_id, "trace_input"
        if summary.output_span is None and span.facts.trace_output is not None:
            summary.output_span, summary.output_part = span.span_id, "trace_output"
    if holder is None or not (holder.has_input or holder.has_output):
        with_payload = [span for span in tree.tops if span.has_input or span.has_output]
        holder = with_payload[0] if len(with_payload) == 1 else holder
    if summary.input_span is None and holder is not None and holder.has_input:
        summary.input_span = holder.span_id
    if summary.output_span is None and holder is not None and holder.has_output:
        summary.output_span = holder.span_id
    if summary.input_span is None:
        source = next((span for span in llms if span.has_input), None)
        if source is not None:
            summary.input_span, summary.input_part = source.span_id, "last_user"
    if summary.output_span is None:
        source = next((span for span in reversed(llms) if span.has_output), None)
        summary.output_span = source.span_id if source is not None else None
