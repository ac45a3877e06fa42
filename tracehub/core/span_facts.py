"""`facts` of a stored span: what has no column, under names of a letter or two.

Every span has this object, and in jsonb each name costs its length and 8 bytes; long names took
150 bytes a span. The table below is part of the stored form: add names, never reuse one.
"""

from __future__ import annotations

from dataclasses import fields
from operator import attrgetter
from typing import Any

from tracehub.core.trace import SpanDigest, SpanFacts, Tokens, ValidationError

Json = Any

# Of the digest; absent when empty.
DIGEST = {
    "error_type": "et",
    "error_message": "em",
    "model_requested": "mr",
    "finish_reasons": "fr",
    "response_id": "id",
    "agent": "ag",
    "prompt": "pr",
    "tool": "to",
    "guardrail": "gu",
    "feedback": "fb",
    "ttft_ns": "tt",
    "input_hash": "h",
    "documents": "d",
    "previous_input_hash": "ph",
    "tool_version": "tv",
    "service_tier": "st",
}
ERRORS = {"validation_errors": "ve", "reported_errors": "re"}
TOKENS = {
    "cached": "tc",
    "cache_write": "tw",
    "reasoning": "tr",
    "audio_input": "ti",
    "audio_output": "ta",
}
# Of the trace that the span speaks of; absent when at the default.
TRACE = {
    "trace_name": "N",
    "session_id": "S",
    "session_rank": "K",
    "user_id": "U",
    "environment": "E",
    "release": "R",
    "cohort": "C",
    "service": "V",
    "outcome": "O",
    "tags": "T",
    "metadata": "M",
    "trace_input": "I",  # True: the value is in `content`
    "trace_output": "J",
    "is_app_root": "A",
    "pending": "P",
}
# Yes or no, as bits of `b`: what is usual for a call is 1 byte.
BITS = {
    "streaming": 1,
    "has_messages": 2,
    "has_input": 4,
    "has_output": 8,
    "refusal": 16,
    "answers_failure": 32,
    "uncounted": 64,  # not tokens_counted
}
SAME_MODEL = 128  # the model that answered is the one that was asked for
_DEFAULTS = {f.name: getattr(SpanFacts(), f.name) for f in fields(SpanFacts)}
_YES = tuple((name, bit) for name, bit in BITS.items() if name != "uncounted")
_TRACE = tuple((short, _DEFAULTS[name]) for name, short in TRACE.items())
# One call for all fields of a record.
_of_digest, _of_bits, _of_facts = attrgetter(*DIGEST), attrgetter(*dict(_YES)), attrgetter(*TRACE)


def write(digest: SpanDigest) -> dict[str, Json]:
    """Return the part of a digest that has no column of its own."""
    out: dict[str, Json] = {
        short: value
        for short, value in zip(DIGEST.values(), _of_digest(digest), strict=True)
        if value or value == 0  # a count or a hash of zero says something
    }
    out["b"] = _bits(digest)
    if digest.model_requested == digest.model:
        out.pop("mr", None)
        out["b"] |= SAME_MODEL
    for name, short in ERRORS.items():
        if errors := getattr(digest, name):
            out[short] = [[e.pointer, e.rule, e.message] for e in errors]
    if digest.tokens is not None:
        for name, short in TOKENS.items():
            if (value := getattr(digest.tokens, name)) is not None:
                out[short] = value
    for (short, default), value in zip(_TRACE, _of_facts(digest.facts), strict=True):
        if value != default:
            out[short] = value if short not in "IJ" else True
    return out


def _bits(digest: SpanDigest) -> int:
    bits = 0 if digest.tokens_counted else BITS["uncounted"]
    for (_, bit), yes in zip(_YES, _of_bits(digest), strict=True):
        if yes:
            bits |= bit
    return bits


def read(row: dict[str, Json]) -> dict[str, Json]:
    """Return the fields of a digest that `write` kept, from a row of `spans` (as dict)."""
    kept: dict[str, Json] = row["facts"]
    get, bits = kept.get, kept["b"]
    return {
        **{name: get(short) for name, short in DIGEST.items()},
        "model_requested": row["model"] if bits & SAME_MODEL else get("mr"),
        "finish_reasons": get("fr", []),
        "feedback": get("fb", []),
        **{
            name: [ValidationError(*error) for error in get(short, ())]
            for name, short in ERRORS.items()
        },
        "tokens": _tokens(row),
        "tokens_counted": not bits & BITS["uncounted"],
        "facts": SpanFacts(**{name: kept[short] for name, short in TRACE.items() if short in kept}),
        **{name: bool(bits & bit) for name, bit in _YES},
    }


def _tokens(row: dict[str, Json]) -> Tokens | None:
    kept = row["facts"]
    counts = (row["input_tokens"], row["output_tokens"], row["total_tokens"])
    parts = {name: kept[short] for name, short in TOKENS.items() if short in kept}
    if not parts and counts == (None, None, None):
        return None
    return Tokens(*counts, **parts)
