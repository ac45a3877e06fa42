"""Automated judges that say fail."""

from __future__ import annotations

from collections.abc import Iterator

from tracehub.core.signals.base import Evidence
from tracehub.core.signals.feedback import by_judge, is_negative
from tracehub.core.trace import Signal


def detect(trace: Evidence) -> Iterator[Signal]:
    """Yield one `judge_fail` per negative score of a judge, with its reason as the message."""
    for feedback in trace.feedback:
        if by_judge(feedback) and is_negative(feedback, trace.rules.scores):
            name = str(feedback.get("name") or "judge")
            reason = str(feedback.get("comment") or "").strip()
            yield Signal(
                "judge_fail",
                f"{name}: {reason[:300]}" if reason else f"A judge says fail: {name}",
                "medium",
                feedback.get("span_id") or None,
                evidence={"name": name, "value": feedback.get("value")},
            )
