"""Traces with a story: the refund that came back as a string, and one that attacks its reader."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from tests import trace_factory as factory
from tracehub.core.trace import Prompt, SpanFacts, Tokens, ToolUse, ValidationError
from tracehub.failures.actions import save_contract
from tracehub.projects.models import Membership, Project, User

REPLY = (
    '{"refund": {"amount": "418.60 EUR", "method": "original_payment",'
    ' "passengers": ["Ida Holm", "Per Holm"]}, "reason": "carrier_cancellation",'
    ' "reply": "I have refunded both tickets to your Visa card."}'
)
ASKED = "SK 482 to Lisbon was cancelled. I want the money back, not a voucher."
DOCUMENTS = [
    {
        "id": "policy-118",
        "content": "Refund in full to the original form of payment within 7 days.",
        "score": 0.91,
        "metadata": {"title": "Refunds when we cancel a flight, §4.2"},
    },
    {
        "id": "policy-201",
        "content": "For groups of ten or more, refunds go to the organiser.",
        "score": 0.52,
        "metadata": {"title": "Group bookings, §7.4"},
    },
]
ATTACKS = (
    "<script>window.attacked = 1</script>",
    "<img src=x onerror='window.attacked = 2'>",
    "<div hx-get='/attacked' hx-trigger='load'>x</div>",
    "</script><script>window.attacked = 3</script>",
    "</textarea><svg onload='window.attacked = 4'>",
    "![x](https://evil.example/pixel.png) javascript:alert(1)",
)


def project(slug: str = "skylane") -> Project:
    return Project.objects.create(slug=slug, name="Skylane support")


def member(of: Project, role: str, email: str = "") -> User:
    user = User.objects.create_user(email or f"{role}@skylane.example", name=role.capitalize())
    Membership.objects.create(project=of, user=user, role=role)
    return user


def refund_trace(of: Project, number: int = 1, *, minutes_ago: float = 2) -> str:
    """Eleven spans over 8.4 s: two tools, one retried, and an amount that is a string."""
    trace_id = f"9f3c{number:024x}b7e1"
    begin = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    at = int(begin.timestamp() * 1000) * 1_000_000
    facts = SpanFacts(
        environment="production", cohort="canary", session_id="s-91", user_id="u_48f1",
        release="2026.11.3",
    )  # fmt: skip

    def step(n: int, parent: int | None, name: str, kind: str, start: float, took: float, **more):
        return factory.span(
            trace_id, span_id=f"{number:08x}{n:08x}", name=name, kind=kind,
            parent_id=None if parent is None else f"{number:08x}{parent:08x}",
            start_ns=at + int(start * 1e9), duration_ns=int(took * 1e9),
            **{"model": None, "input": None, "output": None} | more,
        )  # fmt: skip

    booking = ToolUse("get_booking", "c1", {"pnr": "X7K2QD"}, {"fare": "Flex", "total": 418.6})
    rules = ToolUse("get_fare_rules", "c2", {"fare": "FLEX"}, "503 Service Unavailable")
    again = ToolUse("get_fare_rules", "c3", {"fare": "FLEX"}, {"refundable": True})
    calls = [
        {"id": "c1", "name": "get_booking", "arguments": {"pnr": "X7K2QD"}},
        {"id": "c2", "name": "get_fare_rules", "arguments": {"fare": "FLEX"}},
    ]
    asked = {
        "messages": [
            factory.text("system", "You are Skylane's refund agent. Answer only from fare rules."),
            factory.text("user", ASKED),
            {**factory.text("assistant", ""), "content": [], "tool_calls": calls},
            {**factory.text("tool", '{"fare": "Flex", "total": 418.6}'), "tool_call_id": "c1"},
        ]
    }
    compose = {
        "model": "gpt-4o", "provider": "openai", "prompt": Prompt("refund", "v12"),
        "parameters": {"temperature": 0.2}, "input": asked,
        "output": factory.chat(("assistant", REPLY)), "cost": Decimal("0.0089"),
        "tokens": Tokens(input=2704, output=214, total=2918), "finish_reasons": ["stop"],
        "attributes": {"gen_ai.request.model": "gpt-4o", "skylane.tenant": 12},
    }  # fmt: skip
    wrong = ValidationError(
        "/refund/amount", "type", 'must be number. Got the string "418.60 EUR".'
    )
    return factory.trace(
        of,
        step(1, None, "airline-support", "agent", 0, 8.41, facts=facts, input=ASKED, output=REPLY),
        step(2, 1, "redact-pii", "guardrail", 0.001, 0.06),
        step(3, 1, "route-intent", "llm", 0.06, 0.48, model="gpt-4o-mini", input=factory.chat(
            ("user", ASKED)), output=factory.chat(("assistant", "refund")),
            tokens=Tokens(total=782), cost=Decimal("0.0002")),
        step(4, 1, "refund-agent", "agent", 0.54, 7.82),
        step(5, 4, "search-policy", "retriever", 0.56, 0.31, context=DOCUMENTS,
             input="refund carrier cancellation original payment"),
        step(6, 4, "get_booking", "tool", 0.88, 0.38, tool=booking),
        step(7, 4, "get_fare_rules", "tool", 1.28, 0.71, tool=rules, error=True,
             error_type="503", error_message="503 Service Unavailable"),
        step(8, 4, "get_fare_rules", "tool", 2.24, 0.44, tool=again),
        step(9, 4, "compose-refund", "llm", 2.7, 2.31, validation_errors=[wrong], **compose),
        step(10, 4, "hand_to_agent", "tool", 7.24, 0.92, tool=ToolUse("hand_to_agent")),
        step(11, 1, "tone-check", "guardrail", 8.18, 0.2),
        trace_id=trace_id,
    )  # fmt: skip


def refund_contract(of: Project) -> None:
    """What the reply of the refund story must look like: its amount is a number."""
    amount = {"type": "object", "properties": {"amount": {"type": "number"}}}
    schema = {"type": "object", "required": ["refund"], "properties": {"refund": amount}}
    save_contract(of, "refund-reply", schema, prompt="refund")


def attack_trace(of: Project) -> str:
    """Every field of a trace that a page shows holds markup."""
    every = " ".join(ATTACKS)
    trace_id = f"{0xBAD:032x}"
    call = {"id": every, "name": every, "arguments": {every: every}}
    media = {"type": "image", "mime_type": "image/svg+xml", "data": "PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+"}
    answer = {**factory.text("assistant", every), "tool_calls": [call]}
    asked = {**factory.text("user", every), "content": [{"type": "text", "text": every}, media]}
    top = factory.span(
        trace_id, span_id="b" * 16, name=every, kind="agent", model=every,
        input={"messages": [factory.text("system", every), asked]}, output={"messages": [answer]},
        validation_errors=[ValidationError(f"/{every}", every, every)], error=True,
        error_type=every, error_message=every, attributes={every: every}, parameters={every: every},
        facts=SpanFacts(environment=every, user_id=every, session_id=every, cohort=every),
    )  # fmt: skip
    reply = '{"html": "<script>window.attacked = 5</script>", "x": "</script>"}'
    below = factory.span(
        trace_id, span_id="c" * 16, parent_id="b" * 16, name="json" + every,
        output=factory.chat(("assistant", reply)),
        context=[{"id": every, "content": every, "score": 0.5, "metadata": {"title": every}}],
    )  # fmt: skip
    return factory.trace(of, top, below, trace_id=trace_id)
