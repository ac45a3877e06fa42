"""Thumbs down, low scores and their like, given by people or by the application."""

from __future__ import annotations

from collections.abc import Iterator

from tracehub.core.signals.base import Evidence
from tracehub.core.signals.feedback import by_judge, is_negative
from tracehub.core.trace import Signal


def detect(trace: Evidence) -> Iterator[Signal]:
    """Yield one `negative_feedback` per negative score, with the comment as its message."""
    for feedback in trace.feedback:
        if is_negative(feedback, trace.rules.scores) and not by_judge(feedback):
            comment = str(feedback.get("comment") or "").strip()
            yield Signal(
                "negative_feedback",
                comment[:300] or f"Negative {feedback.get('name', 'feedback')}",
                "medium",
                feedback.get("span_id") or None,
                evidence={"name": feedback.get("name"), "source": feedback.get("source")},
            )
