"""Finish reasons of every provider, folded into what they mean.

They are stored as sent (`SAFETY`, `content-filter`, `FinishReason.MAX_TOKENS`). Sources: OpenAI,
Anthropic (`refusal`), Gemini's FinishReason, Bedrock's StopReason, Cohere, Vercel AI SDK.
"""

from __future__ import annotations

from collections.abc import Iterable

FILTERED = frozenset(
    "content_filter content_filtered safety guardrail_intervened prohibited_content blocklist spii "
    "image_safety image_prohibited_content error_toxic".split()
)
TRUNCATED = frozenset(
    "length max_tokens max_output_tokens model_context_window_exceeded model_length".split()
)
REFUSAL = "refusal"


def folded(reason: str) -> str:
    """The reason in lower case without the class of an enum, words joined by `_`.

    >>> folded("FinishReason.MAX_TOKENS"), folded("content-filter")
    ('max_tokens', 'content_filter')
    """
    return reason.rpartition(".")[2].lower().replace("-", "_")


def is_filtered(reasons: Iterable[str]) -> bool:
    return any(folded(reason) in FILTERED for reason in reasons)


def is_truncated(reasons: Iterable[str]) -> bool:
    return any(folded(reason) in TRUNCATED for reason in reasons)


def is_refused(reasons: Iterable[str]) -> bool:
    return any(folded(reason) == REFUSAL for reason in reasons)
