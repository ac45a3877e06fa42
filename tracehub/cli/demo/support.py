"""A turn of the airline's support agent as spans, in the OpenInference convention."""

from __future__ import annotations

import random
from typing import Any

from tracehub.cli.demo import words
from tracehub.cli.demo.policies import POLICIES
from tracehub.cli.demo.spans import DemoSpan, DemoTrace, Value, compact
from tracehub.cli.demo.story import Scene
from tracehub.cli.demo.words import Topic

Message = dict[str, Any]
JSON = "application/json"
SCOPE = ("openinference.instrumentation.openai", "0.1.66")
RELEASES = {"v10": "3.8.2", "v11": "3.9.0", "v12": "3.10.0-rc1"}
PROVIDERS = {"mistral-large": "mistralai", "llama-3.3-70b": "groq"}
LLAMA_PRICE = (0.59e-6, 0.79e-6)  # dollars per token, sent with the call: it is self-hosted
FARES = ("2.3.1", "2.4.0")  # versions of the fare rules
FARES_SHARE, FARES_DOWN = 0.2, 0.9  # the newer one: of the calls, and of those that fail
TIMEOUT = 30.0
UNAVAILABLE = "503 Service Unavailable: fare-rules.skylane.example"


def build(scene: Scene, start_ns: int) -> DemoTrace:
    """Return the trace of a turn that starts at `start_ns` (nanoseconds since the epoch)."""
    resource: dict[str, Value] = {
        "service.name": "airline-support",
        "service.version": RELEASES[scene.version],
        "deployment.environment.name": scene.environment,
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.language": "python",
    }
    trace = DemoTrace(scene.trace_id, start_ns, scene.random, resource, SCOPE)
    with trace.span("airline-support", openinference__span__kind="AGENT") as root:
        root.attributes.update(_about(scene))
        _redact(trace, scene)
        _route(trace, scene)
        outcome, output = (
            _agent(trace, scene, scene.topic) if scene.topic else _small_talk(trace, scene)
        )
        root.attributes["tracehub.outcome"] = outcome
        if output is None:
            root.fail("TimeoutError", f"Request timed out after {TIMEOUT:.0f} s")
        else:
            root.attributes["output.value"] = output
            _check(trace, "tone-check", 0.55 if scene.has("tone") else 0.93)
    return trace


def _about(scene: Scene) -> dict[str, Value]:
    tags = list(scene.topic.tags) if scene.topic else []
    if scene.topic and scene.topic.language != "en":
        tags.append(f"lang:{scene.topic.language}")
    if scene.user.endswith(("0", "7")):
        tags.append("vip")
    return {
        "agent.name": "airline-support",
        "input.value": scene.question,
        "session.id": scene.session,
        "user.id": scene.user,
        "tag.tags": tags,
        "metadata": compact({"channel": "chat", "turn": scene.turn, "tenant": 12}),
        "tracehub.cohort": scene.cohort,
    }


def _redact(trace: DemoTrace, scene: Scene) -> None:
    with trace.span("redact-pii", openinference__span__kind="GUARDRAIL") as span:
        trace.spend(trace.about(0.06))
        found = scene.has("card_number")
        verdict: dict[str, Any] = {"passed": not found}
        if found:
            verdict |= {"message": "Card number passed to the model", "score": 0.98}
        span.attributes["input.value"] = scene.question
        span.attributes["output.value"] = compact(verdict)


def _route(trace: DemoTrace, scene: Scene) -> None:
    intent = {"intent": scene.topic.reason if scene.topic else "flight_status", "confidence": 0.94}
    messages: list[Message] = [
        {"role": "system", "content": "Route the customer's message to one of 14 intents. JSON."},
        {"role": "user", "content": scene.question},
    ]
    with trace.span("route-intent") as span:
        _call(trace, span, "gpt-4o-mini", messages, prompt=("route", "v2"), size=(740, 42))
        trace.spend(trace.about(0.48))
        _answer(span, compact(intent))


def _small_talk(trace: DemoTrace, scene: Scene) -> tuple[str, str]:
    if "flight" in scene.answer or scene.slots["flight"] in scene.answer:
        status = {"flight": scene.slots["flight"], "status": "on time", "gate": scene.slots["gate"]}
        _tool(trace, "get_flight_status", {"flight": scene.slots["flight"]}, status, 0.3)
    messages = [
        {"role": "system", "content": "You are Skylane's concierge. Be brief and friendly."},
        *_history(scene),
    ]
    with trace.span("compose-answer") as span:
        _call(trace, span, "gpt-4o-mini", messages, prompt=("answer", "v3"), size=(1900, 70))
        trace.spend(trace.about(1.1, 0.5))
        _answer(span, scene.answer)
    asks = scene.answer.endswith("?")
    return "clarified" if asks else "answered", scene.answer


def _agent(trace: DemoTrace, scene: Scene, topic: Topic) -> tuple[str, str | None]:
    """The refund agent: policies, booking, fare rules, then the answer."""
    output: str | None
    with trace.span("refund-agent", openinference__span__kind="AGENT") as agent:
        agent.attributes["agent.name"] = "refund-agent"
        agent.attributes["input.value"] = scene.question
        documents = _search(trace, scene, topic)
        facts = _facts(trace, scene)
        if facts is None:
            _hand_over(trace, "fare rules are down")
            outcome, output = "escalated", words.BAD_REPLIES["rules_down"]
        else:
            outcome, output = _compose(trace, scene, documents, facts)
        if output is None:
            agent.fail("TimeoutError", f"Request timed out after {TIMEOUT:.0f} s")
            return outcome, None
        agent.attributes["output.value"] = output
    if scene.refund is None and outcome != "escalated":
        _check(trace, "groundedness", 0.58 if scene.has("invented") else 0.9)
    return outcome, output


def _search(trace: DemoTrace, scene: Scene, topic: Topic) -> list[str]:
    """The retriever span; returns the excerpts it found."""
    query = f"{topic.reason.replace('_', ' ')} {'refund' if scene.refund else 'rules'}"
    with trace.span("search-policy", openinference__span__kind="RETRIEVER") as span:
        trace.spend(trace.about(0.31))
        span.attributes["input.value"] = query
        score, excerpts = trace.random.uniform(0.84, 0.95), []
        for n, key in enumerate(() if scene.has("no_documents") else topic.policies):
            title, text = POLICIES[key]
            at = f"retrieval.documents.{n}.document."
            span.attributes[f"{at}id"] = key
            span.attributes[f"{at}score"] = round(score, 2)
            span.attributes[f"{at}content"] = f"{title}\n{text}"
            span.attributes[f"{at}metadata"] = compact({"source": "handbook", "revision": 31})
            excerpts.append(f"[{key}] {title}: {text}")
            score -= trace.random.uniform(0.08, 0.24)
    return excerpts


def _facts(trace: DemoTrace, scene: Scene) -> list[Message] | None:
    """Ask the booking tools; returns the messages that tell of it, None when they stay down."""
    slots, pnr = scene.slots, {"pnr": scene.slots["pnr"]}
    booking = {
        "fare": trace.random.choice(("Flex Plus", "Economy Flex", "Light")),
        "currency": slots["currency"],
        "total": float(slots["amount"]),
        "pax": len(scene.refund["passengers"]) if scene.refund else 1,
        "status": "CNL" if scene.topic and scene.topic.reason == "carrier_cancellation" else "OK",
    }
    asked: list[tuple[str, Any, Any]] = [("get_booking", pnr, booking)]
    _tool(trace, "get_booking", pnr, booking, 0.38)
    if scene.has("loop"):
        for _ in range(trace.random.choice((4, 4, 5))):
            _tool(trace, "find_charge", {"query": "change fee"} | pnr, {"charges": []}, 0.9)
    if scene.refund is not None:
        failures = {"rules_down": 3, "rules_503": 1}.get(scene.trouble.key if scene.trouble else "")
        fares = _fares_version(scene)
        for _ in range(failures or 0):
            _tool(trace, "get_fare_rules", pnr, None, 0.71, error=UNAVAILABLE, version=fares)
        if scene.has("rules_down"):
            return None
        rules = {"refundable": True, "fee": 0, "until": "PT2H", "version": 31}
        _tool(trace, "get_fare_rules", pnr, rules, 0.44, version=fares)
        asked.append(("get_fare_rules", pnr, rules))
    calls = [
        {"id": f"call_{n}", "name": name, "arguments": compact(arguments)}
        for n, (name, arguments, _) in enumerate(asked)
    ]
    told = [
        {"role": "tool", "tool_call_id": f"call_{n}", "content": compact(result)}
        for n, (_, _, result) in enumerate(asked)
    ]
    return [{"role": "assistant", "content": "", "tool_calls": calls}, *told]


def _compose(
    trace: DemoTrace, scene: Scene, documents: list[str], facts: list[Message]
) -> tuple[str, str | None]:
    rules = words.REFUND_PROMPT + words.AMOUNT_LINE[scene.version]
    system = {"role": "system", "content": "\n".join([rules, "Excerpts:", *documents])}
    messages = [system, *_history(scene), *facts]
    model = scene.model
    if scene.has("fallback"):
        with trace.span("compose-refund") as span:
            _call(trace, span, model, messages, prompt=("refund", scene.version), size=None)
            trace.spend(trace.about(0.9))
            span.fail("RateLimitError", "429 Too Many Requests: tokens per minute used up")
        model = "mistral-large" if model != "mistral-large" else "llama-3.3-70b"
    given = said(scene, trace.random)
    output = compact(given)
    for attempt in range(2):
        error = _amount_error(given)
        if not _attempt(trace, scene, model, messages, output, error):
            return "error", None
        if error is None:
            break
        if attempt == 0:
            complaint = f"refund-schema: /refund/amount {error} Answer again with valid JSON."
            messages = [
                *messages,
                {"role": "assistant", "content": output},
                {"role": "user", "content": complaint},
            ]
            if trace.random.random() < 0.4:  # this time it listens
                given = given | {"refund": scene.refund}
                output = compact(given)
    else:
        _hand_over(trace, "refund-schema failed twice")
        return "escalated", output
    outcome = "insufficient" if scene.has("no_documents") else "answered"
    return outcome, output if given["refund"] else given["reply"]


def _attempt(
    trace: DemoTrace,
    scene: Scene,
    model: str,
    messages: list[Message],
    output: str,
    error: str | None,
) -> bool:
    """One call of the model with the check of its answer; False when it ran out of time."""
    v12 = scene.version == "v12"
    with trace.span("compose-refund") as span:
        size = (6100, 420) if v12 else (5500, 400)
        _call(trace, span, model, messages, prompt=("refund", scene.version), size=size)
        if scene.has("timeout"):
            trace.spend(TIMEOUT)
            span.fail("TimeoutError", f"Request timed out after {TIMEOUT:.0f} s")
            return False
        first_token = trace.now_ns + int(trace.about(0.38) * 1e9)
        trace.spend(0.4 + trace.about(1.5 if v12 else 1.25, 0.62))
        span.events.append(("First Token Stream Event", first_token, {}))
        _answer(span, output)
        if error is not None:
            problem = {"pointer": "/refund/amount", "rule": "type", "message": error}
            span.attributes["tracehub.validation_errors"] = compact([problem])
        if scene.refund is not None:
            _schema(trace, output, error)
    return True


def said(scene: Scene, rng: random.Random) -> dict[str, Any]:
    """Return what the model answers in this scene: right, or wrong as its trouble has it."""
    trouble = scene.trouble.key if scene.trouble else ""
    refund = dict(scene.refund) if scene.refund else None
    key = "language_refund" if trouble == "language" and refund else trouble
    reply = words.BAD_REPLIES.get(key, scene.answer).format(**scene.slots)
    if refund and trouble == "amount":
        amount, currency = scene.slots["amount"], refund["currency"]
        comma = amount.replace(".", ",")
        refund["amount"] = rng.choice((f"{amount} {currency}", f"{amount} {currency}", comma))
    elif refund and trouble == "currency":
        refund["currency"] = {"EUR": "euro"}.get(refund["currency"], "kr")
    elif refund and trouble == "scope":
        others = [name for name in words.NAMES if name not in refund["passengers"]]
        refund["passengers"] = [*refund["passengers"], *others[: 4 - len(refund["passengers"])]]
    elif refund and trouble == "rule":
        refund["amount"] = round(refund["amount"] * 0.22, 2)
    elif refund and trouble == "identity":
        refund["method"] = "new_card"
    return {"refund": refund, "reason": scene.topic.reason if scene.topic else "", "reply": reply}


def _amount_error(given: dict[str, Any]) -> str | None:
    amount = given["refund"]["amount"] if given["refund"] else None
    return f'must be number. Got the string "{amount}".' if isinstance(amount, str) else None


def _schema(trace: DemoTrace, output: str, error: str | None) -> None:
    with trace.span("refund-schema", openinference__span__kind="GUARDRAIL") as span:
        trace.spend(trace.about(0.04))
        span.attributes["input.value"] = output
        span.attributes["skylane.schema"] = "refund-reply/3"
        if error is None:
            span.attributes["output.value"] = compact({"passed": True})
        else:
            span.fail("SchemaError", f"/refund/amount {error}")


def _hand_over(trace: DemoTrace, reason: str) -> None:
    _tool(trace, "hand_to_agent", {"team": "refunds", "reason": reason}, {"queue": "tier-2"}, 0.92)


def _check(trace: DemoTrace, name: str, near: float) -> None:
    """An automated judge, whose score is sent as the event of the GenAI conventions."""
    score = round(min(0.99, max(0.0, trace.random.gauss(near, 0.03))), 2)
    with trace.span(name, openinference__span__kind="EVALUATOR") as span:
        trace.spend(trace.about(0.2))
        result: dict[str, Value] = {
            "gen_ai.evaluation.name": name,
            "gen_ai.evaluation.score.value": score,
            "gen_ai.evaluation.score.label": "pass" if score >= 0.7 else "low",
        }
        span.events.append(("gen_ai.evaluation.result", -1, result))


def _fares_version(scene: Scene) -> str:
    """Return which version of the fare rules answers: the newer one is not as steady."""
    share = FARES_DOWN if scene.has("rules_503", "rules_down") else FARES_SHARE
    return FARES[int(scene.trace_id[:2], 16) < 256 * share]


def _tool(
    trace: DemoTrace,
    name: str,
    arguments: Any,
    result: Any,
    seconds: float,
    error: str = "",
    version: str = "1.8.2",
) -> None:
    with trace.span(name, openinference__span__kind="TOOL", tool__name=name) as span:
        trace.spend(trace.about(seconds))
        span.attributes["gen_ai.tool.version"] = version
        span.attributes |= {"input.value": compact(arguments), "input.mime_type": JSON}
        if error:
            span.fail("HTTPStatusError", error)
            span.attributes["http.response.status_code"] = 503
        else:
            span.attributes |= {"output.value": compact(result), "output.mime_type": JSON}


def _history(scene: Scene) -> list[Message]:
    earlier = [{"role": role, "content": text} for role, text in scene.history[-4:]]
    return [*earlier, {"role": "user", "content": scene.question}]


def _call(
    trace: DemoTrace,
    span: DemoSpan,
    model: str,
    messages: list[Message],
    *,
    prompt: tuple[str, str],
    size: tuple[int, int] | None,
) -> None:
    """Write a call's request, and its token counts when it gets an answer (`size` is the usual)."""
    put = span.attributes
    put["openinference.span.kind"] = "LLM"
    put["llm.system"] = put["llm.provider"] = PROVIDERS.get(model, "openai")
    put["llm.model_name"] = model
    parameters = {"model": model, "temperature": 0.2, "max_tokens": 1024}
    put["llm.invocation_parameters"] = compact(parameters)
    put["prompt.id"], put["llm.prompt_template.version"] = prompt
    for n, message in enumerate(messages):
        at = f"llm.input_messages.{n}.message."
        put[f"{at}role"], put[f"{at}content"] = message["role"], message["content"]
        if "tool_call_id" in message:
            put[f"{at}tool_call_id"] = message["tool_call_id"]
        for m, call in enumerate(message.get("tool_calls", ())):
            inner = f"{at}tool_calls.{m}.tool_call."
            put[f"{inner}id"] = call["id"]
            put[f"{inner}function.name"] = call["name"]
            put[f"{inner}function.arguments"] = call["arguments"]
    if size is not None:
        given, made = int(trace.about(size[0], 0.2)), int(trace.about(size[1], 0.25))
        put["llm.token_count.prompt"], put["llm.token_count.completion"] = given, made
        put["llm.token_count.total"] = given + made
        if model == "llama-3.3-70b":
            put["llm.cost.total"] = round(given * LLAMA_PRICE[0] + made * LLAMA_PRICE[1], 8)


def _answer(span: DemoSpan, text: str) -> None:
    span.attributes |= {
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.content": text,
        "llm.finish_reason": "stop",
    }
