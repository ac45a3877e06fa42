"""Traces for reading benchmarks as rows of `spans`, made as ingestion makes them, but faster.

Root spans are made one by one: each trace says something else. Their children come from a few
hundred spans that went through normalising once; ids, times, tokens and costs differ.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import tracegen

from tracehub.core import stored
from tracehub.core.cost import set_cost
from tracehub.core.digest import digest
from tracehub.core.trace import RawSpan, Span, Tokens
from tracehub.core.wire.normalise import normalise

MODELS = (("gpt-4o", 40), ("gpt-4o-mini", 30), ("claude-sonnet-4", 15), ("mistral-large", 10),
          ("gemini-2.0-flash", 4), ("o3", 1))  # fmt: skip
PROVIDERS = {"claude-sonnet-4": "anthropic", "mistral-large": "mistralai",
             "gemini-2.0-flash": "google"}  # fmt: skip
NAMES = (("airline-support", 50), ("hotel-search", 25), ("summary", 15), ("router", 10))
STATES = (("ok", 890), ("invalid", 40), ("tool", 30), ("failed", 20), ("refused", 20))
OF_CHILD: dict[int, tuple[str, ...]] = {
    1: (), 2: (), 3: ("tool", "failed"), 4: ("invalid", "refused")
}  # fmt: skip
BROKEN = '[{"pointer": "/refund/amount", "rule": "type", "message": "A number is missing."}]'
USERS = 2000
RARE = 100_000  # one trace in so many has the tag `needle`
TEMPLATES = 50
REVIEWED = 0.02


class Made(NamedTuple):
    """A trace: when it starts, its spans as rows, and what a reviewer says of it, if anything."""

    at: datetime
    trace_id: UUID
    rows: list[stored.SpanRow]
    verdict: str | None


def weighted(r: random.Random, choices: tuple[tuple[str, int], ...]) -> str:
    return r.choice(_spread(choices))


@lru_cache(maxsize=8)
def _spread(choices: tuple[tuple[str, int], ...]) -> list[str]:
    return [choice for choice, weight in choices for _ in range(weight)]


def moments(
    first: int, last: int, total: int, days: int, now: datetime, r: random.Random
) -> Iterator[tuple[int, datetime]]:
    """Yield (number, start) of the traces [first, last) of `total`, denser by day than by night."""
    width = timedelta(days=days) / total
    for number in range(first, last):
        at = now - timedelta(days=days) + width * (number + r.random())
        wave = math.sin(2 * math.pi * (at.hour + at.minute / 60) / 24) * 2.4
        yield number, min(at + timedelta(hours=wave), now - timedelta(minutes=5))


def trace(r: random.Random, project_id: int, number: int, at: datetime, age: float) -> Made:
    """Return a trace; `age` is 0 for the newest and 1 for the oldest."""
    version = max(1, min(12, round(12 - 11 * age + r.gauss(0, 0.6))))
    canary = r.random() < (0.1 if version != 11 else 0.001)
    cohort = "canary" if canary else "control" if r.random() < 0.5 else None
    state = weighted(r, STATES)
    trace_id = UUID(int=r.getrandbits(128))
    at_ns = int(at.timestamp() * 1_000_000) * 1000
    total_ns = int(r.lognormvariate(0.6, 0.9) * 1e9)
    said = {
        "session.id": f"s-{number}",
        "user.id": f"u_{r.randrange(USERS)}",
        "deployment.environment": "staging" if r.random() < 0.1 else "production",
        "tag.tags": [f"lang:{r.choice(('en', 'en', 'en', 'de', 'sv', 'ja'))}"]
        + (["needle"] if number % RARE == 7 else []),
        "metadata": f'{{"tenant": {r.randrange(40)}}}',
        **({"tracehub.cohort": cohort} if cohort else {}),
        **({"tracehub.outcome": "answered"} if r.random() < 0.7 else {}),
    }
    name = weighted(r, NAMES)
    release = f"2026.{11 - int(age * 2)}.{version}"
    root = _root(r, trace_id, name, release, at_ns, total_ns, said, state)
    first, second = weighted(r, MODELS), weighted(r, MODELS) if r.random() < 0.2 else None
    summary = "summary@v4" if r.random() < 0.2 else f"refund@v{version}"
    template = r.randrange(TEMPLATES)
    rows = [_row(project_id, root)]
    for k, model, prompt in (
        (1, "", ""), (2, first, f"refund@v{version}"), (3, "", ""), (4, second or first, summary)
    ):  # fmt: skip
        kept, span = child(template, k, model, prompt, state if state in OF_CHILD[k] else "ok")
        rows.append(_moved(r, kept, span, project_id, trace_id, at_ns, total_ns, k))
    verdict = r.choice(("fail", "pass", "pass", "unsure")) if r.random() < REVIEWED else None
    return Made(at, trace_id, rows, verdict)


def long_trace(project_id: int, number: int, at: datetime) -> Made:
    """Return a trace of `number` spans, whose id is that number."""
    r = random.Random(number)
    at_ns = int(at.timestamp() * 1_000_000) * 1000
    total_ns = number * 100_000_000
    trace_id = UUID(int=number)
    root = _root(r, trace_id, "long", "2026.11.12", at_ns, total_ns, {}, "ok")
    rows = [_row(project_id, root)]
    for n in range(1, number):
        k = 1 + n % 4
        model, prompt = ("gpt-4o", "refund@v12") if k in (2, 4) else ("", "")
        kept, span = child(n % TEMPLATES, k, model, prompt, "ok")
        row = _moved(r, kept, span, project_id, trace_id, at_ns, total_ns, k)
        rows.append(row._replace(span_id=n + ROOT, parent_id=rows[n // 4].span_id))
    return Made(at, trace_id, rows, None)


def _root(
    r: random.Random, trace_id: UUID, name: str, release: str, at_ns: int, total_ns: int,
    said: dict[str, Any], state: str,
) -> RawSpan:  # fmt: skip
    attributes = {
        "openinference.span.kind": "AGENT",
        "input.value": tracegen.text(r, 220),
        "output.value": tracegen.text(r, 500),
        **said,
    }
    failed = state == "failed"
    return RawSpan(
        trace_id.hex, f"{ROOT:016x}", None, name, at_ns, at_ns + total_ns, attributes,
        _events("ToolError", at_ns) if failed else [],
        status_code=2 if failed else 1,
        status_message="ToolError: order not found" if failed else "",
        resource={"service.name": "support", "service.version": release}, span_kind=1,
    )  # fmt: skip


ROOT = 1  # span ids differ within a trace only


def _events(kind: str, at_ns: int) -> list[dict[str, Any]]:
    text = f"{kind}: order not found"
    told = {"exception.type": kind, "exception.message": text}
    return [{"name": "exception", "time_ns": at_ns, "attributes": told}]


def _row(project_id: int, raw: RawSpan) -> stored.SpanRow:
    span = normalise(raw, arrived_ns=time.time_ns())
    set_cost(span)
    return stored.row_of(project_id, span, digest(span), stored.received_json(raw))


@cache
def _template(number: int) -> list[dict[str, Any]]:
    return tracegen.make_trace(number, seed=3)


@cache
def child(
    template: int, k: int, model: str, prompt: str, state: str
) -> tuple[stored.SpanRow, Span]:
    """Return a span that is not the root, as a row and normalised; the same for like traces."""
    made = _template(template)[k]
    attributes = {
        key: value for key, value in made["attrs"].items()
        if key not in ("session.id", "user.id", "deployment.environment")
    }  # fmt: skip
    name, events, failed = made["name"], [], False
    if model:
        label, _, version = prompt.partition("@")
        provider = PROVIDERS.get(model, "openai")
        attributes |= dict.fromkeys(("llm.provider", "llm.system"), provider)
        attributes |= {"gen_ai.provider.name": provider, "llm.model_name": model,
                       "gen_ai.request.model": model, "gen_ai.response.model": model,
                       "prompt.name": label, "llm.prompt_template.version": version,
                       "gen_ai.response.time_to_first_chunk": 0.2 + template / 100}  # fmt: skip
        name = f"chat {model}"
        if state == "invalid":
            attributes["tracehub.validation_errors"] = BROKEN
        if state == "refused":
            attributes["gen_ai.response.finish_reasons"] = ["content_filter"]
    elif state != "ok":
        failed, events = True, _events("ToolError", made["start"])
    raw = RawSpan(
        f"{1:032x}", f"{ROOT + k:016x}", f"{ROOT:016x}", name, made["start"], made["end"],
        attributes, events, status_code=2 if failed else 1,
        status_message="ToolError: order not found" if failed else "", span_kind=made["otel_kind"],
        resource={"service.name": "support"},
    )  # fmt: skip
    span = normalise(raw, arrived_ns=time.time_ns())
    set_cost(span)
    return stored.row_of(1, span, digest(span), stored.received_json(raw)), span


# When each child starts and how long it takes, as a share of the trace.
_SHARES = {1: (0.01, 0.08), 2: (0.1, 0.3), 3: (0.42, 0.1), 4: (0.55, 0.44)}


def _moved(
    r: random.Random, kept: stored.SpanRow, span: Span, project_id: int, trace_id: UUID,
    at_ns: int, total_ns: int, k: int,
) -> stored.SpanRow:  # fmt: skip
    """Return the row at another time in another trace; a call with tokens and cost of its own."""
    begins, lasts = _SHARES[k]
    start_ns = at_ns + int(total_ns * begins)
    row = kept._replace(
        project_id=project_id,
        trace_id=trace_id,
        started_at=stored.when(start_ns),
        start_ns=start_ns,
        duration_ns=int(total_ns * lasts),
    )
    if span.model is None:
        return row
    given = int(r.lognormvariate(7, 0.8))
    span.start_ns, span.cost = start_ns, None
    span.tokens = Tokens(input=given, output=given // 5, total=given + given // 5)
    set_cost(span)
    return row._replace(
        input_tokens=given,
        output_tokens=given // 5,
        total_tokens=given + given // 5,
        cost=span.cost,
    )


def now() -> datetime:
    return datetime.now(UTC)
