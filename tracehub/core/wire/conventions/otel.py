"""Plain OpenTelemetry: session, user, exceptions, feature flags, and a few bare names.

What every library sends whatever its own convention is.
"""

from __future__ import annotations

from tracehub.core.trace import Json
from tracehub.core.wire.attributes import Attributes, Convention, Row
from tracehub.core.wire.found import Found
from tracehub.core.wire.validation import read_errors
from tracehub.core.wire.values import first, number_of, text_of

FLAG_EVENTS = frozenset(("feature_flag", "feature_flag.evaluation"))


def session_of(value: Json) -> str | None:
    """A session id; Logfire's scrubber replaces it by a note, which is none."""
    text = text_of(value)
    return None if text is None or text.startswith("[Scrubbed due to") else text


ROWS: tuple[Row, ...] = (
    Row("session", "session.id", session_of),
    Row("session", "langfuse.session.id", session_of),
    Row("user", "user.id", session_of),
    Row("user", "langfuse.user.id", session_of),
    Row("user", "enduser.id", session_of),
    Row("user", "llm.user", session_of),  # LiteLLM, Traceloop
    Row("prompt_name", "prompt.name", text_of),
    Row("prompt_version", "prompt.version", text_of),
    Row("validation_errors", "validation.errors", read_errors),
    Row("error_type", "error.type", text_of),
)


def read(span: Attributes) -> Found:
    found = span.take(ROWS)
    if "session" in found:
        found["session_rank"] = 0
    if flags := _flags(span):
        found["metadata"] = flags
    for event in span.raw.events:
        if event["name"] == "exception":
            _exception(event["attributes"], found)
        elif event["name"] == "gen_ai.evaluation.result":
            found.setdefault("feedback", []).append(_evaluation(event["attributes"]))
    return found


def _exception(attributes: dict[str, Json], found: Found) -> None:
    """The last exception wins."""
    if (kind := text_of(attributes.get("exception.type"))) is not None:
        found["exception_type"] = kind
    if (message := text_of(attributes.get("exception.message"))) is not None:
        found["exception_message"] = message


def _evaluation(attributes: dict[str, Json]) -> dict[str, Json]:
    return {
        "name": text_of(attributes.get("gen_ai.evaluation.name")) or "evaluation",
        "value": number_of(attributes.get("gen_ai.evaluation.score.value")),
        "label": text_of(attributes.get("gen_ai.evaluation.score.label")),
        "comment": text_of(attributes.get("gen_ai.evaluation.explanation")),
        "source": "automated",
        "response_id": text_of(attributes.get("gen_ai.response.id")),
    }


def _flags(span: Attributes) -> dict[str, Json]:
    """`feature_flag.<key>` -> variant, from attributes of the span and from its events."""
    result: dict[str, Json] = {}
    if span.shape.under("feature_flag."):
        _flag(span.values, result)
    for event in span.raw.events:
        if event["name"] in FLAG_EVENTS:
            _flag(event["attributes"], result)
    return result


def _flag(attributes: dict[str, Json], result: dict[str, Json]) -> None:
    variant = first(
        attributes,
        "feature_flag.result.variant",
        "feature_flag.variant",
        "feature_flag.result.value",
        "feature_flag.evaluation.value",
    )
    if (key := text_of(attributes.get("feature_flag.key"))) and variant is not None:
        result[f"feature_flag.{key}"] = variant


CONVENTION = Convention(
    "otel",
    (*{row.key for row in ROWS}, "feature_flag."),
    read,
    events=True,
)
