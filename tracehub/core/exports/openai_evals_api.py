"""`openai-evals-api`: an eval and its items for OpenAI's Evals API. Types: openai 3.57.

Every property of the item schema is required and free-form objects travel as JSON text, as the API
demands. Metadata of an eval: at most 16 pairs, keys of 64 and values of 512 characters.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tracehub.core.cases import Case
from tracehub.core.exports.base import Bundle, Format, Part, Tally
from tracehub.core.exports.fields import (
    as_text,
    compact,
    input_text,
    line,
    openai_messages,
    to_json,
)

_MESSAGE = {
    "type": "object",
    "properties": {"role": {"type": "string"}, "content": {"type": "string"}},
    "required": ["role", "content"],
}
_TEXTS = ("case_id", "kind", "title", "input_text", "expected_output", "context", "assertions",
          "trace_id", "trace_url")  # fmt: skip
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "messages": {"type": "array", "items": _MESSAGE},
        **{name: {"type": "string"} for name in _TEXTS},
    },
    "required": ["messages", *_TEXTS],
}


def _item(case: Case) -> dict[str, Any]:
    source = case["source"]
    texts = (
        case["id"], case["kind"], case["title"], input_text(case),
        as_text(case["expected_output"]) or "", compact(case["context"]),
        compact(case["assertions"]), source["trace_id"] or "", source["url"] or "",
    )  # fmt: skip
    return {
        "item": {
            "messages": [{"role": m["role"], "content": _text(m)} for m in openai_messages(case)],
            **dict(zip(_TEXTS, texts, strict=True)),
        }
    }


def _text(message: dict[str, Any]) -> str:
    """Content as text; what is more than text, tool calls included, as JSON."""
    if isinstance(message["content"], str) and "tool_calls" not in message:
        return message["content"]
    return compact({k: v for k, v in message.items() if k in {"content", "tool_calls"}})


def _eval(bundle: Bundle) -> dict[str, Any]:
    return {
        "name": f"{bundle.slug}@{bundle.version}",
        "metadata": {"tracehub_set": bundle.slug, "tracehub_version": str(bundle.version)},
        "data_source_config": {
            "type": "custom",
            "item_schema": _SCHEMA,
            "include_sample_schema": True,
        },
        "testing_criteria": [
            {
                "type": "string_check",
                "name": "equals the expected output",
                "input": "{{ sample.output_text }}",
                "reference": "{{ item.expected_output }}",
                "operation": "eq",
            }
        ],
    }


def _lines(bundle: Bundle, tally: Tally) -> Iterator[bytes]:
    for case in bundle.cases:
        tally.cases += 1
        tally.metadata += len(case["assertions"])
        yield line(_item(case))


def _write(bundle: Bundle, tally: Tally) -> Iterator[Part]:
    yield "eval.json", [f"{to_json(_eval(bundle))}\n".encode()]
    yield "items.jsonl", _lines(bundle, tally)


FORMAT = Format(
    name="openai-evals-api",
    label="OpenAI Evals API",
    help="An eval with its items for the hosted service.",
    files=("eval.json", "items.jsonl"),
    media_type="application/zip",
    write=_write,
)
