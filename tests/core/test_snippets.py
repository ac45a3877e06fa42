"""Calls of a model as text to paste: what is quoted, and what stays out."""

from __future__ import annotations

import ast
import json
import shlex

from tests import trace_factory as factory
from tracehub.core import snippets

T = "a" * 32


def test_curl_reaches_the_provider_and_survives_a_shell():
    asked = factory.chat(("system", "Be brief."), ("user", 'It\'s $HOME; `rm`\n"quoted"'))
    span = factory.span(
        T, input=asked, provider="anthropic", model="claude-x-1", model_requested="claude-x",
        parameters={"temperature": 0.2, "api_base": "http://internal"},
    )  # fmt: skip
    words = shlex.split(snippets.curl(span))
    assert words[:2] == ["curl", "https://api.anthropic.com/v1/chat/completions"]
    assert "Authorization: Bearer $ANTHROPIC_API_KEY" in words
    body = json.loads(words[words.index("-d") + 1])
    assert (body["model"], body["temperature"]) == ("claude-x", 0.2)
    assert body["messages"][1] == {"role": "user", "content": 'It\'s $HOME; `rm`\n"quoted"'}
    assert "api_base" not in body


def test_an_unknown_provider_is_a_variable_of_the_shell():
    assert '"$OPENAI_BASE_URL/chat/completions"' in snippets.curl(factory.span(T, provider="acme"))


def test_python_is_a_list_with_tool_calls_as_openai_takes_them():
    call = {"id": "c1", "name": "get", "arguments": {"a": 1}}
    asked = {
        "messages": [
            {**factory.text("assistant", ""), "tool_calls": [call]},
            {**factory.text("tool", "done"), "tool_call_id": "c1"},
        ]
    }
    name, _, text = snippets.python(factory.span(T, input=asked)).partition(" = ")
    first, second = ast.literal_eval(text)
    assert name == "messages"
    assert first["tool_calls"][0]["function"] == {"name": "get", "arguments": '{"a":1}'}
    assert second == {"role": "tool", "content": "done", "tool_call_id": "c1"}
