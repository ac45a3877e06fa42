"""Which attributes hold input, output or metadata alone, for masking rules that look in one place.

What is not listed may hold anything, so every rule looks through it: retrieved documents, whole
conversations, the name of a span. Masking too much there is the smaller harm.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

PLACES = ("input", "output", "metadata")
ATTRIBUTE = "attributes."  # and a name: a rule that looks in one attribute
# Objects whose keys are looked up here; below any other key nothing is.
CONTAINERS = frozenset(("attributes", "events", "spans", "tool"))
NAMES = {
    **dict.fromkeys(("input", "inputs", "arguments", "trace_input", "parameters"), "input"),
    **dict.fromkeys(("output", "outputs", "result", "trace_output", "tool_calls"), "output"),
    **dict.fromkeys(
        ("metadata", "tags", "session_id", "user_id", "user", "session", "resource"), "metadata"
    ),
}
PREFIXES = {
    "input": (
        "ai.prompt",
        "ai.toolCall.args",
        "ai.toolCall.input",
        "ai.value",
        "gcp.vertex.agent.llm_request",
        "gcp.vertex.agent.tool_call_args",
        "gen_ai.content.prompt",
        "gen_ai.input.",
        "gen_ai.prompt",
        "gen_ai.retrieval.query",
        "gen_ai.system_instructions",
        "gen_ai.tool.args",
        "gen_ai.tool.call.arguments",
        "input.",
        "langfuse.observation.input",
        "langfuse.trace.input",
        "llm.input_messages",
        "llm.prompt_template.variables",
        "mlflow.spanInputs",
        "reranker.query",
        "tool.parameters",
        "traceloop.entity.input",
        "traceloop.prompt.template_variables",
    ),
    "output": (
        "ai.response.",
        "ai.result.",
        "ai.toolCall.output",
        "ai.toolCall.result",
        "gcp.vertex.agent.llm_response",
        "gcp.vertex.agent.tool_response",
        "gen_ai.completion",
        "gen_ai.content.completion",
        "gen_ai.output.",
        "gen_ai.tool.call.result",
        "langfuse.observation.output",
        "langfuse.trace.output",
        "llm.output_messages",
        "mlflow.spanOutputs",
        "output.",
        "traceloop.entity.output",
    ),
    "metadata": (
        "ai.telemetry.metadata",
        "enduser.",
        "langfuse.observation.metadata",
        "langfuse.session",
        "langfuse.tags",
        "langfuse.trace.metadata",
        "langfuse.trace.tags",
        "langfuse.user",
        "langsmith.metadata",
        "metadata.",
        "session.",
        "tag.",
        "traceloop.association.properties",
        "user.",
    ),
}
EVENTS = {
    **dict.fromkeys(
        (
            "gen_ai.system.message",
            "gen_ai.user.message",
            "gen_ai.assistant.message",
            "gen_ai.tool.message",
        ),
        "input",
    ),
    "gen_ai.choice": "output",
}


@lru_cache(maxsize=4_096)
def place_of(key: str) -> str:
    """Return the one place that an attribute or field holds, "" when it may hold anything.

    >>> place_of("llm.input_messages.0.message.content"), place_of("pydantic_ai.all_messages")
    ('input', '')
    """
    named = NAMES.get(key)
    if named is not None:
        return named
    return next((place for place, known in PREFIXES.items() if key.startswith(known)), "")


def place_of_event(value: dict[str, Any]) -> str:
    """Return the place of a GenAI event of a span, "" for any other object."""
    name = value.get("name")
    return EVENTS.get(name, "") if isinstance(name, str) and "attributes" in value else ""
