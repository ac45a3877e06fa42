"""Guardrails that fired."""

from __future__ import annotations

from collections.abc import Iterator

from tracehub.core.signals.base import Evidence
from tracehub.core.trace import Signal


def detect(trace: Evidence) -> Iterator[Signal]:
    """Yield `guardrail_hit` per guardrail that did not pass."""
    for span in trace.spans:
        said = span.guardrail or {}
        hit = said.get("passed") is False or (span.kind == "guardrail" and span.error)
        if hit:
            name = said.get("name") or span.name
            reason = said.get("message") or span.error_message
            yield Signal(
                "guardrail_hit",
                f"{name}: {str(reason)[:300]}" if reason else f"{name} did not pass",
                "medium",
                span.span_id,
                evidence={"score": said.get("score")},
            )
