"""A span -> its digest: the narrow record that trace summaries are made from."""

from __future__ import annotations

import hashlib
import re

import orjson

from tracehub.core.finish import is_filtered, is_refused
from tracehub.core.trace import Json, Span, SpanDigest, ValidationError
from tracehub.core.wire.messages import message_text
from tracehub.core.wire.validation import told_errors

HASH_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
MAX_TAIL = 4_000  # characters of the last message that are searched
# How applications tell a model that its last answer was not usable.
FAILURE_WORDS = (
    "fail",
    "invalid",
    "error",
    "not valid",
    "try again",
    "incorrect",
    "does not match",
    "must be",
)
# How pydantic-ai tells what an output validator said: once it ended so, 2.68 has a fence.
RETRY_PROMPT = "Fix the errors and try again."
RETRY_FENCE = re.compile(r"<pyai:retry_feedback>\n(.*)\n</pyai:retry_feedback>", re.DOTALL)


def digest(span: Span) -> SpanDigest:
    """The digest of a normalised span. Pure and cheap: one hash of the input, no deep copies."""
    prompt, tool = span.prompt, span.tool
    messages = _messages(span.input)
    result = SpanDigest(
        span.trace_id,
        span.span_id,
        span.parent_id,
        span.name,
        span.kind,
        span.start_ns,
        span.duration_ns,
        span.error,
        span.error_type,
        span.error_message,
        span.provider,
        span.model,
        span.model_requested,
        span.finish_reasons,
        span.response_id,
        span.agent,
        prompt.label if prompt is not None else None,
        tool.name if tool is not None else None,
        span.validation_errors,
        span.guardrail,
        span.feedback,
        span.tokens,
        span.tokens_counted,
        span.cost,
        span.ttft_ns,
        span.streaming,
        span.facts,
        *_payloads(span, messages),
        tool_version=tool.version if tool is not None else None,
        service_tier=span.service_tier,
    )
    if len(messages) > 2 and span.kind == "llm":
        _look_back(messages, result)
    return result


def _messages(value: Json) -> list[Json]:
    """The messages of an input in the one shape; none of any other value."""
    if value.__class__ is not dict:
        return []
    items = value.get("messages")
    if items.__class__ is list and all(
        item.__class__ is dict and item.get("content").__class__ is list for item in items
    ):
        found: list[Json] = items
        return found
    return []


def _payloads(
    span: Span, messages: list[Json]
) -> tuple[int | None, bool, bool, bool, bool, int | None]:
    """input_hash, has_messages, has_input, has_output, refusal, documents."""
    output = span.output
    retrieves = span.context or span.kind in ("retriever", "reranker")
    return (
        None if span.input is None else input_hash(messages or span.input),
        bool(messages) or (output.__class__ is dict and "messages" in output),
        span.input is not None,
        _says_something(output),
        _refused(span),
        len(span.context) if retrieves else None,
    )


def input_hash(value: Json) -> int:
    """32-bit hash of a JSON value, the same for any order of keys; compared within a trace."""
    try:
        text = orjson.dumps(value, option=HASH_OPTIONS)
    except TypeError:  # an integer beyond 64 bits, or deeper than orjson goes
        text = repr(value).encode("utf-8", "replace")
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "big")


def _says_something(output: Json) -> bool:
    """Whether an output holds anything: an answer of empty messages does not."""
    if output is None or output == "" or output == {} or output == []:
        return False
    if output.__class__ is dict and isinstance(output.get("messages"), list):
        return any(
            isinstance(item, dict) and (item.get("content") or item.get("tool_calls"))
            for item in output["messages"]
        )
    return True


def _refused(span: Span) -> bool:
    """The model declined, by finish reason or by OpenAI's refusal part."""
    if is_refused(span.finish_reasons) or is_filtered(span.finish_reasons):
        return True
    output = span.output
    if output.__class__ is not dict or not isinstance(output.get("messages"), list):
        return False
    return any(
        part.get("type") == "refusal"
        for item in output["messages"]
        if isinstance(item, dict)
        if isinstance(content := item.get("content"), list)
        for part in content
        if isinstance(part, dict)
    )


def _look_back(messages: list[Json], result: SpanDigest) -> None:
    """What this call knows of the call before it: whose answer it follows, and what broke there."""
    last = len(messages) - 1
    while last >= 0 and messages[last].get("role") != "assistant":
        last -= 1
    if last < 1 or last == len(messages) - 1:
        return
    result.previous_input_hash = input_hash(messages[:last])
    for item in messages[last + 1 :]:
        text = message_text(item)[:MAX_TAIL]
        result.reported_errors.extend(_reported(text, item.get("role")))
        if not result.answers_failure:
            lower = text.lower()
            result.answers_failure = any(words in lower for words in FAILURE_WORDS)


def _reported(text: str, role: Json) -> list[ValidationError]:
    found = told_errors(text)
    if found or role not in ("user", "tool"):
        return found
    if (fence := RETRY_FENCE.search(text)) is not None:
        reason = fence[1].strip()
    elif text.rstrip().endswith(RETRY_PROMPT):
        reason = text.rpartition(RETRY_PROMPT)[0].strip()
    else:
        return []
    return [ValidationError("", "", reason)] if reason else []
