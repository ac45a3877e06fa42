"""What a score says: whether it is negative, and whether a judge gave it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tracehub.core.signals.rules import ScoreLimit
from tracehub.core.trace import SpanDigest

THUMBS = frozenset({"thumbs", "thumb", "thumbs_up", "user_thumbs", "user-feedback"})
LABELS = frozenset({"negative", "bad", "down", "thumbs_down", "thumbs-down", "dislike"})
JUDGE_LABELS = frozenset({"fail", "failed", "incorrect", "hallucinated", "unsafe"})
JUDGES = frozenset({"model", "evaluator", "eval", "automated"})
NO_LIMITS: Mapping[str, ScoreLimit] = {}


def by_judge(feedback: Mapping[str, Any]) -> bool:
    """Whether an automated judge gave this score, by its source.

    >>> [by_judge({"source": said}) for said in ("llm", "judge:rubric", "user")]
    [True, True, False]
    """
    source = str(feedback.get("source") or "").lower()
    return source in JUDGES or source.startswith(("judge", "llm"))


def together(kept: Sequence[dict[str, Any]], spans: Iterable[SpanDigest]) -> list[dict[str, Any]]:
    """Return the scores kept beside a trace, and those of its spans that are not among them.

    A trace that was exported and loaded again has those beside it in its spans as well.
    """
    left = Counter(map(_said, kept))
    found = list(kept)
    for score in (score for span in spans for score in span.feedback):
        said = _said(score)
        if left[said]:
            left[said] -= 1
        else:
            found.append(score)
    return found


def _said(score: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(repr(score.get(k)) for k in ("name", "value", "label", "comment", "source"))


def is_negative(feedback: Mapping[str, Any], limits: Mapping[str, ScoreLimit] = NO_LIMITS) -> bool:
    """Say whether a score is negative: false, thumbs 0, or a label or number that counts as such.

    >>> is_negative({"name": "stars", "value": 2}, {"stars": ScoreLimit(2)})
    True
    """
    value, label = feedback.get("value"), str(feedback.get("label") or "").lower()
    name = str(feedback.get("name", ""))
    if value is False or label in LABELS or (by_judge(feedback) and label in JUDGE_LABELS):
        return True
    limit = limits.get(name)
    if limit is not None and label in limit.labels:
        return True
    if limit is None and name.lower() in THUMBS:
        limit = ScoreLimit(0)
    if limit is None or limit.at_most is None or isinstance(value, bool):
        return False
    return isinstance(value, int | float) and value <= limit.at_most
