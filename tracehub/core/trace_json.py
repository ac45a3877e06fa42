"""A trace as JSON, for the API. The shape is the contract's; absent is null, never a dash."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from tracehub.core.preview import last_user_message, plain, told
from tracehub.core.stored import when
from tracehub.core.trace import Json, Prompt, Span, Tokens, ToolUse, TraceSummary


def iso(at: datetime) -> str:
    """Return a UTC time with microseconds: 2026-11-24T09:40:12.204113Z."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def ms(ns: int | None) -> float | None:
    """Return nanoseconds as milliseconds, to the microsecond."""
    return None if ns is None else round(ns / 1e6, 3)


def money(cost: Decimal | None) -> str | None:
    """Return dollars as a decimal string without an exponent or needless zeros.

    >>> money(Decimal("0.0180000000")), money(Decimal(0))
    ('0.0180', '0.0000')
    """
    if cost is None:
        return None
    text = f"{cost:.10f}"
    whole, _, digits = text.partition(".")
    return f"{whole}.{digits.rstrip('0').ljust(4, '0')}"


def tokens_json(tokens: Tokens | None) -> dict[str, int | None] | None:
    if tokens is None:
        return None
    out = {
        "input": tokens.input,
        "output": tokens.output,
        "cached": tokens.cached,
        "reasoning": tokens.reasoning,
        "total": tokens.total,
    }
    for extra in ("cache_write", "audio_input", "audio_output"):
        if (value := getattr(tokens, extra)) is not None:
            out[extra] = value
    return out


def span_json(span: Span) -> dict[str, Json]:
    """Return one span with its payloads."""
    return {
        "span_id": span.span_id,
        "parent_id": span.parent_id,
        "name": span.name,
        "kind": span.kind,
        "started_at": iso(when(span.start_ns)),
        "duration_ms": ms(span.duration_ns),
        "status": "error" if span.error else "ok",
        "error": {"type": span.error_type, "message": span.error_message},
        "provider": span.provider,
        "model": span.model,
        "model_requested": span.model_requested,
        "agent": span.agent,
        "parameters": span.parameters,
        "finish_reasons": span.finish_reasons,
        "prompt": _prompt(span.prompt),
        "input": span.input,
        "output": span.output,
        "context": span.context,
        "tool": _tool(span.tool),
        "guardrail": span.guardrail,
        "validation_errors": [
            {"pointer": e.pointer, "rule": e.rule, "message": e.message}
            for e in span.validation_errors
        ],
        "tokens": tokens_json(span.tokens),
        "cost": money(span.cost),
        "time_to_first_token_ms": ms(span.ttft_ns),
        "flags": span.flags,
        "attributes": span.attributes,
        "events": [_event(event) for event in span.events],
    }


def _event(event: dict[str, Json]) -> dict[str, Json]:
    out = {k: v for k, v in event.items() if k != "time_ns"}
    if isinstance(event.get("time_ns"), int):
        out["time"] = iso(when(event["time_ns"]))
    return out


def _prompt(prompt: Prompt | None) -> dict[str, Json] | None:
    if prompt is None:
        return None
    out: dict[str, Json] = {
        "name": prompt.name,
        "version": prompt.version,
        "variables": prompt.variables,
    }
    if prompt.template is not None:
        out["template"] = prompt.template
    return out


def _tool(tool: ToolUse | None) -> dict[str, Json] | None:
    if tool is None:
        return None
    out = {"name": tool.name, "arguments": tool.arguments, "result": tool.result}
    return out if tool.version is None else {**out, "version": tool.version}


def input_of(summary: TraceSummary, spans: Sequence[Span]) -> Json:
    """Return the input of a trace: a text when it is one, else JSON."""
    span = next((s for s in spans if s.span_id == summary.input_span), None)
    if span is None:
        return None
    if summary.input_part == "trace_input":
        return span.facts.trace_input
    return last_user_message(span.input) if summary.input_part == "last_user" else plain(span.input)


def output_of(summary: TraceSummary, spans: Sequence[Span]) -> Json:
    """Return the output of a trace: a text when it is one, else JSON."""
    span = next((s for s in spans if s.span_id == summary.output_span), None)
    if span is None:
        return None
    if summary.output_part == "trace_output":
        return span.facts.trace_output
    return plain(span.output)


def summary_json(project: str, summary: TraceSummary) -> dict[str, Json]:
    """Return the trace-level fields that come from spans alone."""
    return {
        "trace_id": summary.trace_id,
        "name": summary.name,
        "project": project,
        "started_at": iso(when(summary.start_ns)),
        "duration_ms": ms(summary.duration_ns),
        "status": summary.status,
        "provisional": summary.provisional,
        "root_present": summary.root_present,
        "span_count": summary.span_count,
        "environment": summary.environment,
        "release": summary.release,
        "cohort": summary.cohort,
        "service": summary.service,
        "session_id": summary.session_id,
        "user_id": summary.user_id,
        "tags": summary.tags,
        "metadata": summary.metadata,
        "models": summary.models,
        "prompts": summary.prompts,
        "tokens": tokens_json(summary.tokens),
        "cost": money(summary.cost),
        "time_to_first_token_ms": ms(summary.ttft_ns),
        "retries": summary.retries,
        "fallbacks": summary.fallbacks,
        "timeouts": summary.timeouts,
        "outcome": summary.outcome,
    }


def trace_json(
    project: str,
    summary: TraceSummary,
    spans: Sequence[Span],
    feedback: Sequence[dict[str, Any]],
    **extra: Json,
) -> dict[str, Json]:
    """Return a whole trace. `extra` adds what people and the worker know: signals, verdict …"""
    out = summary_json(project, summary)
    out["input"] = told(input_of(summary, spans))
    out["output"] = told(output_of(summary, spans))
    out["feedback"] = list(feedback)
    out.update(extra)
    out["spans"] = [span_json(span) for span in spans]
    return out
