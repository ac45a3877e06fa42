"""`openai-jsonl`: OpenAI chat messages with the ideal answer, for scripts and fine-tuning."""

from __future__ import annotations

from typing import Any

from tracehub.core.cases import Case
from tracehub.core.exports.fields import as_text, meta, openai_messages
from tracehub.core.exports.rows import row_format


def _row(case: Case) -> dict[str, Any]:
    extra = {"variables": case["input"]["variables"], "context": case["context"]}
    return {
        "id": case["id"],
        "messages": openai_messages(case),
        "ideal": as_text(case["expected_output"]),
        "metadata": {**meta(case), **extra},
    }


FORMAT = row_format(
    "openai-jsonl",
    "OpenAI JSONL",
    "Chat messages as OpenAI's API takes them, with the ideal answer.",
    "cases.jsonl",
    _row,
)
