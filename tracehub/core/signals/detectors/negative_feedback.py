"""Thumbs down and their like."""

from __future__ import annotations

from collections.abc import Iterator

from tracehub.core.signals.base import Evidence
from tracehub.core.trace import Json, Signal

THUMBS = frozenset({"thumbs", "thumb", "thumbs_up", "user_thumbs", "user-feedback"})
LABELS = frozenset({"negative", "bad", "down", "thumbs_down", "thumbs-down", "dislike"})


def is_negative(feedback: dict[str, Json]) -> bool:
    """Say whether a feedback counts as negative: false, thumbs 0, or a label that says so."""
    value, label = feedback.get("value"), feedback.get("label")
    if value is False:
        return True
    if str(label or "").lower() in LABELS:
        return True
    thumbs = str(feedback.get("name", "")).lower() in THUMBS
    return thumbs and isinstance(value, int | float) and value <= 0


def detect(trace: Evidence) -> Iterator[Signal]:
    """Yield one `negative_feedback` per negative score, with the comment as its message."""
    for feedback in trace.feedback:
        if is_negative(feedback):
            comment = str(feedback.get("comment") or "").strip()
            yield Signal(
                "negative_feedback",
                comment[:300] or f"Negative {feedback.get('name', 'feedback')}",
                "medium",
                feedback.get("span_id") or None,
                evidence={"name": feedback.get("name"), "source": feedback.get("source")},
            )
