"""Detectors at their edges: where they fire, where they stay silent, what they say."""

from __future__ import annotations

import json

import pytest

from tests import trace_factory as factory
from tracehub.core.digest import digest
from tracehub.core.query.keys import SIGNALS
from tracehub.core.signals.base import Asked, Contents, Evidence
from tracehub.core.signals.detectors.wrong_language import languages
from tracehub.core.signals.feedback import is_negative, together
from tracehub.core.signals.kinds import KINDS
from tracehub.core.signals.offered import offered
from tracehub.core.signals.rules import Baseline, Rules, ScoreLimit
from tracehub.core.signals.run import LATE_LIMIT, detect, detect_late
from tracehub.core.summary import summarise
from tracehub.core.trace import Tokens

ID = "ab" * 16
SCHEMA = {"type": "object", "required": ["pnr"], "properties": {"pnr": {"type": "string"}}}
TOOLS = [{"type": "function", "function": {"name": "get_booking", "parameters": SCHEMA}}]
GELD = "Kann ich bitte mein Geld für den Flug zurück bekommen?"
HENKIN = "返金はいつ届きますか、教えてください"
FARE = "Can you check whether my fare lets me cancel for free?"
DOCS = [
    {"id": "policy-1", "content": "Basic fares give no refund after departure.", "metadata": {}},
    {"id": "policy-2", "content": "Cancelled flights are refunded in full.", "metadata": {}},
]


def late(*spans, rules=None, earlier=()):
    ordered = sorted(spans, key=lambda span: (span.start_ns, span.span_id))
    summary = summarise([digest(span) for span in ordered])
    return detect_late(Contents(summary, ordered, rules or Rules(), earlier))


def kinds(*spans, **more):
    return sorted({signal.kind for signal in late(*spans, **more)})


def first(span, **more):
    summary = summarise([digest(span)])
    return detect(Evidence(summary, [digest(span)], **more))


def reply(words, asked="Can I get a refund for X7K2QD?", **fields):
    return factory.span(
        ID, input=factory.chat(("user", asked)), output=factory.chat(("assistant", words)), **fields
    )


def called(name, arguments, **fields):
    call = {"id": "c", "name": name, "arguments": arguments}
    message = {"role": "assistant", "content": [], "tool_calls": [call], "tool_call_id": None}
    return factory.span(ID, output={"messages": [message]}, **fields)


def test_every_kind_of_the_filter_language_is_described_once():
    assert sorted(KINDS) == sorted(SIGNALS)


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.tool.definitions": json.dumps(TOOLS)},
        {"gen_ai.tool.definitions": TOOLS},
        {"llm.tools.0.tool.json_schema": json.dumps(TOOLS[0])},
        {"llm.tools.0.tool.json_schema": json.dumps(
            {"name": "get_booking", "input_schema": SCHEMA})},
        {"llm.invocation_parameters": json.dumps({"tools": TOOLS})},
        {"llm.request.functions.0.name": "get_booking",
         "llm.request.functions.0.parameters": json.dumps(SCHEMA)},
        {"ai.prompt.tools": [json.dumps({"name": "get_booking", "inputSchema": SCHEMA})]},
        {"model_request_parameters": json.dumps(
            {"function_tools": [{"name": "get_booking", "parameters_json_schema": SCHEMA}]})},
        {"langfuse.observation.input": json.dumps({"messages": [], "tools": TOOLS})},
        {"request_data": {"tools": [{"toolSpec": {
            "name": "get_booking", "inputSchema": {"json": SCHEMA}}}]}},
        {"gen_ai.tool.definitions": [
            {"function_declarations": [{"name": "get_booking", "parameters": SCHEMA}]}]},
    ],
)  # fmt: skip
def test_tools_are_read_from_every_client(attributes):
    found = offered(factory.span(ID, attributes=attributes))
    assert found.schemas == {"get_booking": SCHEMA}
    assert found.complete
    assert kinds(called("get_booking", {"pnr": 7}, attributes=attributes)) == [
        "tool_arguments_invalid"
    ]
    assert kinds(called("get_booking", {"pnr": "X"}, attributes=attributes)) == []
    assert kinds(called("get_bookings", {}, attributes=attributes)) == ["unknown_tool"]


def test_what_is_wrong_with_arguments_is_said():
    [signal] = late(
        called("get_booking", '{"pnr": 7}', attributes={"gen_ai.tool.definitions": TOOLS})
    )
    assert signal.message == "get_booking: `/pnr` must be string. Got `7`."
    assert signal.severity == "high"
    [signal] = late(called("get_booking", "{broken", attributes={"gen_ai.tool.definitions": TOOLS}))
    assert "must be JSON" in signal.message


def test_nothing_is_said_of_tools_without_definitions_or_with_a_nameless_one():
    assert kinds(called("anything", {"x": 1})) == []
    tools = [*TOOLS, {"type": "web_search"}]
    assert kinds(called("web_search_call", {}, attributes={"gen_ai.tool.definitions": tools})) == []


def test_a_schema_that_may_not_be_used_is_left_alone():
    schema = {"type": "object", "properties": {"a": {"pattern": "(?=a)b"}}}
    tools = [{"name": "t", "parameters": schema}]
    assert kinds(called("t", {"a": "x"}, attributes={"gen_ai.tool.definitions": tools})) == []


@pytest.mark.parametrize(
    ("words", "fires"),
    [
        ("I can help you. " * 6, True),
        ("Please wait while I check this for you now. Done. " * 4, True),
        ("no no no no", False),  # too little
        ("12 12 12 12 12 12 12 12 12 12 12 12 12 12", False),  # no words
        ("\n".join(f"- row {n}: paid in full" for n in range(30)), False),
    ],
)
def test_repetition(words, fires):
    assert kinds(reply(words)) == (["repetition"] if fires else [])


def test_repetition_has_a_threshold():
    words = "I can help you. " * 6
    assert kinds(reply(words), rules=Rules(thresholds={"repetition": 7.0})) == []


@pytest.mark.parametrize(
    ("asked", "words", "fires"),
    [
        (GELD, "Yes, the money is already on its way to your card today.", True),
        (GELD, "Ja, das Geld ist heute schon auf dem Weg zu Ihrer Karte.", False),
        ("Kan jeg få pengene tilbage for min billet?", "Ja, pengene er på vei til kortet.", False),
        ("Say in German that the flight is cancelled", "Der Flug wurde leider gestrichen.", False),
        (FARE, "Yes, the fare that you booked is fully refundable today.", False),
        ("ok", "Yes, the money is already on its way to your card today.", False),
        (HENKIN, "Your refund arrives within five working days at home.", True),
    ],
)  # fmt: skip
def test_wrong_language(asked, words, fires):
    assert kinds(reply(words, asked)) == (["wrong_language"] if fires else [])


def test_a_short_question_is_read_with_those_before_it():
    english = "Yes, the money is already on its way to your card today."
    assert kinds(reply(english, "Und jetzt?"), earlier=[Asked("1", GELD)]) == ["wrong_language"]
    assert kinds(reply(english, "Und jetzt?"), earlier=[Asked("1", "Hallo")]) == []


def test_scores_of_a_trace_that_was_loaded_again_count_once():
    thumb = {"name": "thumbs", "value": 0, "label": None, "comment": None, "source": "user"}
    other = {**thumb, "comment": "wrong"}
    span = digest(reply("Yes", feedback=[{**thumb, "span_id": None}, other]))
    assert together([thumb], [span]) == [thumb, other]
    assert together([thumb, thumb], [span]) == [thumb, thumb, other]
    assert together([], [span]) == span.feedback


def test_a_json_answer_is_read_by_its_texts():
    said = json.dumps(
        {"status": "ok", "reply": "Das Geld ist heute schon auf dem Weg zu Ihrer Karte."}
    )
    assert languages("x" * 3) == {}
    assert kinds(reply(said, "When does the money come back to my card please?")) == [
        "wrong_language"
    ]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Write to anna@mail.example.", ["pii_in_output"]),
        ("Your card is 4111 1111 1111 1111.", ["pii_in_output"]),
        ("Your card is 4111 1111 1111 1112.", []),
        ("Write to me@mail.example.", []),  # the user said it
        ("It is [masked:email].", ["pii_in_output"]),
        ("The key is [masked:openai_key].", ["secret_in_output"]),
        ("The key is sk-proj-abcdefghijklmnopqrstuvwx.", ["secret_in_output"]),
        ("It is [masked:booking].", []),
    ],
)
def test_personal_data_and_secrets(words, expected):
    assert kinds(reply(words, "I am me@mail.example, what is it?")) == expected


def test_a_secret_is_critical_and_a_card_is_grave():
    [secret] = late(reply("The key is [masked:openai_key]."))
    [card] = late(reply("Your card is 4111 1111 1111 1111."))
    assert (secret.severity, card.severity) == ("critical", "high")
    assert "4111" not in card.message + str(card.evidence)


def grounded(words):
    search = factory.span(ID, kind="retriever", model=None, context=DOCS, input="refund", output="")
    return kinds(search, reply(words, start_ns=search.start_ns + 9))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Basic fares give no refund after departure. Cancelled flights are refunded in full.", []),
        ("Lounge visits remain complimentary throughout summer. Upgrades appear whenever cabins "
         "stay empty. Members receive bonus miles every winter.", ["low_grounding"]),
        ("Lounge visits remain complimentary throughout summer. Upgrades appear whenever cabins "
         "stay empty.", []),  # two sentences say little
        ("Basic fares give 4500 EUR refund after departure. Cancelled flights refund 99 days later "
         "in full. Members receive bonus miles every winter.", ["low_grounding"]),
        ("Yes.", []),
        ("Yes, see [policy-1] and [2].", []),
        ("Yes, see [policy-7].", ["unknown_citation"]),
        ("Yes, see [9].", ["unknown_citation"]),
        ("Yes, see [our page](policy-7) and [x] and [TODO-1].", []),
        ('{"reply": "Yes", "citations": ["policy-1", "faq-3"]}', ["unknown_citation"]),
    ],
)  # fmt: skip
def test_grounding_and_citations(words, expected):
    assert grounded(words) == expected


def test_the_question_again_is_told_and_others_are_not():
    question = "Can I get a refund for X7K2QD?"
    before = [Asked("cd" * 16, "a refund for X7K2QD, can I get?")]
    [signal] = late(reply("Yes", question), earlier=before)
    assert (signal.kind, signal.evidence["trace"]) == ("rephrased", "cd" * 16)
    assert kinds(reply("Yes", question), earlier=[Asked("1", "When does the bus leave?")]) == []
    assert kinds(reply("Yes", "yes"), earlier=[Asked("1", "yes")]) == []


def test_a_length_limit_is_the_projects():
    assert "too_long" not in kinds(reply("word " * 300))
    rules = Rules(thresholds={"too_long": 1000.0})
    assert "too_long" in kinds(reply("word " * 300), rules=rules)


def test_calls_are_compared_with_what_is_usual_for_their_prompt():
    usual = Baseline(500, 1e9, 0.01, 1000.0)
    rules = Rules(baselines={"span compose-refund": usual})
    span = factory.span(ID, duration_ns=3_000_000_000, tokens=Tokens(4000, 1, 4001))
    found = {signal.kind: signal.message for signal in first(span, rules=rules)}
    assert found["slow"] == "compose-refund took 3.0 s, 3.0 times the p95 of compose-refund, 1.0 s"
    assert "token_outlier" in found
    few = Rules(baselines={"span compose-refund": usual._replace(calls=99)})
    assert first(span, rules=few) == []
    lax = Rules(thresholds={"slow": 5.0, "token_outlier": 5.0}, baselines=rules.baselines)
    assert first(span, rules=lax) == []


@pytest.mark.parametrize(
    ("score", "kind"),
    [
        ({"name": "thumbs", "value": 0, "source": "user"}, "negative_feedback"),
        ({"name": "stars", "value": 2}, "negative_feedback"),
        ({"name": "stars", "value": 3}, None),
        ({"name": "tone", "value": None, "label": "Rude"}, "negative_feedback"),
        ({"name": "grounded", "value": False, "source": "judge"}, "judge_fail"),
        ({"name": "x", "label": "fail", "source": "automated"}, "judge_fail"),
        ({"name": "x", "label": "fail", "source": "user"}, None),
        ({"name": "toxicity", "value": 0.0}, None),
    ],
)
def test_scores(score, kind):
    limits = {"stars": ScoreLimit(2), "tone": ScoreLimit(None, frozenset({"rude"}))}
    found = first(factory.span(ID), rules=Rules(scores=limits), feedback=[score])
    assert [signal.kind for signal in found] == ([kind] if kind else [])
    assert is_negative(score, limits) is (kind is not None)


def test_kinds_that_are_off_say_nothing_and_one_trace_says_only_so_much():
    assert kinds(reply("anna@mail.example"), rules=Rules(off=frozenset({"pii_in_output"}))) == []
    tools = {"gen_ai.tool.definitions": TOOLS}
    many = [called(f"tool_{n}", {}, attributes=tools) for n in range(LATE_LIMIT + 5)]
    assert len(late(*many)) == LATE_LIMIT
