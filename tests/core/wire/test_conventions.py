"""Forms of the conventions that no captured body shows, and which source wins."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from tests.core.wire.expectations import ARRIVED_NS
from tracehub.core.summary import digest, summarise
from tracehub.core.trace import RawSpan, ValidationError
from tracehub.core.wire.normalise import normalise

START = ARRIVED_NS - 10**9


def raw(attributes, events=(), *, number=1, parent=None, start=START, ms=10, **fields):
    listed = [
        {"name": name, "time_ns": START + at * 10**6, "attributes": found}
        for name, at, found in events
    ]
    return RawSpan(
        "ab" * 16,
        f"{number:016x}",
        parent and f"{parent:016x}",
        fields.pop("name", "x"),
        start,
        start + ms * 10**6,
        attributes,
        listed,
        **fields,
    )


def span(attributes, events=(), **fields):
    return normalise(raw(attributes, events, **fields), arrived_ns=ARRIVED_NS)


CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}


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


@pytest.mark.parametrize(
    ("events", "attributes", "ms"),
    [
        ([("First Token Stream Event", 4, {})], {"openinference.span.kind": "LLM"}, 4),
        (
            [
                ("gen_ai.content.completion.chunk", 5, {}),
                ("gen_ai.content.completion.chunk", 9, {}),
            ],
            CHAT,
            5,
        ),
        ([], {**CHAT, "gen_ai.response.time_to_first_chunk": 0.004}, 4),
        ([], {**CHAT, "gen_ai.server.time_to_first_token": 4}, 4),
        ([], {**CHAT, "gen_ai.server.time_to_first_token": 0.9}, None),
        (
            [],
            {
                **CHAT,
                "gen_ai.server.time_to_first_token": 0.004,
                "gen_ai.request.is_stream": True,
            },
            4,
        ),
        ([], {"ai.operationId": "ai.streamText.doStream", "ai.response.msToFirstChunk": 4.0}, 4),
    ],
)
def test_the_first_token_comes_in_every_unit(events, attributes, ms):
    found = span(attributes, events)
    assert found.ttft_ns == (None if ms is None else ms * 10**6)


def test_messages_of_events_are_joined_whatever_the_client_wrote():
    events = [
        ("gen_ai.system.message", 0, {"content": "Be brief."}),
        ("gen_ai.user.message", 0, {"gen_ai.event.content": '{"content": "Hi"}'}),
        (
            "gen_ai.choice",
            1,
            {
                "gen_ai.event.content": json.dumps(
                    {
                        "index": 0,
                        "finish_reason": "stop",
                        "message": {"role": "assistant", "content": "Yes"},
                    }
                )
            },
        ),
    ]
    found = span(CHAT, events)
    assert [m["role"] for m in found.input["messages"]] == ["system", "user"]
    assert found.output["messages"][0]["content"] == [{"type": "text", "text": "Yes"}]
    assert found.finish_reasons == ["stop"]


def test_details_that_come_in_several_events_are_merged():
    name = "gen_ai.client.inference.operation.details"
    events = [
        (
            name,
            1,
            {"gen_ai.output.messages": '[{"role":"assistant","parts":["Yes"]}]'},
        ),
        (name, 0, {"gen_ai.system_instructions": '[{"type":"text","content":"Be brief."}]'}),
        (
            name,
            0,
            {"gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"Hi"}]}]'},
        ),
    ]
    found = span(CHAT, events)
    assert [m["role"] for m in found.input["messages"]] == ["system", "user"]
    assert found.output["messages"][0]["role"] == "assistant"


def test_the_old_events_attribute_of_pydantic_ai_is_read():
    events = [
        {"event.name": "gen_ai.user.message", "content": "Hi", "role": "user"},
        {
            "event.name": "gen_ai.choice",
            "index": 0,
            "message": {"role": "assistant", "content": "Yes"},
        },
    ]
    found = span({**CHAT, "logfire.json_schema": "{}", "events": json.dumps(events)})
    assert found.input["messages"][0]["content"][0]["text"] == "Hi"
    assert found.output["messages"][0]["content"][0]["text"] == "Yes"


def test_a_pending_span_is_a_placeholder():
    assert span({"logfire.span_type": "pending_span"}).facts.pending


def test_a_stream_of_logfire_counts_once():
    request = json.dumps(
        {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    )
    base = {"gen_ai.request.model": "m", "request_data": request}
    asked = raw({**base, "logfire.span_type": "span"}, number=2, parent=1)
    response = json.dumps(
        {
            "message": {"role": "assistant", "content": "Yes"},
            "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
        }
    )
    log = raw(
        {**base, "logfire.span_type": "log", "response_data": response},
        number=3,
        parent=1,
        start=START + 20 * 10**6,
        ms=0,
    )
    digests = [
        digest(normalise(item, arrived_ns=ARRIVED_NS)) for item in (raw({}, ms=50), asked, log)
    ]
    found = summarise(digests)
    assert (found.tokens.total, found.by_model["m"]["calls"], found.output_span) == (
        4,
        1,
        f"{3:016x}",
    )


def test_a_fallback_inside_a_call_is_seen():
    agent = raw({"gen_ai.operation.name": "invoke_agent"}, ms=90)
    chat = raw({**CHAT, "gen_ai.usage.input_tokens": 3}, number=2, parent=1, ms=50)
    failed = raw(
        {"gen_ai.request.model": "a"},
        number=3,
        parent=2,
        status_code=2,
        ms=5,
        name="model request attempt a",
    )
    digests = [digest(normalise(item, arrived_ns=ARRIVED_NS)) for item in (agent, chat, failed)]
    assert summarise(digests).fallbacks == 1
    worked = raw(
        {"gen_ai.request.model": "b"},
        number=4,
        parent=2,
        start=START + 6 * 10**6,
        name="model request attempt b",
    )
    digests.append(digest(normalise(worked, arrived_ns=ARRIVED_NS)))
    assert summarise(digests).fallbacks == 1


def test_the_request_of_the_adk_gives_the_messages():
    request = {
        "model": "gemini",
        "config": {"system_instruction": "Be brief."},
        "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
    }
    response = {"content": {"role": "model", "parts": [{"text": "Yes"}]}}
    found = span(
        {
            "gen_ai.request.model": "gemini",
            "gcp.vertex.agent.llm_request": json.dumps(request),
            "gcp.vertex.agent.llm_response": json.dumps(response),
        }
    )
    assert [m["role"] for m in found.input["messages"]] == ["system", "user"]
    assert found.output["messages"][0]["content"] == [{"type": "text", "text": "Yes"}]


@pytest.mark.parametrize(
    "sent",
    [
        {"args": [], "kwargs": {"pnr": "X"}},
        {"args": [{"pnr": "X"}], "kwargs": {}},
        {"input_str": "{'pnr': 'X'}", "inputs": {"pnr": "X"}, "tags": []},
        {"args": [], "sanitize_inputs_outputs": False, "kwargs": {"pnr": "X"}},
        {"pnr": "X"},
        "{'pnr': 'X'}",
    ],
)
def test_arguments_of_tools_come_out_of_their_wrappers(sent):
    sent = sent if isinstance(sent, str) else json.dumps(sent)
    assert span({"openinference.span.kind": "TOOL", "input.value": sent}).tool.arguments == {
        "pnr": "X"
    }


def test_a_single_string_argument_stays_a_string():
    sent = '{"args": ["X"], "kwargs": {}}'
    assert span({"openinference.span.kind": "TOOL", "input.value": sent}).tool.arguments == "X"


@pytest.mark.parametrize(
    ("attributes", "passed"),
    [
        ({"output.value": '{"passed": true}'}, True),
        ({"output.value": '{"flagged": true}'}, False),
        ({"output.value": "fine"}, True),
        ({}, None),
        (
            {
                "langfuse.observation.type": "guardrail",
                "langfuse.observation.level": "WARNING",
                "langfuse.observation.status_message": "why",
                "langfuse.observation.output": "x",
            },
            False,
        ),
    ],
)
def test_guardrails_have_a_verdict(attributes, passed):
    found = span({"openinference.span.kind": "GUARDRAIL", **attributes})
    assert found.guardrail["passed"] is passed
    assert found.error is False
    assert found.validation_errors == []


@pytest.mark.parametrize("key", ["tracehub.validation_errors", "validation.errors"])
def test_validation_errors_of_an_attribute_are_taken_as_they_are(key):
    sent = json.dumps([{"pointer": "/a", "rule": "type", "message": "m"}])
    assert span({key: sent}).validation_errors == [ValidationError("/a", "type", "m")]
    assert span({key: "not json"}).validation_errors == [ValidationError("", "", "not json")]


TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "fare"}


@pytest.mark.parametrize(
    ("attributes", "version"),
    [
        ({"gen_ai.tool.version": "2.1", "tool.version": "1", "mcp.server.version": "9"}, "2.1"),
        ({"gen_ai.tool.version": "2.1", "tracehub.tool.version": 3}, "3"),
        ({"tool.version": "2.1"}, "2.1"),
        ({"langfuse.version": "2.1"}, "2.1"),
        ({"langsmith.metadata.tool_version": "2.1"}, "2.1"),
        ({"mcp.server.version": "9", "mcp.tool.version": "2.1"}, "2.1"),
        ({"mcp.server.version": "9"}, "9"),
        ({"gen_ai.tool.version": "v" * 1000}, "v" * 64),
        ({"gen_ai.tool.version": " "}, None),
    ],
)
def test_the_version_of_a_tool_comes_under_many_names(attributes, version):
    assert span(TOOL | attributes).tool.version == version


def test_a_tool_of_another_service_has_the_release_of_that_service():
    def of(number, service, attributes=TOOL, **fields):
        resource = {"service.name": service, "service.version": f"{number}.0"}
        return digest(span(attributes, number=number, resource=resource, **fields))

    known = of(3, "fares", TOOL | {"gen_ai.tool.name": "rules", "tool.version": "7"}, parent=1)
    spans = [of(1, "agent", CHAT), of(2, "agent", parent=1), of(4, "fares", parent=2), known]
    assert summarise(spans).tools == ["fare", "fare@4.0", "rules@7"]
