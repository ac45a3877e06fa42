"""Whole requests and responses of model APIs, and what their finish reasons mean."""

from __future__ import annotations

import json

import pytest

from tests.core.wire.made import CHAT, span
from tests.core.wire.test_clients import LLM, REFUSAL, text
from tracehub.core.digest import digest
from tracehub.core.finish import is_filtered, is_refused, is_truncated
from tracehub.core.wire.messages import read_messages
from tracehub.core.wire.responses import read_request, read_response, schema_asked, usage_tokens

SCHEMA = {"type": "object", "properties": {"amount": {"type": "number"}}}


@pytest.mark.parametrize(
    "response",
    [
        {"choices": [{"finish_reason": "stop", "message": {"content": None, "refusal": REFUSAL}}]},
        {
            "object": "response",
            "output": [
                {
                    "type": "message",
                    "role": "assistant",
                    "content": [{"type": "refusal", "refusal": REFUSAL}],
                }
            ],
        },
    ],
    ids=["chat", "responses"],
)
@pytest.mark.parametrize("shown", ["", REFUSAL])
def test_a_refusal_is_read_from_the_whole_response(response, shown):
    found = span(
        {
            **LLM,
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.content": shown,
            "output.value": json.dumps(response),
        }
    )
    assert text(found.output) == [{"type": "refusal", "text": REFUSAL}]
    assert digest(found).refusal


def test_parts_of_refusals_and_summaries_of_reasoning_are_text():
    summary = json.dumps([{"type": "summary_text", "text": "Check the fare."}])
    parts = [{"type": "refusal", "content": REFUSAL}, {"type": "reasoning", "content": summary}]
    [message] = read_messages([{"role": "assistant", "parts": parts}])
    assert message["content"] == [
        {"type": "refusal", "text": REFUSAL},
        {"type": "reasoning", "text": "Check the fare."},
    ]


def test_why_a_response_is_incomplete_is_its_finish_reason():
    response = {
        "id": "resp_1",
        "object": "response",
        "incomplete_details": {"reason": "max_output_tokens"},
        "output": [{"type": "message", "role": "assistant", "content": [{"text": "The"}]}],
    }
    found = span({**LLM, "output.value": json.dumps(response)})
    assert (found.finish_reasons, found.response_id) == (["max_output_tokens"], "resp_1")


@pytest.mark.parametrize(
    ("value", "texts", "reasons", "total"),
    [
        (
            {
                "output": {"message": {"role": "assistant", "content": [{"text": "Yes"}]}},
                "stopReason": "end_turn",
                "usage": {"inputTokens": 10, "outputTokens": 2, "totalTokens": 12},
            },
            "Yes",
            ["end_turn"],
            12,
        ),
        (
            {
                "message": {"role": "assistant", "content": [{"type": "text", "text": "Yes"}]},
                "finish_reason": "COMPLETE",
            },
            "Yes",
            ["COMPLETE"],
            None,
        ),
        (
            {
                "candidates": [
                    {
                        "content": {
                            "role": "model",
                            "parts": [{"text": "Yes", "function_call": None}],
                        },
                        "finish_reason": "STOP",
                    }
                ],
                "usage_metadata": {
                    "prompt_token_count": 10,
                    "candidates_token_count": 2,
                    "thoughts_token_count": 3,
                    "total_token_count": 15,
                },
            },
            "Yes",
            ["STOP"],
            15,
        ),
        (
            {
                "parts": [{"part_kind": "text", "content": "Yes"}],
                "finish_reason": "stop",
                "usage": {"input_tokens": 10, "output_tokens": 2},
            },
            "Yes",
            ["stop"],
            12,
        ),
    ],
    ids=["bedrock", "cohere", "gemini", "pydantic-ai"],
)
def test_responses_of_other_providers_are_read(value, texts, reasons, total):
    found = read_response([value])
    assert text({"messages": found.messages}) == [{"type": "text", "text": texts}]
    assert found.finish_reasons == reasons
    assert (found.tokens.total if found.tokens else None) == total
    assert not found.messages[0]["tool_calls"]


def test_geminis_thoughts_are_part_of_the_output():
    usage = {
        "promptTokenCount": 10,
        "candidatesTokenCount": 2,
        "thoughtsTokenCount": 3,
        "cachedContentTokenCount": 4,
        "totalTokenCount": 15,
    }
    found = usage_tokens(usage)
    assert (found.input, found.output, found.reasoning, found.cached) == (10, 5, 3, 4)


def test_langchains_answer_names_its_model_in_the_metadata_of_the_message():
    told = {"model_name": "gpt-4o-mini-2024-07-18", "finish_reason": "length"}
    message = {"kwargs": {"content": "The", "response_metadata": told}}
    found = read_response({"generations": [[{"text": "The", "message": message}]]})
    assert (found.model, found.finish_reasons) == ("gpt-4o-mini-2024-07-18", ["length"])


@pytest.mark.parametrize("contents", ["Hi", ["Hi"], [{"role": "user", "parts": [{"text": "Hi"}]}]])
def test_geminis_request_takes_texts_for_messages(contents):
    found = read_request({"contents": contents, "config": {"system_instruction": "Be brief"}})
    assert [m["role"] for m in found] == ["system", "user"]


def test_the_schema_asked_for_is_found_in_the_parameters_of_every_api():
    for parameters in (
        {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}},
        {"text": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        {"response_json_schema": SCHEMA},
        {"format": SCHEMA},
    ):
        assert schema_asked(parameters) == SCHEMA
    assert schema_asked({"response_format": "json_object", "format": "json"}) is None
    asked = {**CHAT, "gen_ai.request.structured_output_schema": json.dumps(SCHEMA)}
    assert (span(asked).output_schema, span(asked).parameters) == (SCHEMA, {})


@pytest.mark.parametrize(
    ("fold", "reason"),
    [
        (is_filtered, "content-filter"),
        (is_filtered, "SAFETY"),
        (is_filtered, "FinishReason.CONTENT_FILTER"),
        (is_filtered, "content_filtered"),
        (is_truncated, "MAX_TOKENS"),
        (is_truncated, "FinishReason.LENGTH"),
        (is_refused, "refusal"),
    ],
)
def test_finish_reasons_are_folded_where_they_are_looked_at(fold, reason):
    assert fold([reason])
    assert not fold(["stop"])
