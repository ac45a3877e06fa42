"""Faults that a trace of the support agent can have, and what only looks like one.

`FAULTS` make a healthy trace fail: in which kinds of signal, and by which cause. `NEAR` make a
near-miss: unusual, and no failure.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from planted_traces import (
    CITIES,
    GERMAN,
    GERMAN_QUESTION,
    NAMES,
    Planted,
    answer,
    ask,
    context,
    decide,
    failed,
    pnr,
    say,
    text,
)

from tracehub.core.trace import Span, Tokens, ToolUse, ValidationError

Change = Callable[[random.Random, Planted], None]
FAULTS: dict[str, Change] = {}
NEAR: dict[str, Change] = {}


def fault(change: Change) -> Change:
    FAULTS[change.__name__] = change
    return change


def near(change: Change) -> Change:
    NEAR[change.__name__] = change
    return change


# What fails.


@fault
def amount_as_text(rng: random.Random, trace: Planted) -> None:
    decide(trace, refund={"amount": f"{rng.uniform(20, 900):.2f} EUR"})
    trace.fails("amount", "schema_error")


@fault
def no_reason(rng: random.Random, trace: Planted) -> None:
    decided = {"refund": {"amount": rng.randint(1, 900)}, "reply": trace.documents[0]}
    say(trace.span("compose-refund"), json.dumps(decided))
    trace.fails("no reason", "schema_error")


@fault
def fenced(rng: random.Random, trace: Planted) -> None:
    say(trace.span("compose-refund"), f"Here you are:\n```json\n{{'amount': {rng.random()}}}\n```")
    trace.fails("fenced", "not_json")


@fault
def own_label(rng: random.Random, trace: Planted) -> None:
    decide(trace, reason=rng.choice(("weather", "strike", "other", "overbooked")))
    trace.fails("label", "unknown_label")


@fault
def null_reply(rng: random.Random, trace: Planted) -> None:
    decide(trace, reply=None)
    trace.fails("null", "required_null")


@fault
def sent_report(rng: random.Random, trace: Planted) -> None:
    said = f"must be at most 1000. Got {rng.randint(1001, 9999)}"
    error = ValidationError("/refund/limit", "maximum", said)
    trace.span("compose-refund").validation_errors.append(error)
    trace.fails("limit", "validation_error")


@fault
def bad_arguments(rng: random.Random, trace: Planted) -> None:
    wrong = rng.choice(({"pnr": pnr(rng).lower()}, {"pnr": pnr(rng)[:4]}))
    trace.span("plan").output["messages"][0]["tool_calls"][0]["arguments"] = wrong
    trace.fails("pnr", "tool_arguments_invalid")


@fault
def invented_tool(rng: random.Random, trace: Planted) -> None:
    call = {"id": "call_2", "name": "cancel_flight", "arguments": {"pnr": pnr(rng)}}
    trace.span("plan").output["messages"][0]["tool_calls"].append(call)
    trace.fails("cancel_flight", "unknown_tool")


def _again(trace: Planted, times: int, change: Callable[[dict[str, Any]], Any]) -> None:
    tool = trace.span("get_booking")
    for n in range(times - 1):
        arguments = change(dict(tool.tool.arguments)) if tool.tool else {}
        again = Span(
            tool.trace_id, f"{int(tool.span_id, 16) | (n + 1) << 40:016x}", tool.parent_id,
            tool.name, "tool", tool.start_ns + n + 1, 5_000_000, input=arguments,
            output=tool.output, tool=ToolUse("get_booking", None, arguments, tool.output),
        )  # fmt: skip
        trace.spans.append(again)


@fault
def looping(rng: random.Random, trace: Planted) -> None:
    _again(trace, rng.randint(4, 7), lambda arguments: arguments)
    trace.fails("loop", "tool_loop")


@fault
def booking_down(rng: random.Random, trace: Planted) -> None:
    said = f'503 for "{pnr(rng)}" after {rng.uniform(1, 9):.1f} s, request {rng.getrandbits(40):x}a'
    failed(trace.span("get_booking"), "HTTPError", said)
    trace.fails("503", "tool_error")


@fault
def too_late(rng: random.Random, trace: Planted) -> None:
    failed(trace.span("get_booking"), "ReadTimeout", f"timed out after {rng.randint(10, 60)} s")
    trace.fails("timeout", "timeout", "tool_error")


@fault
def crashed(rng: random.Random, trace: Planted) -> None:
    said = f"no rate for fare {rng.randint(100, 999)}.{rng.randint(10, 99)}"
    failed(trace.span("compose-refund"), "KeyError", said)
    failed(trace.span("support"), "KeyError", said)
    trace.fails("rate", "exception")


@fault
def nothing(rng: random.Random, trace: Planted) -> None:
    trace.span("compose-refund").output = {"messages": []}
    trace.fails("empty", "empty_output")


@fault
def cut_off(rng: random.Random, trace: Planted) -> None:
    trace.span("plan").finish_reasons = [rng.choice(("length", "max_tokens"))]
    trace.fails("cut", "truncated")


@fault
def declined(rng: random.Random, trace: Planted) -> None:
    trace.span("plan").finish_reasons = ["refusal"]
    trace.fails("refused", "refusal")


@fault
def nothing_found(rng: random.Random, trace: Planted) -> None:
    trace.span("search").context = []
    answer(trace, "I could not find a rule for this, so a colleague will answer you today.")
    trace.fails("no documents", "empty_retrieval")


@fault
def guarded(rng: random.Random, trace: Planted) -> None:
    span = trace.span("support")
    span.guardrail = {"name": "toxicity", "passed": False, "score": rng.random(), "message": None}
    trace.fails("toxicity", "guardrail_hit")


@fault
def very_slow(rng: random.Random, trace: Planted) -> None:
    trace.span("plan").duration_ns = int(rng.uniform(8, 30) * 1e9)
    trace.fails("slow", "slow")


@fault
def dear(rng: random.Random, trace: Planted) -> None:
    span, tokens = trace.span("plan"), rng.randint(9_000, 30_000)
    span.tokens, span.cost = Tokens(tokens - 100, 100, tokens), Decimal(tokens) / 400_000
    trace.fails("dear", "cost_outlier", "token_outlier")


@fault
def stuck(rng: random.Random, trace: Planted) -> None:
    part = rng.choice(("I will look into it for you. ", "Please wait while I check this. "))
    plan = trace.span("plan")
    plan.output["messages"].append(text("assistant", part * rng.randint(5, 40)))
    trace.fails("stuck", "repetition")


@fault
def made_up(rng: random.Random, trace: Planted) -> None:
    miles = rng.randint(10_000, 90_000)
    answer(
        trace,
        f"Members of our gold programme automatically receive {miles} bonus miles every December. "
        "Lounge visits remain complimentary throughout summer, including guests and children. "
        + rng.choice((trace.documents[0], "Upgrades appear whenever cabins stay half empty.")),
    )
    trace.fails("made up", "low_grounding")


@fault
def cites_nothing(rng: random.Random, trace: Planted) -> None:
    answer(trace, f"{trace.documents[0]} {trace.documents[1]} [policy-{rng.randint(20, 99)}]")
    trace.fails("citation", "unknown_citation")


@fault
def in_german(rng: random.Random, trace: Planted) -> None:
    trace.span("search").context = context([GERMAN])
    answer(trace, GERMAN if rng.random() < 0.7 else "Ja, das Geld ist unterwegs, Frau Berg.")
    trace.fails("german", "wrong_language")


@fault
def leaks_address(rng: random.Random, trace: Planted) -> None:
    name = rng.choice(NAMES).lower()
    answer(trace, f"{trace.documents[0]} Write to {name}{rng.randint(1, 99)}@mail.example.")
    trace.fails("address", "pii_in_output")


@fault
def leaks_key(rng: random.Random, trace: Planted) -> None:
    key = rng.choice(("[masked:openai_key]", "[masked:bearer_token]"))
    answer(trace, f"{trace.documents[0]} The key of the desk is {key}.")
    trace.fails(key, "secret_in_output")


@fault
def judged(rng: random.Random, trace: Planted) -> None:
    reason = f"The amount is off by {rng.randint(2, 90)} EUR"
    score = {"name": "correct", "value": False, "comment": reason, "source": "judge"}
    trace.feedback.append(score)
    trace.fails("judge", "judge_fail")


@fault
def thumbs_down(rng: random.Random, trace: Planted) -> None:
    said = rng.choice(("wrong amount", "not what I asked", "", "useless"))
    trace.feedback.append({"name": "thumbs", "value": 0, "comment": said, "source": "user"})
    trace.fails("thumbs", "negative_feedback")


@fault
def asked_again(rng: random.Random, trace: Planted) -> None:
    same = trace.question.lower().replace("please", "pls").rstrip("?.") + "!!"
    trace.earlier.append(same if rng.random() < 0.8 else "i want my money for that trip")
    trace.fails("again", "rephrased")


# What looks like a failure and is none.


@near
def three_calls(rng: random.Random, trace: Planted) -> None:
    _again(trace, 3, lambda arguments: arguments)


@near
def many_bookings(rng: random.Random, trace: Planted) -> None:
    _again(trace, 6, lambda arguments: {"pnr": pnr(rng)})


@near
def whole_number(rng: random.Random, trace: Planted) -> None:
    decide(trace, refund={"amount": 0, "note": None}, reason="not_refundable")


@near
def talks_of_errors(rng: random.Random, trace: Planted) -> None:
    answer(trace, f"{trace.documents[0]} The error in our timeout page is known, sorry. [policy-1]")


@near
def a_bit_slow(rng: random.Random, trace: Planted) -> None:
    trace.span("plan").duration_ns = int(2.5e9)


@near
def repeats_the_users_address(rng: random.Random, trace: Planted) -> None:
    mail = f"{rng.choice(NAMES).lower()}@mail.example"
    ask(trace, f"{trace.question} Write to {mail}.")
    answer(trace, f"{trace.documents[0]} We write to {mail}.")


@near
def a_list(rng: random.Random, trace: Planted) -> None:
    rows = "\n".join(f"- flight SK {rng.randint(100, 999)} to {city}" for city in CITIES)
    plan = trace.span("plan")
    plan.output["messages"].append(text("assistant", rows))


@near
def a_german_question(rng: random.Random, trace: Planted) -> None:
    ask(trace, GERMAN_QUESTION)
    trace.span("search").context = context([GERMAN, GERMAN[:60]])
    answer(trace, GERMAN)


@near
def a_translation(rng: random.Random, trace: Planted) -> None:
    ask(trace, "Please translate into German: your flight was cancelled and is refunded in full.")
    trace.span("search").context = context([GERMAN])
    answer(trace, GERMAN)


@near
def cites_by_number(rng: random.Random, trace: Planted) -> None:
    answer(trace, f"{trace.documents[0]} [1] {trace.documents[2]} [3] See [our page](/help).")


@near
def other_words(rng: random.Random, trace: Planted) -> None:
    taxes = "Taxes return on request; fares give refunds when the airline itself cancels flights."
    answer(trace, f"{trace.documents[0]} {trace.documents[1]} {taxes}")


@near
def says_it_in_other_words(rng: random.Random, trace: Planted) -> None:
    bags, taxes = "Luggage left behind is paid back.", "You also receive airport charges again."
    answer(trace, f"{trace.documents[0]} {bags} {taxes if rng.random() < 0.5 else ''}")


@near
def a_refrain(rng: random.Random, trace: Planted) -> None:
    rows = "\n".join(f"{city}: not refundable after departure" for city in CITIES[:5])
    trace.span("plan").output["messages"].append(text("assistant", rows))


@near
def the_same_form(rng: random.Random, trace: Planted) -> None:
    trace.earlier.append(trace.question.replace(trace.question.split()[-1], "EXTRA1"))
    trace.earlier[-1] = f"Another trip to {rng.choice(CITIES)}: {trace.earlier[-1][:30]}"


@near
def not_a_card(rng: random.Random, trace: Planted) -> None:
    digits = f"4111 1111 1111 {rng.choice((1112, 1113, 1114))}"
    answer(trace, f"{trace.documents[0]} Your reference is {digits}. [policy-1]")
    trace.documents[0] += digits
    trace.span("search").context = context(trace.documents)


@near
def another_question(rng: random.Random, trace: Planted) -> None:
    trace.earlier.append("Which terminal does the bus from the centre stop at tonight?")


@near
def good_scores(rng: random.Random, trace: Planted) -> None:
    trace.feedback += [
        {"name": "correct", "value": True, "source": "judge"},
        {"name": "thumbs", "value": 1, "source": "user"},
        {"name": "stars", "value": 1, "source": "user"},
    ]


@near
def optional_arguments(rng: random.Random, trace: Planted) -> None:
    arguments = {"pnr": pnr(rng), "passengers": rng.randint(1, 4)}
    trace.span("plan").output["messages"][0]["tool_calls"][0]["arguments"] = arguments
