"""The verdict of a guardrail span, from its output, its level or its status."""

from __future__ import annotations

from tracehub.core.trace import Json, Span
from tracehub.core.wire.values import number_of, parsed, text_of

PASSED = ("passed", "pass", "ok", "valid", "safe", "success", "allowed")
TRIPPED = ("flagged", "blocked", "triggered", "tripwire_triggered", "violation", "failed")
MESSAGES = ("message", "reason", "explanation", "detail", "error")


def guardrail_of(span: Span, warning: str | None) -> dict[str, Json]:
    """`{"name", "passed", "score", "message"}`; `passed` is None when nothing tells."""
    output = parsed(span.output)
    passed: bool | None = None
    score: float | None = None
    message = span.error_message if span.error else warning
    if isinstance(output, dict):
        passed = _verdict(output)
        score = number_of(output.get("score"))
        message = message or next(
            (text for key in MESSAGES if (text := text_of(output.get(key)))), None
        )
    elif isinstance(output, bool):
        passed = output
    if span.error or warning:
        passed = False
    elif passed is None and span.finished and output is not None:
        passed = True
    return {"name": span.name, "passed": passed, "score": score, "message": message}


def _verdict(output: dict[str, Json]) -> bool | None:
    for key in PASSED:
        if isinstance(value := output.get(key), bool):
            return value
    for key in TRIPPED:
        if isinstance(value := output.get(key), bool):
            return not value
    return None
