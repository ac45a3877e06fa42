"""Kinds, tokens, documents and errors as single clients tell them; all seen in captured bodies."""

from __future__ import annotations

import json

import pytest

from tests.core.wire.made import CHAT, span
from tracehub.core.summary import digest, summarise
from tracehub.core.wire.conventions.langsmith import error_of_repr

LLM = {"openinference.span.kind": "LLM"}


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"gen_ai.request.model": "mistral-embed"}, "embedding"),  # Mistral's own SDK
        ({"gen_ai.request.model": "mistral-large"}, "llm"),
        ({"gen_ai.response.model": "rerank-v3.5"}, "reranker"),
        ({"gen_ai.usage.input_tokens": 5}, "other"),
        ({"gen_ai.request.model": "text-embedding-3-small", **CHAT}, "llm"),
    ],
)
def test_a_span_that_names_a_model_and_no_kind_is_a_call_of_it(attributes, kind):
    assert span(attributes).kind == kind


def test_what_ag2_spends_beside_its_calls_counts():
    """`record_usage` spans: compaction of a history, and sub-tasks that send nothing themselves."""
    turn = span({"gen_ai.operation.name": "invoke_agent"})
    usage = {"gen_ai.usage.input_tokens": 50, "gen_ai.usage.output_tokens": 12}
    call = span({**CHAT, **usage}, number=2, parent=1)
    spent = {
        "ag2.span.type": "usage",
        "gen_ai.response.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 2,
    }
    found = summarise([digest(one) for one in (turn, call, span(spent, number=3, parent=1))])
    assert (found.tokens.input, found.tokens.output) == (57, 14)


@pytest.mark.parametrize(
    ("given", "cached", "written", "expected"),
    [(30, 2_000, None, 2_030), (30, 20, 20, 70), (50, 10, 10, 50), (50, 50, None, 50)],
)
def test_more_cached_tokens_than_tokens_were_sent_apart(given, cached, written, expected):
    """OpenLIT hands on Anthropic's counts, which leave the cache out of the input."""
    usage = {
        "input_tokens": given,
        "output_tokens": 5,
        "total_tokens": given + 5,
        "cache_read.input_tokens": cached,
        "cache_creation.input_tokens": written,
    }
    found = span({**CHAT, **{f"gen_ai.usage.{name}": n for name, n in usage.items()}}).tokens
    assert (found.input, found.total, found.cached) == (expected, expected + 5, cached)


def test_a_reranker_of_openllmetry_has_a_question_and_ranked_documents():
    sent = {
        "llm.request.type": "rerank",
        "gen_ai.prompt.0.role": "system",
        "gen_ai.prompt.0.content": "Rules of bags",
        "gen_ai.prompt.1.role": "system",
        "gen_ai.prompt.1.content": "Rules of refunds",
        "gen_ai.prompt.2.role": "user",
        "gen_ai.prompt.2.content": "refund rule",
        "gen_ai.completion.0.content": "Doc 1, Score: 0.91",
        "gen_ai.completion.1.content": "Doc 0, Score: 2e-05",
        "gen_ai.completion.2.content": "Doc 7, Score: 0.0",
    }
    found = span(sent)
    assert (found.kind, found.input) == ("reranker", "refund rule")
    ranked = [(one["id"], one["content"], one["score"]) for one in found.context]
    assert ranked == [
        ("1", "Rules of refunds", 0.91),
        ("0", "Rules of bags", 2e-05),
        ("7", None, 0),
    ]
    assert not span({**sent, "gen_ai.completion.0.content": "Doc 1"}).context


def test_laminar_has_steps_of_its_own_and_openai_choices_as_messages():
    whose = "lmnr.association.properties."
    own = {f"{whose}session_id": "s-1", f"{whose}user_id": "u-1", f"{whose}tags": ["vip"]}
    said = {"lmnr.span.input": '{"pnr": "X7K2QD"}', "lmnr.span.output": '"418.60"'}
    tool = span({"lmnr.span.type": "TOOL", **own, **said}, name="get_booking")
    assert (tool.kind, tool.tool.name, tool.tool.arguments) == (
        "tool",
        "get_booking",
        {"pnr": "X7K2QD"},
    )
    facts = tool.facts
    assert (facts.session_id, facts.user_id, facts.tags, facts.metadata) == (
        "s-1",
        "u-1",
        ["vip"],
        {},
    )
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": "Yes"},
        "finish_reason": "stop",
    }
    call = span({**CHAT, "lmnr.span.type": "LLM", "gen_ai.output.messages": json.dumps([choice])})
    assert call.output["messages"][0]["content"] == [{"type": "text", "text": "Yes"}]
    assert call.finish_reasons == ["stop"]


def test_what_a_vector_database_found_is_context():
    result = {
        "db.query.result.id": "r1",
        "db.query.result.distance": 0.2,
        "db.query.result.document": "Refunds take 7 days.",
        "db.query.result.metadata": '{"source": "rules.md"}',
    }
    found = span({"db.system": "chroma"}, [("db.query.result", 1, result)])
    assert found.kind == "other"
    assert found.context == [
        {
            "id": "r1",
            "content": "Refunds take 7 days.",
            "score": None,
            "metadata": {"source": "rules.md", "distance": 0.2},
        }
    ]


def test_the_repr_of_an_object_in_the_client_says_nothing():
    """OpenInference on Portkey and Mistral, arguments that were not given; on Groq, a stream."""
    given = {"temperature": 0.2, "top_p": "<openai.Omit object at 0x7fd0c29f7850>", "stop": ""}
    found = span(
        {
            **LLM,
            "llm.invocation_parameters": json.dumps(given),
            "output.value": "<groq.Stream object at 0x7f32f79c6750>",
        }
    )
    assert (found.parameters, found.output) == ({"temperature": 0.2}, None)
    assert span({**CHAT, "gen_ai.request.top_p": "", "gen_ai.request.seed": 0}).parameters == {
        "seed": 0
    }


PYDANTIC = (
    "1 validation error for R\namount\n"
    "  Input should be a valid number [type=float_type, input_value='x', input_type=str]"
)
TRACEBACK = (
    f"{PYDANTIC}\n\nTraceback (most recent call last):\n"
    '  File "a.py", line 1, in f\nKeyError: 1\n\n'
    "During handling of the above exception, another exception occurred:\n\n"
    "Traceback (most recent call last):\n"
    f'  File "a.py", line 2, in g\npydantic_core._pydantic_core.ValidationError: {PYDANTIC}'
)


def test_langsmith_tells_a_validation_error_once_with_its_type():
    assert error_of_repr(TRACEBACK) == ("pydantic_core._pydantic_core.ValidationError", PYDANTIC)
    raised = {"exception.type": "Exception", "exception.message": TRACEBACK}
    found = span({"langsmith.span.kind": "llm"}, [("exception", 1, raised)], status_code=2)
    assert [(e.pointer, e.rule) for e in found.validation_errors] == [("/amount", "float_type")]
    assert found.error_message == PYDANTIC
