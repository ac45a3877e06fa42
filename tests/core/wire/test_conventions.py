"""Forms of the conventions that no captured body shows, and which source wins."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from tests.core.wire.made import CHAT, span


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"gen_ai.operation.name": "embeddings", "langsmith.span.kind": "retriever"}, "retriever"),
        ({"gen_ai.operation.name": "chat", "openinference.span.kind": "CHAIN"}, "chain"),
        ({"langfuse.observation.type": "generation", "openinference.span.kind": "CHAIN"}, "llm"),
        ({"tracehub.kind": "guardrail", "langfuse.observation.type": "generation"}, "guardrail"),
        ({"mlflow.spanType": '"SOMETHING_OF_MINE"'}, "other"),
        ({"llm.request.type": "embedding"}, "embedding"),
        ({"gen_ai.request.model": "m"}, "llm"),
        ({"gen_ai.tool.name": "t"}, "tool"),
        ({"ai.operationId": "ai.rerank"}, "reranker"),
        ({"http.method": "GET"}, "other"),
        ({}, "other"),
    ],
)
def test_the_librarys_own_kind_goes_first(attributes, kind):
    assert span(attributes).kind == kind


def test_every_field_comes_from_the_first_source_that_has_it():
    found = span(
        {
            "openinference.span.kind": "LLM",
            "gen_ai.usage.input_tokens": 5,
            "llm.token_count.prompt": 7,
            "llm.token_count.completion": 2,
            "llm.token_count.prompt_details.cache_read": 3,
            "llm.model_name": "from-llm",
            "gen_ai.request.model": "asked",
            "gen_ai.response.model": "answered",
        }
    )
    assert (found.model, found.model_requested) == ("answered", "asked")
    assert (found.tokens.input, found.tokens.output, found.tokens.cached) == (5, 2, 3)


@pytest.mark.parametrize("key", ["gen_ai.provider.name", "gen_ai.system", "llm.provider"])
@pytest.mark.parametrize(
    ("sent", "provider"),
    [
        ("OpenAI", "openai"),
        ("openai.responses", "openai"),
        ("aws.bedrock", "aws.bedrock"),
        ("langgraph", None),
    ],
)
def test_providers_are_lower_case_and_frameworks_are_none(key, sent, provider):
    assert span({**CHAT, key: sent}).provider == provider


def test_hostile_indices_cost_nothing_and_gaps_close():
    found = span(
        {
            "openinference.span.kind": "LLM",
            "llm.input_messages.999999999999.message.role": "user",
            "llm.input_messages.999999999999.message.content": "last",
            "llm.input_messages.2.message.role": "system",
            "llm.input_messages.2.message.content": "first",
            "llm.input_messages.99999999999999999999.message.content": "no index",
        }
    )
    assert [m["role"] for m in found.input["messages"]] == ["system", "user", "user"]


def test_contents_that_repeat_tool_calls_are_taken_once():
    base = "llm.output_messages.0.message."
    found = span(
        {
            "openinference.span.kind": "LLM",
            base + "role": "assistant",
            base + "contents.0.message_content.type": "tool_use",
            base + "contents.0.message_content.id": "c1",
            base + "contents.0.message_content.name": "get",
            base + "tool_calls.0.tool_call.id": "c1",
            base + "tool_calls.0.tool_call.function.name": "get",
        }
    )
    assert found.output["messages"][0]["tool_calls"] == [
        {"id": "c1", "name": "get", "arguments": {}}
    ]


def test_a_response_object_is_no_set_of_parameters():
    sent = {"id": "resp_1", "model": "m-2025", "created_at": 1, "temperature": 1}
    found = span(
        {
            "openinference.span.kind": "LLM",
            "llm.model_name": "m-2025",
            "llm.invocation_parameters": json.dumps(sent),
        }
    )
    assert (found.parameters, found.model_requested) == ({}, None)


def test_usage_of_langfuse_has_two_meanings():
    def usage(**details):
        return span(
            {
                "langfuse.observation.type": "generation",
                "langfuse.observation.usage_details": json.dumps(details),
            }
        ).tokens

    totals = usage(
        prompt_tokens=10,
        completion_tokens=4,
        total_tokens=14,
        prompt_tokens_details={"cached_tokens": 6},
    )
    assert (totals.input, totals.output, totals.cached, totals.total) == (10, 4, 6, 14)
    parts = usage(input=4, output=3, input_cached_tokens=6, output_reasoning_tokens=1)
    assert (parts.input, parts.output, parts.cached, parts.reasoning, parts.total) == (
        10,
        4,
        6,
        1,
        14,
    )


def test_a_cost_of_zero_is_unknown():
    assert span({**CHAT, "gen_ai.usage.cost": 0}).cost is None
    assert span({**CHAT, "gen_ai.usage.cost": 0.25}).cost == Decimal("0.25")


def test_a_scrubbed_session_is_absent():
    found = span(
        {**CHAT, "session.id": "[Scrubbed due to 'session']", "gen_ai.conversation.id": "c"}
    )
    assert (found.facts.session_id, found.facts.session_rank) == ("c", 1)


def test_metadata_of_frameworks_is_not_the_users():
    sent = {
        "tenant": 1,
        "ls_provider": "openai",
        "langgraph_step": 2,
        "lc_versions": {},
        "user_id": "u",
    }
    facts = span({"metadata": json.dumps(sent)}).facts
    assert (facts.metadata, facts.user_id) == ({"tenant": 1}, "u")


@pytest.mark.parametrize(
    "attributes",
    [
        {"tracehub.cohort": "canary"},
        {"metadata": '{"cohort": "canary"}'},
        {"langfuse.trace.metadata.cohort": '"canary"'},
        {"ai.operationId": "ai.generateText", "ai.telemetry.metadata.cohort": "canary"},
        {"traceloop.association.properties.cohort": "canary"},
        {"feature_flag.key": "new-prompt", "feature_flag.result.variant": "canary"},
    ],
)
def test_the_cohort_comes_from_any_metadata(attributes):
    assert span(attributes).facts.cohort == "canary"


def test_feature_flags_become_metadata():
    found = span(
        {},
        [
            (
                "feature_flag.evaluation",
                1,
                {"feature_flag.key": "k", "feature_flag.result.variant": "on"},
            )
        ],
    )
    assert found.facts.metadata == {"feature_flag.k": "on"}


@pytest.mark.parametrize(
    "attributes",
    [
        {"tracehub.prompt.name": "refund", "tracehub.prompt.version": "v12"},
        {"prompt.name": "refund", "prompt.version": "v12"},
        {"gen_ai.prompt.name": "refund", "gen_ai.prompt.version": "v12"},
        {"prompt.id": "refund", "llm.prompt_template.version": "v12"},
        {"traceloop.prompt.key": "refund", "traceloop.prompt.version": "v12"},
        {
            "langfuse.observation.prompt.name": "refund",
            "langfuse.observation.prompt.version": "v12",
        },
        {
            "langsmith.metadata.lc_hub_repo": "refund",
            "langsmith.metadata.lc_hub_commit_hash": "v12",
        },
        {"mlflow.linkedPrompts": '[{"name": "refund", "version": "v12"}]'},
    ],
)
def test_prompts_come_from_any_convention_on_calls_only(attributes):
    assert span({**CHAT, **attributes}).prompt.label == "refund@v12"
    on_a_chain = span({"tracehub.kind": "chain", **attributes}).prompt
    assert (on_a_chain is not None) == ("tracehub.prompt.name" in attributes)


def test_the_outcome_is_one_of_seven_words():
    assert span({"tracehub.outcome": "Escalated"}).facts.outcome == "escalated"
    assert span({"tracehub.outcome": "whatever"}).facts.outcome is None


def test_errors_are_told_by_the_last_exception():
    events = [
        ("exception", 1, {"exception.type": "A", "exception.message": "a"}),
        ("exception", 2, {"exception.type": "B", "exception.message": "b"}),
    ]
    found = span({}, events, status_code=2, status_message="B: b")
    assert (found.error_type, found.error_message) == ("B", "b")
    assert span({"error.type": "C"}, events, status_code=2).error_type == "C"
    assert span({}, events).error is False


def test_langsmiths_exception_names_the_real_one():
    told = {
        "exception.type": "Exception",
        "exception.message": "KeyError('pnr')\n\nTraceback (most",
    }
    found = span({"langsmith.span.kind": "chain"}, [("exception", 1, told)], status_code=2)
    assert (found.error_type, found.error_message) == ("KeyError", "pnr")


def test_scores_of_evaluators_are_feedback():
    found = span(
        CHAT,
        [
            (
                "gen_ai.evaluation.result",
                1,
                {
                    "gen_ai.evaluation.name": "faithful",
                    "gen_ai.evaluation.score.value": 0.2,
                    "gen_ai.evaluation.score.label": "bad",
                    "gen_ai.evaluation.explanation": "why",
                },
            )
        ],
    )
    score = found.feedback[0]
    assert (score["name"], score["value"], score["label"], score["comment"], score["source"]) == (
        "faithful",
        0.2,
        "bad",
        "why",
        "automated",
    )
