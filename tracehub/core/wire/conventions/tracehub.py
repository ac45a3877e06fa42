"""TraceHub's own attributes, for what no convention has; they win over all others.

Documented in docs/sending-traces.md.
"""

from __future__ import annotations

from tracehub.core.trace import KINDS, OUTCOMES, Json
from tracehub.core.wire.attributes import Attributes, Convention, Row
from tracehub.core.wire.found import Found
from tracehub.core.wire.validation import read_errors
from tracehub.core.wire.values import cost_of, object_of, parsed, text_of, texts_of, version_of


def kind_of(value: Json) -> Json:
    return value.lower() if isinstance(value, str) and value.lower() in KINDS else None


def outcome_of(value: Json) -> Json:
    return value.lower() if isinstance(value, str) and value.lower() in OUTCOMES else None


ROWS: tuple[Row, ...] = (
    Row("kind", "tracehub.kind", kind_of),
    Row("cohort", "tracehub.cohort", text_of),
    Row("outcome", "tracehub.outcome", outcome_of),
    Row("prompt_name", "tracehub.prompt.name", text_of),
    Row("prompt_version", "tracehub.prompt.version", text_of),
    Row("prompt_template", "tracehub.prompt.template", text_of),
    Row("prompt_variables", "tracehub.prompt.variables", object_of),
    Row("tool_version", "tracehub.tool.version", version_of),
    Row("output_schema", "tracehub.output_schema", object_of),
    Row("validation_errors", "tracehub.validation_errors", read_errors),
    Row("tags", "tracehub.tags", texts_of),
    Row("metadata", "tracehub.metadata", object_of),
    Row("cost", "tracehub.cost", cost_of),
    Row("input", "tracehub.input", parsed),
    Row("output", "tracehub.output", parsed),
)


def read(span: Attributes) -> Found:
    found = span.take(ROWS)
    if "prompt_name" in found or "prompt_version" in found:
        found["prompt_anywhere"] = True
    return found


CONVENTION = Convention("tracehub", ("tracehub.",), read)
