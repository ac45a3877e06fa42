"""The rules of a trace summary that look at several spans: what counts once, retries, fallbacks.

All work on a SpanTree and are linear in the number of spans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tracehub.core.span_tree import SpanTree
from tracehub.core.trace import SpanDigest, ValidationError

Grouping = Callable[[SpanDigest], str | None]
TIMEOUT_TYPES = ("timeout", "deadlineexceeded", "deadline_exceeded")
TIMEOUT_WORDS = ("timed out", "timeout", "deadline exceeded")
ATTEMPT_NAME = "model request attempt"  # pydantic-ai's FallbackModel, one span per model


@dataclass(slots=True)
class Attempts:
    """Extra attempts of one trace. `reported` maps span ids to validation errors told later."""

    retries: int = 0
    fallbacks: int = 0
    reported: dict[str, list[ValidationError]] = field(default_factory=dict)


def counted_calls(tree: SpanTree) -> list[SpanDigest]:
    """The calls of models whose tokens and cost are summed, each real call once.

    Left out: spans that are not calls (agents roll their children up), a call below a call of the
    same kind that has tokens already, one without tokens above calls of its kind, and a second
    span of one response id (of those the one with messages is kept).
    """
    covered: dict[str, frozenset[str]] = {}  # kinds counted at or above a span
    inner: set[str] = set()  # spans that have a call of their own kind below them
    chosen: list[SpanDigest] = []
    kinds_above: dict[str, dict[str, str]] = {}  # span -> kind -> nearest call of it at or above
    for span in tree.parents_first():
        parent = tree.parent_of(span)
        above = covered.get(parent.span_id, frozenset()) if parent else frozenset()
        nearest = kinds_above.get(parent.span_id, {}) if parent else {}
        if span.tokens_counted:
            if (outer := nearest.get(span.kind)) is not None:
                inner.add(outer)
            nearest = {**nearest, span.kind: span.span_id}
            if span.kind not in above:
                chosen.append(span)
                if span.tokens is not None:
                    above = above | {span.kind}
        covered[span.span_id], kinds_above[span.span_id] = above, nearest
    calls = [span for span in chosen if span.tokens is not None or span.span_id not in inner]
    calls = _once_per_response(calls)
    return _without_halves(sorted(calls, key=lambda span: (span.start_ns, span.span_id)))


def _without_halves(calls: list[SpanDigest]) -> list[SpanDigest]:
    """Streams of Logfire are two spans: the request, and a log of no length with the answer.

    The log, which has the tokens, stands for both.
    """
    asked: dict[tuple[str | None, str | None], SpanDigest] = {}
    halves: set[str] = set()
    for span in calls:
        key = (span.parent_id, span.model_requested)
        if span.tokens is None and span.streaming and not span.error and not span.has_output:
            asked[key] = span
        elif span.tokens is not None and span.duration_ns == 0 and (half := asked.pop(key, None)):
            halves.add(half.span_id)
    return [span for span in calls if span.span_id not in halves] if halves else calls


def _once_per_response(calls: list[SpanDigest]) -> list[SpanDigest]:
    kept: dict[str, SpanDigest] = {}
    for span in calls:
        key = span.response_id or f"span:{span.span_id}"
        other = kept.get(key)
        if other is None or _preference(span) > _preference(other):
            kept[key] = span
    return list(kept.values())


def _preference(span: SpanDigest) -> tuple[bool, bool, int, str]:
    return span.has_messages, span.tokens is not None, -span.start_ns, span.span_id


def count_timeouts(tree: SpanTree) -> int:
    """Spans that ran into a timeout, counted where it happened and not again in their parents."""
    late = {span.span_id for span in tree.spans if span.error and _timed_out(span)}
    parents = {span.parent_id for span in tree.spans if span.span_id in late}
    return sum(span.span_id in late and span.span_id not in parents for span in tree.spans)


def _timed_out(span: SpanDigest) -> bool:
    kind = (span.error_type or "").lower()
    if any(word in kind for word in TIMEOUT_TYPES):
        return True
    message = (span.error_message or "")[:500].lower()
    return any(word in message for word in TIMEOUT_WORDS)


def count_attempts(tree: SpanTree) -> Attempts:
    """Retries (the same call again) and fallbacks (another model) after a failure.

    Seen are attempts with a span of their own; a client's silent HTTP retries are one span.
    """
    found = Attempts()
    for siblings in (tree.tops, *tree.children.values()):
        if len(siblings) > 1:
            _after_errors(siblings, found)
            _after_validation(siblings, found)
    _recovered_inside(tree, found)
    return found


def _after_errors(siblings: list[SpanDigest], found: Attempts) -> None:
    """A failed span, then a sibling of its kind with the same input that starts after its end."""
    last: dict[tuple[object, ...], SpanDigest] = {}
    for span in siblings:
        key = _call_key(span)
        if key is None:
            continue
        before = last.get(key)
        if before is not None and before.error and _ended_before(before, span):
            if _asked(span) == _asked(before):
                found.retries += 1
            else:
                found.fallbacks += 1
        last[key] = span


def _call_key(span: SpanDigest) -> tuple[object, ...] | None:
    """What two attempts of one call have in common; None for spans that are no calls."""
    if span.kind in ("llm", "embedding", "reranker"):
        return span.kind, span.input_hash
    if span.kind == "other" and span.input_hash is None:
        return None
    return span.kind, span.tool or span.name, span.input_hash


def _asked(span: SpanDigest) -> str | None:
    return span.model_requested or span.model


def _ended_before(before: SpanDigest, after: SpanDigest) -> bool:
    return before.duration_ns is not None and (
        before.start_ns + before.duration_ns <= after.start_ns
    )


def _after_validation(siblings: list[SpanDigest], found: Attempts) -> None:
    """A call, a validation failure of its answer, then a call that tells the model about it."""
    previous: SpanDigest | None = None
    broken = False
    for span in siblings:
        if span.kind != "llm":
            broken = broken or (previous is not None and _found_invalid(span))
            continue
        if previous is not None and not previous.error and _ended_before(previous, span):
            if span.reported_errors:
                found.reported.setdefault(previous.span_id, []).extend(span.reported_errors)
            broken = broken or bool(previous.validation_errors)
            follows = span.previous_input_hash == previous.input_hash is not None
            told = bool(span.reported_errors) or (broken and (follows or span.answers_failure))
            if told:
                if _asked(span) == _asked(previous):
                    found.retries += 1
                else:
                    found.fallbacks += 1
        previous, broken = span, False


def _found_invalid(span: SpanDigest) -> bool:
    if span.validation_errors:
        return True
    return span.guardrail is not None and span.guardrail.get("passed") is False and span.error


def _recovered_inside(tree: SpanTree, found: Attempts) -> None:
    """A call that succeeded although an attempt below it failed, and no attempt came after."""
    for parent_id, children in tree.children.items():
        parent = tree.by_id[parent_id]
        if parent.kind != "llm" or parent.error:
            continue
        attempts = [span for span in children if span.kind == "llm"]
        if attempts and attempts[-1].error and attempts[-1].name.startswith(ATTEMPT_NAME):
            found.fallbacks += 1


def reported_errors(digests: Iterable[SpanDigest]) -> dict[str, list[ValidationError]]:
    """Validation errors of an answer that only the next call's input tells (pydantic-ai).

    Span id of the call that gave the answer -> errors. The trace view adds them to that span.
    """
    spans = list(digests)
    return count_attempts(SpanTree(spans)).reported if spans else {}
