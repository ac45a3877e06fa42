"""An output against a contract: what breaks it, where, by which rule, in words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import jsonschema_rs

from tracehub.core.contracts import values
from tracehub.core.contracts.bounds import (
    MAX_COST,
    USUAL_DEPTH,
    Cost,
    compiled,
    pointer_of,
)
from tracehub.core.contracts.problems import MAX_SHOWN, Problem, few, shown
from tracehub.core.trace import Signal, SpanDigest

Json = Any
SAYS_NOTHING = object()  # an output that is no answer, or too long to read
LIMIT = 20  # problems of one output; more say nothing new
MAX_TEXT = 1_000_000  # characters of an output that is checked
MAX_DEPTH = 64  # levels of an output that are counted


@dataclass(slots=True)
class Contract:
    """A published version. `prompt` and `span` say what it is for; the rest as in `values`."""

    label: str  # "refund-reply/3"
    prompt: str | None
    span: str | None
    schema: Json
    labels: dict[str, list[str]] = field(default_factory=dict)
    nulls: dict[str, Json] = field(default_factory=dict)
    escalations: dict[str, list[str]] = field(default_factory=dict)
    validator: jsonschema_rs.Draft202012Validator = field(init=False)
    cost: Cost = field(init=False)

    def __post_init__(self) -> None:
        self.validator = compiled(self.schema)
        self.cost = Cost(self.schema)

    def applies(self, span: SpanDigest) -> bool:
        """Whether the output of this span is under the contract."""
        if self.span is not None and span.name != self.span:
            return False
        if self.prompt is None:
            return self.span is not None
        return span.prompt is not None and span.prompt.partition("@")[0] == self.prompt

    @property
    def wants_text(self) -> bool:
        """Whether a plain text can be right, so that an output need not be JSON."""
        return isinstance(self.schema, dict) and self.schema.get("type") == "string"


def check(contract: Contract, output: Json) -> list[Problem]:
    """Return what breaks the contract, at most LIMIT; nothing for an output that says nothing."""
    value = read(contract, output)
    if isinstance(value, Problem):
        return [value]
    return [] if value is SAYS_NOTHING else broken(contract, value)


def read(contract: Contract, output: Json) -> Json:
    """Return what an output says as JSON: SAYS_NOTHING, or a Problem, where it is none."""
    text = output if isinstance(output, str) else None
    if text is None and isinstance(output, dict) and isinstance(output.get("messages"), list):
        text = answer_text(output["messages"])
        if text is None:
            return SAYS_NOTHING  # calls of tools are no answer yet
    if text is None:
        return output
    if len(text) > MAX_TEXT:
        return SAYS_NOTHING
    if contract.wants_text:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _not_json(text)


def broken(contract: Contract, value: Json) -> list[Problem]:
    """Return what breaks the contract in what `read` gave, at most LIMIT."""
    depth = _depth(value)
    if depth > USUAL_DEPTH and contract.cost.at(depth) > MAX_COST:
        return []
    found = [_problem(contract, value, error) for error in contract.validator.iter_errors(value)]
    found.extend(values.unknown_labels(contract.labels, contract.escalations, value))
    at = {problem.pointer for problem in found}
    nulls = values.wrong_nulls(contract.nulls, value)
    found.extend(problem for problem in nulls if problem.pointer not in at)
    kept = {(p.pointer, p.rule): p for p in reversed(found)}
    return sorted(kept.values(), key=lambda p: (p.pointer, p.rule))[:LIMIT]


def escalates(contract: Contract, output: Json) -> bool:
    """Tell whether an output says, by the contract's escalations, that a person takes over."""
    if not contract.escalations:
        return False
    value = read(contract, output)
    return not isinstance(value, Problem) and values.escalates(contract.escalations, value)


def signals(contract: Contract, span: SpanDigest, output: Json) -> Iterator[Signal]:
    """Yield the signals of an output that breaks its contract."""
    for problem in check(contract, output):
        yield Signal(
            problem.kind,
            problem.message,
            "high",
            span.span_id,
            problem.pointer or None,
            contract.label,
            evidence={"rule": problem.rule, "span": span.name},
        )


def answer_text(messages: Sequence[Json]) -> str | None:
    """Return the text of the last message that has one; None when it only calls tools."""
    for message in reversed(messages):
        content = message.get("content") if isinstance(message, dict) else None
        if not isinstance(content, list):
            continue
        texts = [str(p["text"]) for p in content if isinstance(p, dict) and p.get("text")]
        if texts:
            return "\n".join(texts)
    return None


def _not_json(text: str) -> Problem:
    start = " ".join(text[:200].split())[:MAX_SHOWN]
    fenced = ", inside a code fence" if text.lstrip().startswith("```") else ""
    return Problem("not_json", "", "json", f"The output must be JSON. Got text{fenced}: `{start}`.")


def _depth(value: Json) -> int:
    deepest, level = 0, [value]
    while level and deepest < MAX_DEPTH:
        level = [
            inner
            for item in level
            if isinstance(item, dict | list)
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
        deepest += bool(level)
    return deepest


def _problem(contract: Contract, output: Json, error: jsonschema_rs.ValidationError) -> Problem:
    path = list(error.instance_path)
    kind: Any = error.kind
    rule = kind.name
    value, at = error.instance, tuple(error.schema_path)
    if rule == "required":
        pointer = pointer_of([*path, str(kind.property)])
        return Problem("schema_error", pointer, rule, f"`{pointer}` is required.", value, at)
    pointer = pointer_of(path)
    name = f"`{pointer}`" if pointer else "The output"
    if value is None and rule == "type" and _is_required(contract, error.evaluation_path, path):
        said = f"{name} is required and may not be null."
        return Problem("required_null", pointer, rule, said, value, at)
    said = f"{name} {_demand(rule, error)}. Got {shown(value)}."
    return Problem("schema_error", pointer, rule, said, value, at)


def _is_required(contract: Contract, evaluated: Sequence[str | int], path: list[str | int]) -> bool:
    """Whether the object around a value names it as required: `…/properties/NAME/…/type`."""
    steps = list(evaluated)
    ends = [
        i for i in range(len(steps) - 1) if steps[i] == "properties" and path[-1:] == [steps[i + 1]]
    ]
    if not ends:
        return False
    parent = contract.schema
    for step in steps[: ends[-1]]:
        parent = contract.cost.target(parent["$ref"]) if step == "$ref" else parent[step]
    return path[-1] in parent.get("required", ())


def _demand(rule: str, error: jsonschema_rs.ValidationError) -> str:
    """Return what the rule asks for, as the end of "`/refund/amount` …"."""
    kind: Any = error.kind
    if rule == "type":
        return f"must be {' or '.join(sorted(kind.types, key='null'.__eq__))}"
    if rule == "enum":
        known = [json.dumps(option, ensure_ascii=False) for option in kind.options]
        return f"must be one of {few(known)}"
    if rule in _LIMITS:
        words, name = _LIMITS[rule]
        return words.format(getattr(kind, name))
    if rule == "const":
        return f"must be {json.dumps(kind.expected_value, ensure_ascii=False)[:MAX_SHOWN]}"
    if rule in ("additionalProperties", "unevaluatedProperties"):
        return f"has fields that the contract does not know: {few(list(kind.unexpected))}"
    if rule == "pattern":
        return f"must match {kind.pattern[:MAX_SHOWN]}"
    return _OTHER.get(rule, f"must follow the rule {rule}")


_LIMITS = {
    "minimum": ("must be at least {}", "limit"),
    "maximum": ("must be at most {}", "limit"),
    "exclusiveMinimum": ("must be more than {}", "limit"),
    "exclusiveMaximum": ("must be less than {}", "limit"),
    "minLength": ("must have at least {} characters", "limit"),
    "maxLength": ("may have {} characters at most", "limit"),
    "minItems": ("must have at least {} items", "limit"),
    "maxItems": ("may have {} items at most", "limit"),
    "minProperties": ("must have at least {} fields", "limit"),
    "maxProperties": ("may have {} fields at most", "limit"),
    "multipleOf": ("must be a multiple of {}", "multiple_of"),
}
_OTHER = {
    "anyOf": "must match one of the allowed forms",
    "oneOf": "must match exactly one of the allowed forms",
    "oneOfNotValid": "must match one of the allowed forms",
    "oneOfMultipleValid": "must match exactly one of the allowed forms",
    "not": "has a form that the contract forbids",
    "uniqueItems": "may not hold the same item twice",
    "contains": "must hold an item of the asked form",
    "falseSchema": "may not be there",
}
