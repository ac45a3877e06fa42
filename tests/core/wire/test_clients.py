"""What single clients send that no convention says; all of it was seen in captured bodies."""

from __future__ import annotations

import json

import pytest

from tests.core.wire.made import CHAT, span
from tracehub.core.wire.conventions.langsmith import error_of_repr
from tracehub.core.wire.langsmith_native import decode_batch
from tracehub.core.wire.messages import read_messages, uniform

LLM = {"openinference.span.kind": "LLM"}
REFUSAL = "I cannot help with that."


def text(value):
    [message] = value["messages"]
    return message["content"]


def test_messages_of_pydantic_ai_are_read():
    found = read_messages(
        [
            {
                "parts": [
                    {"part_kind": "system-prompt", "content": "Be brief"},
                    {"part_kind": "user-prompt", "content": ["Hi", {"type": "text", "text": "Ho"}]},
                ]
            },
            {
                "parts": [
                    {"part_kind": "thinking", "content": "Hm"},
                    {
                        "part_kind": "tool-call",
                        "tool_name": "t",
                        "args": '{"a": 1}',
                        "tool_call_id": "c",
                    },
                ]
            },
            {"parts": [{"part_kind": "retry-prompt", "content": "No", "tool_call_id": "c"}]},
        ]
    )
    assert [m["role"] for m in found] == ["system", "user", "assistant", "tool"]
    assert found[1]["content"] == [{"type": "text", "text": "Hi"}, {"type": "text", "text": "Ho"}]
    assert found[2]["tool_calls"] == [{"id": "c", "name": "t", "arguments": {"a": 1}}]
    assert found[3]["tool_call_id"] == "c"


def test_a_state_with_messages_of_any_client_has_them_in_the_one_shape():
    state = {"messages": [{"type": "human", "content": "Hi"}], "step": 2}
    assert uniform(state)["step"] == 2
    assert text(uniform(state)) == [{"type": "text", "text": "Hi"}]
    other = {"messages": [{"subject": "Refund", "body": "Please"}]}
    assert uniform(other) is other
    found = span({"openinference.span.kind": "CHAIN", "input.value": json.dumps(state)})
    assert uniform(found.input) is found.input


@pytest.mark.parametrize(
    ("image", "data"),
    [
        ({"0": 137, "1": 80}, "iVA="),
        ({"type": "Buffer", "data": [137, 80]}, "iVA="),
        ("data:image/png;base64,iVA=", "iVA="),
    ],
)
def test_pictures_of_javascript_are_base64(image, data):
    [message] = read_messages({"role": "user", "content": [{"type": "image", "image": image}]})
    assert message["content"][0]["data"] == data


def test_a_body_of_a_log_record_as_json_text_is_the_message():
    """Semantic Kernel; a tool's answer that only looks like one stays what it is."""
    events = [
        ("gen_ai.user.message", 0, {"content": '{"role": "user", "content": "Hi"}'}),
        ("gen_ai.tool.message", 1, {"content": '{"message": "booked"}', "id": "c"}),
        (
            "gen_ai.choice",
            2,
            {
                "content": json.dumps(
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": "Yes"},
                        "finish_reason": "FinishReason.STOP",
                    }
                )
            },
        ),
    ]
    found = span(CHAT, events)
    asked = found.input["messages"]
    assert [m["content"][0]["text"] for m in asked] == ["Hi", '{"message": "booked"}']
    assert text(found.output) == [{"type": "text", "text": "Yes"}]
    assert found.finish_reasons == ["FinishReason.STOP"]


def test_an_answer_of_a_tool_that_two_events_tell_is_there_once():
    """botocore's instrumentation for Bedrock."""
    result = [{"toolResult": {"toolUseId": "c", "content": [{"text": "418.60"}]}}]
    events = [
        ("gen_ai.tool.message", 0, {"content": "418.60", "id": "c"}),
        ("gen_ai.user.message", 1, {"content": json.dumps(result)}),
    ]
    assert len(span(CHAT, events).input["messages"]) == 1


def test_strands_says_apart_that_a_tool_failed_and_what_the_agent_was_told():
    tool = span(
        {"gen_ai.operation.name": "execute_tool", "tool.status": "error"},
        [("gen_ai.choice", 1, {"message": '[{"text": "no booking"}]'})],
    )
    assert (tool.error, tool.error_message) == (True, "no booking")
    agent = span(
        {"gen_ai.operation.name": "invoke_agent", "system_prompt": "Be brief"},
        [("gen_ai.user.message", 0, {"content": "Hi"})],
    )
    assert [m["role"] for m in agent.input["messages"]] == ["system", "user"]
    assert span({"event_loop.cycle_id": "1"}).kind == "chain"


def test_the_class_of_an_exception_comes_out_of_its_repr():
    found = span({"error.type": "<class 'app.errors.NoBooking'>"}, status_code=2)
    assert found.error_type == "app.errors.NoBooking"


def test_langfuse_tells_validation_errors_by_their_text_alone():
    told = "1 validation error for Refund\namount\n  Field required [type=missing, input_value={}]"
    found = span(
        {
            "langfuse.observation.type": "generation",
            "langfuse.observation.level": "ERROR",
            "langfuse.observation.status_message": told,
        }
    )
    assert [(e.pointer, e.rule) for e in found.validation_errors] == [("/amount", "missing")]


def test_langfuse_gives_usage_of_the_responses_api_and_tools_among_messages():
    offer = {"role": "tool", "content": {"type": "function", "function": {"name": "t"}}}
    found = span(
        {
            "langfuse.observation.type": "generation",
            "langfuse.observation.input": json.dumps([{"role": "user", "content": "Hi"}, offer]),
            "langfuse.observation.usage_details": json.dumps(
                {
                    "input_tokens": 82,
                    "input_tokens_details": {"cached_tokens": 64},
                    "output_tokens": 24,
                    "output_tokens_details": {"reasoning_tokens": 8},
                    "total_tokens": 106,
                }
            ),
        }
    )
    assert len(found.input["messages"]) == 1
    assert (found.tokens.input, found.tokens.cached, found.tokens.reasoning) == (82, 64, 8)


def test_what_langchain_adds_for_itself_is_not_the_users():
    found = span(
        {
            "langsmith.span.kind": "llm",
            "langsmith.span.tags": "eu,seq:step:1",
            "langsmith.metadata.tenant": 12,
            "langsmith.metadata.model_name": "m",
            "langsmith.invocation_params": '{"model": "m", "stop": null, "temperature": 0.2}',
            "gen_ai.completion": '{"output": null}',
        }
    )
    assert (found.facts.tags, found.facts.metadata) == (["eu"], {"tenant": 12})
    assert (found.parameters, found.output) == ({"temperature": 0.2}, None)


def test_mlflow_gives_langchains_parameters_dspys_texts_and_usage_of_vectors():
    found = span(
        {
            "mlflow.spanType": '"CHAT_MODEL"',
            "invocation_params": '{"model": "m", "temperature": 0.2, "client": "<object>"}',
            "mlflow.spanOutputs": '["Yes"]',
        }
    )
    assert (found.model_requested, found.parameters) == ("m", {"temperature": 0.2})
    assert text(found.output) == [{"type": "text", "text": "Yes"}]
    vectors = span(
        {
            "mlflow.spanType": '"EMBEDDING"',
            "mlflow.spanOutputs": '{"usage": {"prompt_tokens": 9, "total_tokens": 9}}',
        }
    )
    assert vectors.tokens.input == 9


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (r"KeyError('no \'X7\'\nin it')Traceback (most recent", ("KeyError", "no 'X7'\nin it")),
        ("Error: no booking X7\n    at get (file.mjs:9:1)", ("Error", "no booking X7")),
        ("APIError: overloaded", ("APIError", "overloaded")),
        ("something else", (None, "something else")),
    ],
)
def test_errors_of_langsmith_are_told_apart_from_their_stacks(sent, told):
    assert error_of_repr(sent) == told


def test_what_traceable_puts_around_a_value_is_taken_off():
    run = {"id": "01a20f8b-0d69-7061-a1fb-9d0a95112d67", "run_type": "chain"}
    for outputs in ({"output": "done"}, {"outputs": "done"}):
        [raw] = decode_batch(
            json.dumps({"post": [{**run, "outputs": outputs}]}).encode()
        ).decoded.spans
        assert raw.attributes["gen_ai.completion"] == "done"


def test_openinference_on_the_ai_sdk_sends_empty_calls_and_wrapped_answers():
    message = "llm.input_messages.{}.message."
    call = message.format(0) + "tool_calls.0.tool_call."
    found = span(
        {
            **LLM,
            message.format(0) + "role": "user",
            message.format(0) + "contents.0.message_content.type": "text",
            message.format(0) + "contents.0.message_content.text": "Hi",
            call + "id": None,
            call + "function.name": None,
            call + "function.arguments": None,
            message.format(1) + "role": "tool",
            message.format(1) + "tool_call_id": "c",
            message.format(1) + "content": '{"type":"json","value":{"fare":"418.60 EUR"}}',
        }
    )
    asked, answered = found.input["messages"]
    assert not asked["tool_calls"]
    assert answered["content"] == [{"type": "text", "text": '{"fare":"418.60 EUR"}'}]


def test_messages_that_are_not_in_the_one_shape_do_no_harm():
    odd = '{"messages": [{"role": "user", "tool_calls": []}]}'
    assert span({**CHAT, "tracehub.input": odd}).kind == "llm"


def test_litellm_tells_calls_of_tools_in_the_older_form_and_usage_as_a_repr():
    found = span(
        {
            **CHAT,
            "gen_ai.output.messages": '[{"role": "assistant", "parts": []}]',
            "gen_ai.completion.0.function_call.name": "get_booking",
            "gen_ai.completion.0.function_call.arguments": '{"pnr": "X7K2QD"}',
            "gen_ai.usage.input_tokens": 82,
            "gen_ai.usage.output_tokens": 24,
            "metadata.usage_object": "{'prompt_tokens': 82, 'completion_tokens': 24, "
            "'prompt_tokens_details': {'cached_tokens': 64, 'audio_tokens': None}}",
        }
    )
    [answer] = found.output["messages"]
    assert answer["tool_calls"][0]["arguments"] == {"pnr": "X7K2QD"}
    assert (found.tokens.input, found.tokens.cached) == (82, 64)


def test_openllmetry_wraps_what_langchain_gives_its_tools():
    found = span(
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.call.arguments": json.dumps(
                {"input_str": "{'pnr': 'X7K2QD'}", "tags": [], "metadata": {}}
            ),
            "gen_ai.tool.call.result": json.dumps(
                {"output": {"lc": 1, "kwargs": {"content": "418.60"}}, "kwargs": {}}
            ),
        }
    )
    assert (found.tool.arguments, found.tool.result) == ({"pnr": "X7K2QD"}, "418.60")


def test_a_step_around_calls_has_its_whole_input():
    found = span(
        {
            "openinference.span.kind": "CHAIN",
            "llm.input_messages.0.message.content": "Hi",
            "input.value": json.dumps({"messages": [{"type": "human", "content": "Hi"}] * 2}),
        }
    )
    assert len(found.input["messages"]) == 2
