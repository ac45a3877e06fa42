"""The summary of a support ticket as spans, in the OpenTelemetry GenAI conventions."""

from __future__ import annotations

from typing import Any

from tracehub.cli.demo import words
from tracehub.cli.demo.spans import DemoSpan, DemoTrace, Value, compact
from tracehub.cli.demo.story import Scene

SCOPE = ("opentelemetry.instrumentation.openai_v2", "2.4b0")
RELEASES = {"v4": "1.14.1", "v5": "1.15.0"}
FILLER = (
    "Thank you for your message. I have forwarded it to the station.",
    "Any news? I have been waiting for a week.",
    "We are sorry for the delay and will come back to you shortly.",
    "I attach the receipt and my boarding pass.",
    "Our colleagues at the airport could not find a report under that name.",
    "The report number is {pnr}. I gave it to you on the phone already.",
)


def build(scene: Scene, start_ns: int) -> DemoTrace:
    """Return the trace of one summary that starts at `start_ns`."""
    resource: dict[str, Value] = {
        "service.name": "ticket-summary",
        "service.version": RELEASES[scene.version],
        "deployment.environment.name": scene.environment,
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.language": "python",
    }
    trace = DemoTrace(scene.trace_id, start_ns, scene.random, resource, SCOPE)
    with trace.span("ticket-summary", gen_ai__operation__name="invoke_workflow") as root:
        root.attributes |= {
            "gen_ai.workflow.name": "ticket-summary",
            "gen_ai.conversation.id": f"ticket-{scene.slots['ticket']}",
            "user.id": scene.user,
            "tracehub.input": scene.question,
            "tracehub.cohort": scene.cohort,
            "tracehub.metadata": compact({"ticket": int(scene.slots["ticket"]), "desk": "bags"}),
        }
        mails = _ticket(trace, scene)
        text = _summarise(trace, scene, mails)
        _check(trace, scene)
        root.attributes["tracehub.output"] = text
        root.attributes["tracehub.outcome"] = "answered"
    return trace


def _ticket(trace: DemoTrace, scene: Scene) -> list[str]:
    """The tool span that loads the ticket; returns its mails."""
    fillers = [text.format(**scene.slots) for text in FILLER]
    mails = [scene.history[0][1], *trace.random.sample(fillers, trace.random.randrange(2, 6))]
    with trace.span("get_ticket", gen_ai__operation__name="execute_tool") as span:
        trace.spend(trace.about(0.25))
        span.attributes |= {
            "gen_ai.tool.name": "get_ticket",
            "gen_ai.tool.call.id": f"call_{scene.slots['ticket']}",
            "gen_ai.tool.call.arguments": compact({"ticket": int(scene.slots["ticket"])}),
            "gen_ai.tool.call.result": compact({"subject": scene.question, "messages": mails}),
        }
    return mails


def _summarise(trace: DemoTrace, scene: Scene, mails: list[str]) -> str:
    text = said(scene)
    messages = [_message("user", "\n\n".join([scene.question, *mails]))]
    if scene.has("summary_timeout"):
        with trace.span("summarise") as span:
            _request(span, scene, messages)
            trace.spend(20.0)
            span.fail("APITimeoutError", "Request timed out after 20 s")
    with trace.span("summarise") as span:
        _request(span, scene, messages)
        trace.spend(0.5 + trace.about(2.4 if scene.version == "v5" else 1.6, 0.5))
        reason = "length" if scene.has("truncated") else "stop"
        given = int(trace.about(5200, 0.45))
        answer = _message("assistant", text) | {"finish_reason": reason}
        span.attributes |= {
            "gen_ai.output.messages": compact([answer]),
            "gen_ai.response.model": scene.model,
            "gen_ai.response.id": f"chatcmpl-{trace.random.getrandbits(64):016x}",
            "gen_ai.response.finish_reasons": [reason],
            "gen_ai.usage.input_tokens": given,
            "gen_ai.usage.output_tokens": int(trace.about(130, 0.3)),
            "gen_ai.usage.cache_read.input_tokens": given // 2 // 128 * 128,
        }
    return text


def said(scene: Scene) -> str:
    """Return the summary that the model writes in this scene."""
    if scene.has("omits"):
        return words.SUMMARY_WITHOUT_REQUEST.format(**scene.slots)
    if scene.has("summary_language"):
        return words.SUMMARY_IN_SWEDISH.format(**scene.slots)
    return scene.answer[: len(scene.answer) * 2 // 3] if scene.has("truncated") else scene.answer


def _request(span: DemoSpan, scene: Scene, messages: list[dict[str, Any]]) -> None:
    rules = [{"type": "text", "content": words.SUMMARY_PROMPT[scene.version]}]
    span.attributes |= {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": scene.model,
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.max_tokens": 400,
        "gen_ai.system_instructions": compact(rules),
        "gen_ai.input.messages": compact(messages),
        "gen_ai.prompt.name": "summary",
        "gen_ai.prompt.version": scene.version,
    }


def _message(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": text}]}


def _check(trace: DemoTrace, scene: Scene) -> None:
    near = 0.6 if scene.has("omits", "summary_language", "truncated") else 0.9
    score = round(min(0.99, trace.random.gauss(near, 0.04)), 2)
    with trace.span("summary-check", tracehub__kind="evaluator") as span:
        trace.spend(trace.about(0.3))
        result: dict[str, Value] = {
            "gen_ai.evaluation.name": "completeness",
            "gen_ai.evaluation.score.value": score,
            "gen_ai.evaluation.score.label": "pass" if score >= 0.7 else "low",
        }
        span.events.append(("gen_ai.evaluation.result", -1, result))
