"""The icon, word and tone of each signal, verdict and kind of span. Tone never stands alone."""

from __future__ import annotations

from typing import NamedTuple


class Mark(NamedTuple):
    icon: str
    label: str
    tone: str = "neutral"


VERDICTS = {
    "fail": Mark("fail", "Fail", "fail"),
    "pass": Mark("pass", "Pass", "pass"),
    "unsure": Mark("unsure", "Unsure", "unsure"),
}
NOT_REVIEWED = Mark("none", "Not reviewed")

# Icon and label; the tone comes from the severity, so that one kind can be grave or light.
SIGNALS = {
    "schema_error": ("schema", "Schema error"),
    "not_json": ("schema", "Not JSON"),
    "unknown_label": ("tag", "Unknown label"),
    "required_null": ("schema", "Required is null"),
    "validation_error": ("schema", "Validation error"),
    "tool_error": ("tool", "Tool error"),
    "tool_arguments_invalid": ("tool", "Bad arguments"),
    "unknown_tool": ("tool", "Unknown tool"),
    "tool_loop": ("loop", "Tool loop"),
    "timeout": ("timeout", "Timeout"),
    "slow": ("clock", "Slow"),
    "retried": ("retry", "Retried"),
    "fallback": ("fallback", "Fallback model"),
    "empty_output": ("none", "Empty output"),
    "truncated": ("split", "Truncated"),
    "refusal": ("guardrail", "Refusal"),
    "content_filter": ("guardrail", "Content filter"),
    "repetition": ("loop", "Repetition"),
    "low_grounding": ("ground", "Low grounding"),
    "unknown_citation": ("ground", "Unknown citation"),
    "empty_retrieval": ("retriever", "Empty retrieval"),
    "wrong_language": ("chat", "Wrong language"),
    "too_long": ("split", "Too long"),
    "pii_in_output": ("eyeoff", "Personal data"),
    "secret_in_output": ("key", "Secret in output"),
    "cost_outlier": ("metrics", "Cost outlier"),
    "token_outlier": ("metrics", "Token outlier"),
    "guardrail_hit": ("guardrail", "Guardrail hit"),
    "exception": ("bolt", "Exception"),
    "negative_feedback": ("down-vote", "Thumbs down"),
    "rephrased": ("chat", "Rephrased"),
    "judge_fail": ("review", "Judge says fail"),
}
SPAN_KINDS = {
    "agent": Mark("agent", "Agent"),
    "chain": Mark("link", "Chain"),
    "llm": Mark("llm", "LLM call"),
    "tool": Mark("tool", "Tool"),
    "retriever": Mark("retriever", "Retriever"),
    "embedding": Mark("matrix", "Embedding"),
    "reranker": Mark("filter", "Reranker"),
    "guardrail": Mark("guardrail", "Guardrail"),
    "evaluator": Mark("review", "Evaluator"),
    "other": Mark("none", "Step"),
}
SEVERITY_TONES = {"low": "neutral", "medium": "unsure", "high": "fail", "critical": "fail"}


def verdict(value: str | None) -> Mark:
    return VERDICTS.get(value or "", NOT_REVIEWED)


def signal(kind: str, severity: str | None = None) -> Mark:
    """Return the mark of a signal; a project's own kind `custom:SLUG` reads as its slug."""
    icon, label = SIGNALS.get(kind) or ("flag", words(kind.removeprefix("custom:")))
    return Mark(icon, label, SEVERITY_TONES.get(severity or "", "neutral"))


def span_kind(kind: str) -> Mark:
    return SPAN_KINDS.get(kind, SPAN_KINDS["other"])


def words(slug: str) -> str:
    """Return a slug as a label.

    >>> words("wrong-amount")
    'Wrong amount'
    """
    return slug.replace("-", " ").replace("_", " ").capitalize()
