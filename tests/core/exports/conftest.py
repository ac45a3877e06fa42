"""One bundle with all that exporters meet: every assertion, hostile text, absent parts."""

from __future__ import annotations

import pytest

from tracehub.core import cases
from tracehub.core.exports import Bundle, download, find

HOSTILE = 'file:///etc/passwd {{ 7*7 }} {% x %} {# y #} =1+1 "q" \u2028 \u0085 é 😀 </script>'
ASSERTIONS = [
    {"type": "exact", "value": "file:///etc/passwd {{ x }}"},
    {"type": "exact", "value": "23 KG", "ignore_case": True},
    {"type": "exact", "value": {"refund": {"amount": 1}}},
    {"type": "contains", "value": "23 KG", "ignore_case": True},
    {"type": "contains", "value": "{{ secret }}"},
    {"type": "not_contains", "value": "sorry"},
    {"type": "regex", "pattern": r"\d{2} kg"},
    {"type": "regex", "pattern": "kg$", "ignore_case": True},
    {
        "type": "json_schema",
        "schema": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {"items": {"$ref": "#/$defs/pair"}, "$schema": {"type": "string"}},
            "$defs": {"pair": {"prefixItems": [{"type": "number"}], "items": False}},
            "dependentRequired": {"a": ["b"]},
        },
    },
    {"type": "json_schema", "schema": {"type": "object", "unevaluatedProperties": False}},
    {"type": "json_schema", "schema": {}},
    {"type": "json_pointer_equals", "pointer": "/refund/amount", "value": 1},
    {"type": "tool_called", "name": "get_booking", "arguments": {"pnr": "X"}, "match": "subset"},
    {"type": "cites_document", "document": "policy-22"},
    {"type": "max_cost", "usd": "0.05"},
    {"type": "max_latency", "ms": 2500},
    {"type": "llm_rubric", "rubric": "Is it kind? {{ x }}", "threshold": 0.8},
    {"type": "max_calls", "name": "get_booking", "count": 1},
    {"type": "similarity", "value": "{{ x }} up to 23 kg", "threshold": 0.7, "ignore_case": True},
]
FULL = {
    "kind": "known_failure",
    "title": "Amount comes back as a string",
    "input": {
        "messages": [
            {"role": "system", "content": "You help."},
            {"role": "user", "content": HOSTILE},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "call_9", "name": "find_flight", "arguments": {"u": "1"}}],
            },
            {"role": "tool", "tool_call_id": "call_9", "content": '{"pnr": "X"}'},
        ],
        "variables": {"note": HOSTILE},
    },
    "context": [{"id": "policy-22", "content": "23 kg", "score": 0.91, "metadata": {"lang": "en"}}],
    "tool_calls": {
        "expected": [{"name": "get_booking", "arguments": {"pnr": "X"}}],
        "recorded": [{"id": "call_1", "name": "get_booking", "arguments": {}, "result": {}}],
    },
    "prompt": {"name": "refund", "version": "v12"},
    "model": "gpt-4o",
    "parameters": {"temperature": 0.2},
    "expected_output": {"refund": {"amount": 1e22, "currency": "EUR"}},
    "recorded_output": "418.60 EUR",
    "assertions": ASSERTIONS,
    "failure_modes": ["wrong-type"],
    "severity": "high",
    "tags": ["eu", "known_failure"],
    "source": {
        "trace_id": "9F" * 16,
        "span_id": "ab" * 8,
        "url": "https://hub.example/skylane/traces/" + "9f" * 16,
        "failure": "TH-418",
    },
    "reviewer": "mina",
}
TEXT = {
    "kind": "success",
    "title": "=cmd|' /C calc'!A0",
    "input": {"messages": [{"role": "user", "content": [
        {"type": "text", "text": "Baggage limit?"},
        {"type": "image", "data": "aGk=", "mime_type": "image/png"},
    ]}]},
    "expected_output": "23 kg",
}  # fmt: skip
VARIABLES = {"kind": "format", "input": {"variables": {"b": 1, "a": [True, None]}}}


def line(content: dict, number: int) -> cases.Case:
    return cases.native(
        cases.complete(cases.read(content)),
        id=f"c_{number:04d}",
        set="refund-regressions",
        version=3,
        created_at="2026-11-20T09:12:00.000000Z",
        updated_at="2026-11-23T16:40:05.120000Z",
    )


@pytest.fixture
def bundle() -> Bundle:
    made = [line(content, i + 1) for i, content in enumerate((FULL, TEXT, VARIABLES))]
    # The link of the fixture stands in for the one that the set makes.
    made[0]["source"]["url"] = FULL["source"]["url"]
    return Bundle("refund-regressions", 3, made)


@pytest.fixture
def files(bundle):
    """`files("promptfoo")`: the files of an export by name, and its tally as `files.summary`."""

    def write(name: str) -> dict[str, bytes]:
        from tracehub.core.exports import Tally

        return {file: b"".join(pieces) for file, pieces in find(name).write(bundle, Tally())}

    return write


@pytest.fixture
def summary(bundle):
    return lambda name: download(find(name), bundle).summary
