"""The rules of a trace summary that look at several spans: what counts once, retries, fallbacks.

All work on a SpanTree and are linear in the number of spans.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tracehub.core.span_tree import SpanTree
from tracehub.core.trace import SpanDigest, ValidationError

Grouping = Callable[[SpanDigest], str | None]
TIMEOUT_TYPES = ("timeout", "deadlineexceeded", "deadline_exceeded")
TIMEOUT_WORDS = ("timed out", "timeout", "deadline exceeded")
ATTEMPT_NAME = "model request attempt"  # pydantic-ai's FallbackModel, one span per model
FALLBACK_NAME = "RunnableWithFallbacks"  # LangChain's, one child per way
CALLS = ("llm", "embedding", "reranker")
DATED = re.compile(r"-(\d{4}-\d\d-\d\d|\d{8}|\d{3,4})").fullmatch  # the end of a version's name
# Native JSON, which exports are, has microseconds: start and length of a span are both rounded.
ROUNDING_NS = 2_000
PATHS = ("chain", "agent", "retriever")  # steps that another one may stand in for


@dataclass(slots=True)
class Attempts:
    """Extra attempts of one trace. `reported` maps span ids to validation errors told later."""

    retries: int = 0
    fallbacks: int = 0
    reported: dict[str, list[ValidationError]] = field(default_factory=dict)


def counted_calls(tree: SpanTree) -> list[SpanDigest]:
    """The calls of models whose tokens and cost are summed, each real call once.

    Left out: spans that are not calls (agents roll their children up), a call below a call of the
    same kind that has tokens already, one without tokens above calls of its kind, one that adds
    such calls up without a model of its own, a second span beside the call, and a second span of
    one response id (of those the one with messages is kept).
    """
    covered: dict[str, frozenset[str]] = {}  # kinds counted at or above a span
    outer: dict[str, str] = {}  # call -> nearest call of its kind above
    told_below: set[str] = set()  # calls with tokens in calls of their kind below
    chosen: list[SpanDigest] = []
    kinds_above: dict[str, dict[str, str]] = {}  # span -> kind -> nearest call of it at or above
    for span in tree.parents_first():
        parent = tree.parent_of(span)
        above = covered.get(parent.span_id, frozenset()) if parent else frozenset()
        nearest = kinds_above.get(parent.span_id, {}) if parent else {}
        if span.tokens_counted:
            if (found := nearest.get(span.kind)) is not None:
                outer[span.span_id] = found
            nearest = {**nearest, span.kind: span.span_id}
            if span.kind not in above:
                chosen.append(span)
            if span.tokens is not None and span.model is not None:
                above = above | {span.kind}
                call = span.span_id
                while (upper := outer.get(call)) is not None and upper not in told_below:
                    told_below.add(upper)
                    call = upper
        covered[span.span_id], kinds_above[span.span_id] = above, nearest
    twins = beside(tree)
    inner = set(outer.values())
    calls = [span for span in chosen if _is_call(span, inner, told_below, twins.get(span.span_id))]
    calls = _once_per_response(calls)
    return _without_halves(sorted(calls, key=lambda span: (span.start_ns, span.span_id)))


def _is_call(
    span: SpanDigest, inner: set[str], told_below: set[str], twin: SpanDigest | None
) -> bool:
    """Whether a chosen span is a call of its own, with what is known of the calls below it."""
    if twin is not None and (twin.tokens is not None or span.tokens is None):
        return False
    if span.tokens is None:
        return span.span_id not in inner
    return span.model is not None or span.span_id not in told_below


def beside(tree: SpanTree) -> dict[str, SpanDigest]:
    """Spans that tell a call a second time beside it -> the span of that call.

    An SDK that traces itself (Anthropic's) under an instrumentation that does not nest its spans:
    no payload, the same model, and inside the time of a sibling that has one.
    """
    found: dict[str, SpanDigest] = {}
    for siblings in (tree.tops, *tree.children.values()):
        full: dict[tuple[str, str | None], SpanDigest] = {}
        for span in siblings if len(siblings) > 1 else ():
            if not span.tokens_counted or span.duration_ns is None:
                continue
            key = span.kind, _asked(span)
            if span.has_input or span.has_output:
                full[key] = span
            elif (call := full.get(key)) is not None and _ended_before(span, call, inside=True):
                found[span.span_id] = call
    return found


def first_token(tree: SpanTree, call: SpanDigest) -> int | None:
    """Time to the first token of a call, also where only a second span of the call knows it."""
    if call.ttft_ns is not None:
        return call.ttft_ns
    twins = beside(tree)
    for span in tree.spans:
        is_twin = twins.get(span.span_id) is call or tree.parent_of(span) is call
        if is_twin and span.kind == call.kind and span.ttft_ns is not None:
            return span.start_ns - call.start_ns + span.ttft_ns
    return None


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
    """Retries (the same call again) and fallbacks (another model or path) after a failure.

    Seen are attempts with a span of their own; a client's silent HTTP retries are one span.
    """
    found = Attempts()
    twins = beside(tree)
    asked = _asked_below(tree) if any(span.error for span in tree.spans) else {}
    for parent_id, siblings in (("", tree.tops), *tree.children.items()):
        siblings = [span for span in siblings if span.span_id not in twins]
        if len(siblings) > 1:
            by_name = parent_id and FALLBACK_NAME in tree.by_id[parent_id].name
            _after_errors(siblings, asked, bool(by_name), found)
            _after_validation(siblings, found)
    _recovered_inside(tree, found)
    return found


def _asked_below(tree: SpanTree) -> dict[str, str]:
    """Span -> the model that the first call at or below it asked for."""
    first: dict[str, tuple[int, str]] = {}
    for span in reversed(tree.parents_first()):
        model = _asked(span) if span.kind in CALLS else None
        mine = (span.start_ns, model) if model else first.get(span.span_id)
        if mine is None:
            continue
        first[span.span_id] = mine
        parent = tree.parent_of(span)
        if parent is not None:
            first[parent.span_id] = min(mine, first.get(parent.span_id, mine))
    return {span_id: model for span_id, (_, model) in first.items()}


def _after_errors(
    siblings: list[SpanDigest], asked: dict[str, str], is_fallback: bool, found: Attempts
) -> None:
    """A failed span, then a sibling of its kind that does the same and starts after its end."""
    last: dict[tuple[object, ...], SpanDigest] = {}
    for span in siblings:
        keys = _call_keys(span)
        before = next((last[key] for key in keys if key in last), None)
        if before is not None and before.error and _ended_before(before, span):
            model, other = asked.get(before.span_id), asked.get(span.span_id)
            if is_fallback or not _same_model(model, other) or not _same_step(before, span):
                found.fallbacks += 1
            else:
                found.retries += 1
        elif (before := last.get((span.kind,))) is not None and _rejected(before, span, asked):
            if _same_step(before, span) and not is_fallback:
                found.retries += 1
            else:
                found.fallbacks += 1
        last.update(dict.fromkeys((*keys, (span.kind,)), span))


def _call_keys(span: SpanDigest) -> list[tuple[object, ...]]:
    """What two attempts of one call have in common, narrowest first; none for other spans."""
    if span.kind in CALLS:
        return [(span.kind, span.input_hash)]
    if span.kind == "other" and span.input_hash is None:
        return []
    keys: list[tuple[object, ...]] = [(span.kind, span.tool or span.name, span.input_hash)]
    if span.kind in PATHS and span.input_hash is not None:
        keys.append((span.kind, "", span.input_hash))
    return keys


def _rejected(before: SpanDigest, span: SpanDigest, asked: dict[str, str]) -> bool:
    """A step with a model whose answer was no valid one, and at once another such step."""
    return (
        span.kind in ("chain", "agent")
        and before.error
        and bool(before.validation_errors)
        and _ended_before(before, span)
        and before.span_id in asked
        and span.span_id in asked
    )


def _same_step(before: SpanDigest, after: SpanDigest) -> bool:
    return before.kind in CALLS or (before.tool or before.name) == (after.tool or after.name)


def _asked(span: SpanDigest) -> str | None:
    return span.model_requested or span.model


def _same_model(one: str | None, other: str | None) -> bool:
    """Whether both name one model: a call that failed has the name that was asked for, and where a
    client overwrites it, the one that succeeded has it with the date of the version that answered.
    """
    if one is None or other is None or one == other:
        return one == other
    short, long = sorted((one, other), key=len)
    return long.startswith(short) and DATED(long[len(short) :]) is not None


def _ended_before(before: SpanDigest, after: SpanDigest, *, inside: bool = False) -> bool:
    """Whether one ended before the other began; `inside`: before the other ended."""
    if before.duration_ns is None:
        return False
    end = after.start_ns + (after.duration_ns or 0) if inside else after.start_ns
    return before.start_ns + before.duration_ns <= end + ROUNDING_NS


def _after_validation(siblings: list[SpanDigest], found: Attempts) -> None:
    """A call, a validation failure of its answer, then a call that tells the model about it."""
    previous: SpanDigest | None = None
    broken = False
    for span in siblings:
        if span.kind != "llm":
            broken = broken or (previous is not None and _found_invalid(span))
            continue
        if previous is not None and _may_be_told(previous, span):
            if span.reported_errors and not previous.validation_errors:
                found.reported.setdefault(previous.span_id, []).extend(span.reported_errors)
            broken = broken or bool(previous.validation_errors)
            follows = span.previous_input_hash == previous.input_hash is not None
            told = bool(span.reported_errors) or (broken and (follows or span.answers_failure))
            if told:
                if _same_model(_asked(span), _asked(previous)):
                    found.retries += 1
                else:
                    found.fallbacks += 1
        previous, broken = span, False


def _may_be_told(previous: SpanDigest, span: SpanDigest) -> bool:
    """Whether a call may tell of the one before: that ended, and is not simply made again."""
    is_again = previous.error and (
        not previous.validation_errors or previous.input_hash == span.input_hash
    )
    return not is_again and _ended_before(previous, span)


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
