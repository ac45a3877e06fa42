"""Signals as the page tells them: grouped, worst first, and the span that is opened first."""

from __future__ import annotations

from tests.web.test_trace_tree import span
from tracehub.core.trace import Signal, ValidationError
from tracehub.web.trace_view import findings

SPANS = [
    span(1, name="agent"),
    span(2, 1, name="find", start=1, kind="tool"),
    span(3, 1, name="find", start=2, kind="tool"),
    span(4, 1, name="compose", start=3, kind="llm"),
]


def signal(kind: str, n: int | None, severity: str = "medium", **more) -> Signal:
    return Signal(kind, f"{kind} said", severity, f"{n:016x}" if n else None, **more)


def test_equal_signals_are_one_line_and_the_worst_comes_first():
    given = [signal("tool_error", 2), signal("tool_error", 3), signal("schema_error", 4, "high")]
    found = findings.findings([*given, signal("retried", None, "low")], SPANS)
    assert [(f.mark.label, f.count, f.where) for f in found] == [
        ("Schema error", 1, "compose"),
        ("Tool error", 2, "find"),
        ("Retried", 1, "whole trace"),
    ]
    assert found[1].span_id == f"{2:016x}"


def test_only_grave_signals_colour_a_span():
    given = [signal("tool_error", 2), signal("schema_error", 4, "critical"), signal("slow", None)]
    assert findings.failed_spans(given) == {f"{4:016x}"}


def test_notes_hold_signals_with_a_place_and_errors_that_no_signal_repeats():
    asked = span(4)
    asked.validation_errors = [
        ValidationError("/a", "type", "as sent"),
        ValidationError("/b", "required", ""),
    ]
    given = [signal("schema_error", 4, "high", pointer="/a", contract="reply/3")]
    notes = findings.notes_of(asked, given)
    assert [(n.at, n.message, n.contract) for n in notes] == [
        ("/a", "schema_error said", "reply/3"),
        ("/b", "required", ""),
    ]
    assert findings.of_span(asked, [*given, signal("slow", 4)]) == [signal("slow", 4)]


def test_the_span_of_the_worst_signal_opens_first():
    given = [signal("tool_error", 2), signal("schema_error", 4, "high")]
    assert findings.default_span(SPANS, given, None).name == "compose"


def test_without_a_grave_signal_the_innermost_failure_opens():
    failed = [span(1, error=True), span(2, 1, start=1, error=True), span(3, 1, start=2)]
    assert findings.default_span(failed, [], None).span_id == f"{2:016x}"


def test_a_trace_in_order_opens_its_answer_else_its_first_span():
    assert findings.default_span(SPANS, [], f"{4:016x}").name == "compose"
    assert findings.default_span(SPANS, [signal("tool_error", 2)], None).name == "agent"
    assert findings.default_span([], [], None) is None
