"""Messages of every client become one shape, and that shape stays itself."""

from __future__ import annotations

import json

import pytest

from tracehub.core.wire.messages import looks_like_messages, read_messages
from tracehub.core.wire.responses import read_request, read_response


def texts(messages):
    return [(m["role"], [p.get("text") for p in m["content"]]) for m in messages]


CALL = {"id": "c1", "name": "get", "arguments": {"pnr": "X"}}
SAME_CALL = {
    "OTel": {"role": "assistant", "parts": [{"type": "tool_call", **CALL}]},
    "OTel, arguments as text": {
        "role": "assistant",
        "parts": [{"type": "tool_call", **CALL, "arguments": '{"pnr": "X"}'}],
    },
    "OpenAI": {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": "c1",
                "type": "function",
                "function": {"name": "get", "arguments": '{"pnr":"X"}'},
            }
        ],
    },
    "OpenAI Responses": {
        "type": "function_call",
        "call_id": "c1",
        "name": "get",
        "arguments": '{"pnr":"X"}',
    },
    "Anthropic": {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": "c1", "name": "get", "input": {"pnr": "X"}}],
    },
    "Bedrock": {
        "role": "assistant",
        "content": [{"toolUse": {"toolUseId": "c1", "name": "get", "input": {"pnr": "X"}}}],
    },
    "Gemini": {
        "role": "model",
        "parts": [{"functionCall": {"id": "c1", "name": "get", "args": {"pnr": "X"}}}],
    },
    "AI SDK": {
        "role": "assistant",
        "content": [
            {"type": "tool-call", "toolCallId": "c1", "toolName": "get", "input": {"pnr": "X"}}
        ],
    },
    "LangChain": {
        "type": "ai",
        "content": "",
        "tool_calls": [{"id": "c1", "name": "get", "args": {"pnr": "X"}, "type": "tool_call"}],
    },
    "LangChain, serialised": {
        "lc": 1,
        "type": "constructor",
        "id": ["langchain", "AIMessage"],
        "kwargs": {
            "content": "",
            "tool_calls": [{"id": "c1", "name": "get", "args": {"pnr": "X"}}],
        },
    },
    "LangChain, dumped": {
        "type": "ai",
        "data": {"content": "", "tool_calls": [{"id": "c1", "name": "get", "args": {"pnr": "X"}}]},
    },
}


@pytest.mark.parametrize("client", SAME_CALL)
def test_a_tool_call_is_the_same_from_every_client(client):
    assert read_messages([SAME_CALL[client]]) == [
        {"role": "assistant", "content": [], "tool_calls": [CALL], "tool_call_id": None}
    ]


SAME_ANSWER = {
    "OTel, with the role user": {
        "role": "user",
        "parts": [{"type": "tool_call_response", "id": "c1", "response": "fine"}],
    },
    "OTel, named result": {
        "role": "tool",
        "parts": [{"type": "tool_call_response", "id": "c1", "result": "fine"}],
    },
    "OpenAI": {"role": "tool", "tool_call_id": "c1", "content": "fine"},
    "OpenAI Responses": {"type": "function_call_output", "call_id": "c1", "output": "fine"},
    "Anthropic": {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "fine"}],
    },
    "Bedrock": {
        "role": "user",
        "content": [
            {"toolResult": {"toolUseId": "c1", "status": "success", "content": [{"text": "fine"}]}}
        ],
    },
    "AI SDK": {
        "role": "tool",
        "content": [
            {"type": "tool-result", "toolCallId": "c1", "output": {"type": "text", "value": "fine"}}
        ],
    },
    "LangChain": {"type": "tool", "content": "fine", "tool_call_id": "c1"},
}


@pytest.mark.parametrize("client", SAME_ANSWER)
def test_a_tools_answer_is_the_same_from_every_client(client):
    content = [{"type": "text", "text": "fine"}]
    assert read_messages([SAME_ANSWER[client]]) == [
        {"role": "tool", "content": content, "tool_calls": [], "tool_call_id": "c1"}
    ]


PICTURES = {
    "OpenAI": {"type": "image_url", "image_url": {"url": "https://e.com/a.png"}},
    "OpenAI Responses": {"type": "input_image", "image_url": "https://e.com/a.png"},
    "Anthropic": {"type": "image", "source": {"type": "url", "url": "https://e.com/a.png"}},
    "AI SDK": {"type": "image", "image": "https://e.com/a.png"},
    "ours": {"type": "image", "uri": "https://e.com/a.png"},
}


@pytest.mark.parametrize("client", PICTURES)
def test_a_picture_is_the_same_from_every_client(client):
    found = read_messages({"role": "user", "content": [PICTURES[client]]})
    assert found[0]["content"] == [{"type": "image", "uri": "https://e.com/a.png"}]


def test_pictures_in_the_message_keep_data_and_type():
    parts = [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
        {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "AAAA"},
    ]
    found = read_messages({"role": "user", "content": parts})[0]["content"]
    assert found == [{"type": "image", "data": "AAAA", "mime_type": "image/png"}] * 3


URL = "data:application/pdf;base64,JVBERi0="
FILES = {
    "OpenAI": {"type": "file", "file": {"filename": "fare.pdf", "file_data": URL}},
    "OpenAI Responses": {"type": "input_file", "filename": "fare.pdf", "file_data": URL},
    "Anthropic": {
        "type": "document", "title": "fare.pdf",
        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
    },
    "AI SDK": {
        "type": "file", "filename": "fare.pdf", "mediaType": "application/pdf", "data": "JVBERi0="
    },
}  # fmt: skip


@pytest.mark.parametrize("client", FILES)
def test_a_file_keeps_its_name(client):
    found = read_messages({"role": "user", "content": [FILES[client]]})[0]["content"]
    (part,) = found
    assert part == {
        "type": "document",
        "data": "JVBERi0=",
        "mime_type": "application/pdf",
        "filename": "fare.pdf",
    }


def test_a_document_that_is_text_reads_as_text():
    source = {"type": "text", "media_type": "text/plain", "data": "No refund after departure."}
    found = read_messages({"role": "user", "content": [{"type": "document", "source": source}]})
    assert found[0]["content"] == [{"type": "text", "text": "No refund after departure."}]


def test_unknown_parts_pass_through():
    part = {"type": "server_tool_call", "id": "x", "anything": [1]}
    assert read_messages({"role": "assistant", "parts": [part]})[0]["content"] == [part]


def test_one_message_with_answers_and_words_becomes_two():
    content = [
        {"type": "tool_result", "tool_use_id": "c1", "content": "fine"},
        {"type": "text", "text": "and now?"},
    ]
    assert texts(read_messages({"role": "user", "content": content})) == [
        ("tool", ["fine"]),
        ("user", ["and now?"]),
    ]


@pytest.mark.parametrize("forms", [SAME_CALL, SAME_ANSWER], ids=["calls", "answers"])
def test_the_one_shape_stays_itself(forms):
    for item in forms.values():
        once = read_messages([item])
        assert read_messages(once) == once
        assert looks_like_messages(once)


def test_json_that_a_model_wrote_stays_text():
    answer = '[{"action": "refund"}]'
    assert texts(read_messages({"role": "assistant", "content": answer})) == [
        ("assistant", [answer])
    ]


@pytest.mark.parametrize("value", [None, 5, [], {}, [None], [1, "a"], {"a": 1}, [[]], "x"])
def test_other_values_are_no_messages(value):
    assert not looks_like_messages(value)


def test_requests_of_any_api_give_their_messages():
    requests = [
        {"model": "m", "messages": [{"role": "user", "content": "Hi"}]},
        {"model": "m", "input": "Hi"},
        {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
        [[{"type": "human", "content": "Hi"}]],
        "Hi",
    ]
    for request in requests:
        assert texts(read_request(request)) == [("user", ["Hi"])]
    assert read_request({"question": "Hi"}) is None


def test_responses_of_any_api_give_their_messages_and_usage():
    responses = [
        {
            "choices": [
                {"message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
            ],
            "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
        },
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "text", "text": "Hi"}],
            "stop_reason": "stop",
            "usage": {"input_tokens": 3, "output_tokens": 1},
        },
        {
            "generations": [[{"text": "Hi", "generation_info": {"finish_reason": "stop"}}]],
            "usage": {"input_tokens": 3, "output_tokens": 1, "total_tokens": 4},
        },
    ]
    for value in responses:
        found = read_response(json.dumps(value))
        assert texts(found.messages) == [("assistant", ["Hi"])]
        assert (found.finish_reasons, found.tokens.total) == (["stop"], 4)


def test_messages_of_autogen_say_who_spoke_and_what_tools_gave():
    result = {"name": "get", "call_id": "c1", "is_error": False, "content": "418.60"}
    sent = [
        {"source": "user", "type": "TextMessage", "content": "I want my money back"},
        {"source": "support", "type": "ThoughtEvent", "content": "Look it up."},
        {
            "source": "support",
            "type": "ToolCallRequestEvent",
            "content": [{"id": "c1", "name": "get", "arguments": '{"pnr":"X"}'}],
        },
        {
            "source": "support",
            "type": "ToolCallExecutionEvent",
            "content": [result, {**result, "call_id": "c2"}],
        },
        {"source": "support", "type": "ToolCallSummaryMessage", "content": "Refunded."},
    ]
    assert looks_like_messages(sent)
    found = read_messages(sent)
    assert [m["role"] for m in found] == ["user", *["assistant"] * 2, *["tool"] * 2, "assistant"]
    assert found[1]["content"] == [{"type": "reasoning", "text": "Look it up."}]
    assert found[2]["tool_calls"] == [CALL]
    assert [m["tool_call_id"] for m in found[3:5]] == ["c1", "c2"]
    assert texts(found)[-1] == ("assistant", ["Refunded."])
    assert not looks_like_messages([{"source": "sensor", "type": "reading", "content": 3}])
