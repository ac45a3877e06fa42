"""A small support agent with tools and documents: a healthy trace, and ways to change it."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tracehub.core.trace import Prompt, Span, Tokens, ToolUse

START = 1_795_000_000_000_000_000
NAMES = ("Berg", "Olsen", "Niemi", "Costa", "Meyer", "Rossi", "Novak", "Dubois")
CITIES = ("Lisbon", "Oslo", "Bergen", "Rome", "Vienna", "Prague", "Porto", "Nice")
POLICIES = (
    "Basic fares give no refund after departure. Taxes are returned on request within thirty days.",
    "Flights that the airline cancels are refunded in full to the original payment within a week.",
    "Delays of more than three hours give a compensation of 250 EUR on routes under 1500 km.",
    "Checked bags that were never loaded are refunded at the price which the passenger paid.",
)
QUESTIONS = (
    "My flight to {city} was cancelled, can I get the money back for booking {pnr}?",
    "I just missed the flight to {city}, booking {pnr}. What can I still get?",
    "The plane to {city} was four hours late. Please tell me what I am owed for {pnr}.",
    "Refund the second bag of booking {pnr} please, it was never loaded in {city}.",
)
TOOLS = [
    {
        "type": "function",
        "name": "get_booking",
        "parameters": {
            "type": "object",
            "required": ["pnr"],
            "properties": {
                "pnr": {"type": "string", "pattern": "^[A-Z0-9]{6}$"},
                "passengers": {"type": "integer", "minimum": 1},
            },
            "additionalProperties": False,
        },
    },
    {
        "type": "function",
        "name": "send_voucher",
        "parameters": {
            "type": "object",
            "required": ["amount"],
            "properties": {"amount": {"type": "number"}},
        },
    },
]
GERMAN = (
    "Ihr Flug wurde leider gestrichen. Wir überweisen Ihnen den vollen Betrag innerhalb einer "
    "Woche zurück und entschuldigen uns für die Unannehmlichkeiten."
)
GERMAN_QUESTION = "Mein Flug wurde gestrichen, bekomme ich das ganze Geld für die Buchung zurück?"


@dataclass
class Planted:
    """A trace, the kinds of signal it should have, and the cause that makes them one failure."""

    spans: list[Span]
    question: str
    documents: list[str]
    kinds: set[str] = field(default_factory=set)
    cause: str = ""
    feedback: list[dict[str, Any]] = field(default_factory=list)
    earlier: list[str] = field(default_factory=list)

    def span(self, name: str) -> Span:
        return next(span for span in self.spans if span.name == name)

    def fails(self, cause: str, *kinds: str) -> None:
        self.cause, self.kinds = cause, set(kinds)


def text(role: str, words: str, calls: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    content = [{"type": "text", "text": words}] if words else []
    return {"role": role, "content": content, "tool_calls": calls or [], "tool_call_id": None}


def say(span: Span, words: str) -> None:
    span.output = {"messages": [text("assistant", words)]}


def pnr(rng: random.Random) -> str:
    return "".join(rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=6))


def healthy(rng: random.Random, number: int) -> Planted:
    """Return an answered question: search, plan, tool, decision as JSON, reply."""
    booking, city = pnr(rng), rng.choice(CITIES)
    question = rng.choice(QUESTIONS).format(city=city, pnr=booking)
    documents = rng.sample(POLICIES, 3)
    trace_id = f"{number & ((1 << 128) - 1):032x}"
    at = START + abs(number) * 1_000_000_000
    ids = [f"{(abs(number) * 8 + n + 1):016x}" for n in range(5)]

    def span(place: int, name: str, kind: str, **fields: Any) -> Span:
        took = min(int(rng.lognormvariate(20.7, 0.4)), 3_400_000_000)
        parent = ids[0] if place else None
        given = {"start_ns": at + place * 1_000_000, "duration_ns": took} | fields
        return Span(trace_id, ids[place], parent, name, kind, **given)  # type: ignore[arg-type]

    def call(place: int, name: str, prompt: str, said: str, **fields: Any) -> Span:
        tokens = int(rng.lognormvariate(7.0, 0.3))
        asked = {"messages": [text("system", "You help passengers."), text("user", question)]}
        return span(
            place, name, "llm", model="gpt-4o", finish_reasons=["stop"], input=asked,
            output={"messages": [text("assistant", said)]}, prompt=Prompt(prompt, "v12"),
            tokens=Tokens(tokens - 100, 100, tokens), cost=Decimal(tokens) / 400_000, **fields,
        )  # fmt: skip

    arguments = {"pnr": booking}
    plan = call(2, "plan", "plan", "", attributes={"gen_ai.tool.definitions": json.dumps(TOOLS)})
    calls = [{"id": "call_1", "name": "get_booking", "arguments": arguments}]
    plan.output = {"messages": [text("assistant", "", calls)]}
    result = {"passenger": rng.choice(NAMES), "to": city, "fare": round(rng.uniform(50, 900), 2)}
    tool = span(
        3, "get_booking", "tool", input=arguments, output=result,
        tool=ToolUse("get_booking", "call_1", arguments, result),
    )  # fmt: skip
    decided = {"refund": {"amount": result["fare"]}, "reason": "cancelled", "reply": documents[0]}
    reply = f"{documents[0]} {documents[1]} [policy-1]"
    spans = [
        span(0, "support", "agent", input=question, output=reply),
        span(1, "search", "retriever", input=question, context=context(documents)),
        plan,
        tool,
        call(4, "compose-refund", "refund", json.dumps(decided)),
    ]
    return Planted(spans, question, documents)


def context(documents: list[str]) -> list[dict[str, Any]]:
    return [
        {"id": f"policy-{n}", "content": words, "score": 0.9 - n / 10, "metadata": {}}
        for n, words in enumerate(documents, 1)
    ]


def decide(trace: Planted, **changes: Any) -> None:
    """Change the JSON of the decision."""
    span = trace.span("compose-refund")
    decided = json.loads(span.output["messages"][0]["content"][0]["text"])
    say(span, json.dumps(decided | changes))


def answer(trace: Planted, words: str) -> None:
    trace.span("support").output = words


def ask(trace: Planted, words: str) -> None:
    """Change the question, in every span that holds it."""
    for span in trace.spans:
        if span.input == trace.question:
            span.input = words
        elif isinstance(span.input, dict) and "messages" in span.input:
            span.input["messages"][-1] = text("user", words)
    trace.question = words


def failed(span: Span, kind: str, message: str) -> None:
    span.error, span.error_type, span.error_message, span.output = True, kind, message, None
    if span.tool:
        span.tool.result = None
