"""Times, streams, tools, guardrails and validation in forms that no captured body shows."""

from __future__ import annotations

import json

import pytest

from tests.core.wire.expectations import ARRIVED_NS
from tests.core.wire.made import CHAT, START, raw, span
from tracehub.core.summary import digest, summarise
from tracehub.core.trace import ValidationError
from tracehub.core.wire.normalise import normalise


@pytest.mark.parametrize(
    ("events", "attributes", "ms"),
    [
        ([("First Token Stream Event", 4, {})], {"openinference.span.kind": "LLM"}, 4),
        ([("ai.stream.firstChunk", 4, {})], {"ai.operationId": "ai.streamText.doStream"}, 4),
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
