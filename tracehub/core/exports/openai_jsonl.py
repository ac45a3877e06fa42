"""`openai-jsonl`: OpenAI chat messages with the ideal answer, for scripts and fine-tuning."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tracehub.core.cases import Case
from tracehub.core.exports.base import Bundle, Format, Part, Tally
from tracehub.core.exports.fields import as_text, line, meta, openai_messages


def _row(case: Case) -> dict[str, Any]:
    return {
        "id": case["id"],
        "messages": openai_messages(case),
        "ideal": as_text(case["expected_output"]),
        "metadata": {
            **meta(case),
            "variables": case["input"]["variables"],
            "context": case["context"],
        },
    }


def _lines(bundle: Bundle, tally: Tally) -> Iterator[bytes]:
    for case in bundle.cases:
        tally.cases += 1
        tally.metadata += len(case["assertions"])
        yield line(_row(case))


def _write(bundle: Bundle, tally: Tally) -> Iterator[Part]:
    yield "cases.jsonl", _lines(bundle, tally)


FORMAT = Format(
    name="openai-jsonl",
    label="OpenAI JSONL",
    help="Chat messages as OpenAI's API takes them, with the ideal answer.",
    files=("cases.jsonl",),
    media_type="application/x-ndjson",
    write=_write,
)
