"""Fingerprints, version 1. Frozen: what is stored was made by exactly this.

Two things are one failure when they have the same kind, place and rule, or, where there is no
place, the same message with its numbers, ids and quotations masked, in spans of the same name.
Every part of a fingerprint is kept as its reason, in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import orjson

from tracehub.core.trace import SEVERITIES, Severity, Signal

GROUPED = frozenset(SEVERITIES) - {"low"}  # what is only worth a note makes no failure
CONTRACT = frozenset(
    {"schema_error", "validation_error", "required_null", "unknown_label", "not_json"}
)
# Their messages are words of people, or say how much: neither tells one failure from another.
WITHOUT_MESSAGE = frozenset(
    {
        "negative_feedback", "timeout", "tool_loop", "empty_output", "truncated", "refusal",
        "content_filter", "empty_retrieval", "guardrail_hit", "retried", "fallback", "slow",
        "repetition", "low_grounding", "too_long", "cost_outlier", "token_outlier", "rephrased",
        "wrong_language", "unknown_citation", "judge_fail",
    }
)  # fmt: skip
# What a list shows for them: a message would tell of one trace, with its numbers and words.
TITLES = {
    "negative_feedback": "Thumbs down on {span}",
    "tool_loop": "{tool} called again and again with equal arguments",
    "repetition": "{span} repeated itself",
    "low_grounding": "Sentences without support in what was retrieved",
    "unknown_citation": "Answers cite what was not retrieved",
    "wrong_language": "Answers in another language than asked",
    "rephrased": "Users asked the same again",
    "too_long": "{span} answered beyond its length limit",
    "slow": "{span} took longer than usual",
    "cost_outlier": "{span} cost more than usual",
    "token_outlier": "{span} used more tokens than usual",
    "judge_fail": "A judge says fail: {name}",
}
MAX_MESSAGE = 200
_MASKS = (
    (re.compile(r"https?://[^\s\"'<>]+"), "URL"),
    (re.compile(r"[^\s@\"'<>]{1,64}@[^\s@\"'<>]{1,128}"), "ADDRESS"),
    (re.compile(r"\"[^\"\n]*\"|`[^`\n]*`|“[^”\n]*”|(?<!\w)'[^'\n]*'(?!\w)"), "TEXT"),
    (re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"), "ID"),
)
_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"[0-9]+(?:[.,:][0-9]+)*")


@dataclass(frozen=True, slots=True)
class Group:
    """What a trace falls into. `signals` are the places of its signals; none for a review."""

    fingerprint: str  # 32 hex digits
    kind: str  # of the first signal, else `review`
    title: str
    span: str
    severity: Severity
    reason: tuple[tuple[str, str], ...]
    signals: tuple[int, ...] = ()


def groups(
    signals: Sequence[Signal],
    names: Mapping[str, str],
    *,
    trace: str,
    verdict: str | None = None,
    modes: Sequence[str] = (),
) -> list[Group]:
    """Return the groups of a trace, in the order of its signals, then of its modes.

    `names` are those of its spans by id. A verdict of fail groups by mode. Pure and stable: equal
    signals give equal groups, in any order of arrival.
    """
    found: dict[str, Group] = {}
    for place, signal in enumerate(signals):
        if signal.severity not in GROUPED:
            continue
        span = names.get(signal.span_id or "") or trace
        reason = tuple(_signal_reason(signal, span))
        key = fingerprint(reason)
        known = found.get(key)
        if known is None:
            found[key] = Group(
                key, signal.kind, title(signal, span)[:300], span[:300], signal.severity, reason,
                (place,),
            )  # fmt: skip
        else:
            worse = max(known.severity, signal.severity, key=SEVERITIES.index)
            found[key] = Group(
                key, known.kind, known.title, known.span, worse, reason, (*known.signals, place)
            )
    if verdict == "fail":
        for group in _reviewed(trace, modes):
            found[group.fingerprint] = group
    return list(found.values())


def fingerprint(reason: Sequence[tuple[str, str]]) -> str:
    """Return the 128-bit hash of the parts that make two events one failure."""
    return blake2b(orjson.dumps(["v1", *reason]), digest_size=16).hexdigest()


def masked(message: str) -> str:
    """Return a message without what differs from event to event.

    >>> masked('get_booking failed: 503 for "X7K2QD" after 3.2 s')
    'get_booking failed: N for TEXT after N s'
    >>> masked("no booking X7K2QD, trace 9f3c0a11b2")
    'no booking ID, trace ID'
    """
    text = " ".join(message[:2000].split())
    for pattern, word in _MASKS:
        text = pattern.sub(word, text)
    return _NUMBER.sub("N", _WORD.sub(_id, text))[:MAX_MESSAGE]


def _id(word: re.Match[str]) -> str:
    """Letters and digits in one word are an id; a regular expression for that would be slow."""
    has_digit = any(character.isdigit() for character in word[0])
    return "ID" if has_digit and not word[0].isdigit() else word[0]


def place_of(pointer: str) -> str:
    """Return a pointer with the items of lists as one place.

    >>> place_of("/legs/12/fare")
    '/legs/*/fare'
    """
    return re.sub(r"/[0-9]+(?=/|$)", "/*", pointer)


def _signal_reason(signal: Signal, span: str) -> Iterator[tuple[str, str]]:
    evidence = signal.evidence
    if signal.kind in CONTRACT and (signal.pointer or signal.kind == "not_json"):
        # A sender's own check and ours of one place by one rule are one failure.
        yield "what", "not JSON" if signal.kind == "not_json" else "contract"
        yield "place", place_of(signal.pointer or "")
        yield "rule", str(evidence.get("rule") or "")
        yield "span", span
        return
    yield "what", signal.kind
    for part in ("tool", "type", "name"):
        if evidence.get(part):
            yield part, str(evidence[part])[:MAX_MESSAGE]
    if signal.kind not in WITHOUT_MESSAGE:
        yield "message", masked(signal.message)
    yield "span", span


def title(signal: Signal, span: str) -> str:
    """Return the line that a list shows, from the first signal of a group.

    >>> title(Signal("schema_error", '`/refund/amount` must be number. Got the string `"4 EUR"`.',
    ...     "high", pointer="/refund/amount"), "compose")
    'refund.amount: must be number, got a string'
    >>> title(Signal("slow", "compose took 9 s, 3.0 times the p95", "medium"), "compose")
    'compose took longer than usual'
    """
    message = " ".join(signal.message.split())
    if signal.pointer:
        place = place_of(signal.pointer)[1:].replace("/", ".").replace("~1", "/").replace("~0", "~")
        said = message.removeprefix(f"`{signal.pointer}`").strip()
        demand, got, value = said.partition(". Got ")
        return f"{place}: {demand}, got {_kind(value)}" if got else f"{place}: {said.rstrip('.')}"
    if signal.kind in TITLES:
        parts = {part: str(signal.evidence.get(part) or span) for part in ("tool", "name")}
        return TITLES[signal.kind].format(span=span, **parts)
    return message or signal.kind


def _kind(value: str) -> str:
    """What came, without the value of one event."""
    if value.startswith("the string"):
        return "a string"
    if value.startswith("`"):
        return "a number"
    found = re.match(r"an? (?:object|array)", value)
    return found[0] if found else value.rstrip(".")


def _reviewed(trace: str, modes: Sequence[str]) -> Iterator[Group]:
    for mode in modes or ("",):
        reason = (("what", "review"), ("mode", mode), ("span", trace))
        words = mode.replace("-", " ").replace("_", " ").capitalize()
        name = f"Reviewers: {words}" if mode else "Reviewers: fail, no mode given"
        yield Group(fingerprint(reason), "review", name, trace[:300], "high", reason)
