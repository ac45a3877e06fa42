"""Tools of one call of a model: what its request offered, and what its answer called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tracehub.core.trace import Json, Span
from tracehub.core.wire.values import parsed

# Where clients put definitions: OTel GenAI, Vercel, MLflow, Logfire, OpenInference, Langfuse.
_ATTRIBUTES = (
    "gen_ai.tool.definitions",
    "ai.prompt.tools",
    "mlflow.chat.tools",
    "model_request_parameters",
    "llm.invocation_parameters",
    "request_data",
    "langfuse.observation.input",
    "input.value",
    "mlflow.spanInputs",
)
_LISTS = ("tools", "functions", "function_tools", "output_tools")
_WRAPPERS = ("function", "tool", "toolSpec", "json_schema")
_SCHEMAS = ("parameters", "input_schema", "inputSchema", "parameters_json_schema", "json_schema")
MOST = 500  # tools of a request


@dataclass(slots=True)
class Offered:
    """Schemas by name, None where the request gave none. `complete`: they are all there is."""

    schemas: dict[str, dict[str, Json] | None] = field(default_factory=dict)
    complete: bool = False


class Call(NamedTuple):
    """A tool that a model asked for."""

    name: str
    arguments: Json


def calls_of(span: Span) -> list[Call]:
    """Return what an answer calls, in order."""
    messages = span.output.get("messages") if isinstance(span.output, dict) else None
    return [
        Call(str(call["name"]), parsed(call.get("arguments")))
        for message in (messages if isinstance(messages, list) else ())
        if isinstance(message, dict)
        for call in message.get("tool_calls") or ()
        if isinstance(call, dict) and call.get("name")
    ]


def offered(span: Span) -> Offered:
    """Return the tools in the request of a call, from wherever its client recorded them."""
    found, nameless = Offered(), False
    for definition in _definitions(span):
        if len(found.schemas) == MOST:
            return Offered(found.schemas)
        name, schema = _read(definition)
        if name:
            found.schemas[name] = schema or found.schemas.get(name)
        else:
            nameless = True
    found.complete = bool(found.schemas) and not nameless
    return found


def _definitions(span: Span) -> Iterator[dict[str, Any]]:
    attributes = span.attributes
    for name in _ATTRIBUTES:
        if name in attributes:
            yield from _listed(parsed(attributes[name]), alone=name in _ATTRIBUTES[:3])
    yield from _listed(span.parameters, alone=False)
    yield from _numbered(attributes)


def _listed(value: Json, *, alone: bool) -> Iterator[dict[str, Any]]:
    """Yield definitions of a list, or of the lists in an object. `alone`: a bare list is one."""
    if isinstance(value, dict):
        for key in _LISTS:
            yield from _listed(parsed(value.get(key)), alone=True)
    elif alone and isinstance(value, list):
        for item in value:
            definition = parsed(item)
            if isinstance(definition, dict):
                yield from _unfolded(definition)


def _unfolded(definition: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the functions of a Gemini tool, which holds a list of them; else the tool itself."""
    for key in ("function_declarations", "functionDeclarations"):
        if isinstance(definition.get(key), list):
            yield from (one for one in definition[key] if isinstance(one, dict))
            return
    yield definition


def _numbered(attributes: dict[str, Json]) -> Iterator[dict[str, Any]]:
    """Yield `llm.tools.0.tool.json_schema` and `llm.request.functions.0.name`, `.parameters`."""
    for number in range(MOST):
        whole = parsed(attributes.get(f"llm.tools.{number}.tool.json_schema"))
        begin = f"llm.request.functions.{number}."
        if isinstance(whole, dict):
            yield whole
        elif f"{begin}name" in attributes:
            schema = parsed(attributes.get(f"{begin}parameters"))
            yield {"name": attributes[f"{begin}name"], "parameters": schema}
        else:
            return


def _read(definition: dict[str, Any]) -> tuple[str, dict[str, Json] | None]:
    """Return name and schema of a definition in the form of any provider."""
    for key in _WRAPPERS:
        inner = parsed(definition.get(key))
        if isinstance(inner, dict) and inner.get("name"):
            return _read(inner)
    name = definition.get("name")
    for key in _SCHEMAS:
        schema = parsed(definition.get(key))
        if isinstance(schema, dict):
            inner = schema.get("json")  # Bedrock
            return str(name or ""), inner if isinstance(inner, dict) else schema
    return str(name or ""), None
