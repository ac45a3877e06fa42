"""Checks of decoded JSON from outside: bounds first, then a schema in a subset of JSON Schema.

The same schemas are printed in the OpenAPI document, so what is documented is what is checked. The
subset: `type`, `enum`, `const`, `minLength`, `maxLength`, `pattern`, `minimum`, `maximum`, `items`,
`minItems`, `maxItems`, `properties`, `required`, `additionalProperties: false`, `anyOf`.
"""

from __future__ import annotations

import math
import re
from types import NoneType
from typing import Any

MAX_DEPTH = 64
NUL_STAND_IN = "\N{REPLACEMENT CHARACTER}"  # text and jsonb of Postgres hold no NUL
Schema = dict[str, Any]

_NAMES = {
    "object": "an object",
    "array": "a list",
    "string": "text",
    "boolean": "true or false",
    "number": "a number",
    "integer": "a whole number",
    "null": "null",
}
_KINDS = (
    ("null", NoneType), ("boolean", bool), ("integer", int), ("string", str), ("array", list),
    ("object", dict),
)  # fmt: skip


class ShapeError(ValueError):
    """A value its author can mend. `field` is its place, such as `input.messages[0].role`."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field or 'the body'} {message}")
        self.field = field


def clean(value: Any, *, max_depth: int = MAX_DEPTH) -> Any:
    """Return the value with every NUL replaced by U+FFFD, for all to see. Raises ShapeError.

    Refused are nesting beyond `max_depth` and numbers that are not finite (`1e999`).

    >>> clean({"a": "x\\x00"})
    {'a': 'x�'}
    """
    return _clean(value, "", max_depth)


def _clean(value: Any, field: str, depth: int) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", NUL_STAND_IN)
    if isinstance(value, float) and not math.isfinite(value):
        raise ShapeError(field, "must be a finite number.")
    if not isinstance(value, dict | list):
        return value
    if depth == 0:
        raise ShapeError("", f"may nest {MAX_DEPTH} levels at most.")
    if isinstance(value, list):
        return [_clean(item, f"{field}[{i}]", depth - 1) for i, item in enumerate(value)]
    return {
        _clean(key, field, depth): _clean(item, _join(field, key), depth - 1)
        for key, item in value.items()
    }


def check(value: Any, schema: Schema, field: str = "") -> None:
    """Raise ShapeError at the first place where `value` does not follow `schema`."""
    if "anyOf" in schema:
        _check_any(value, schema["anyOf"], field)
        return
    _check_type(value, schema, field)
    if "enum" in schema and value not in schema["enum"]:
        choices = ", ".join(str(choice) for choice in schema["enum"] if choice is not None)
        raise ShapeError(field, f"must be one of {choices}. Got {shown(value)}.")
    if "const" in schema and value != schema["const"]:
        raise ShapeError(field, f"must be {shown(schema['const'])}. Got {shown(value)}.")
    if isinstance(value, str):
        _check_text(value, schema, field)
    elif isinstance(value, list):
        _check_list(value, schema, field)
    elif isinstance(value, dict):
        _check_object(value, schema, field)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _check_number(value, schema, field)


def shown(value: Any) -> str:
    """What came, short and on one line, for a sentence.

    >>> shown("x" * 100)
    "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…'"
    """
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else value[:40] + "…")
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)[:40]


def _check_any(value: Any, schemas: list[Schema], field: str) -> None:
    """Take the first schema that fits; else report the one of the same JSON type."""
    errors = []
    for schema in schemas:
        try:
            check(value, schema, field)
        except ShapeError as error:
            errors.append((not _fits(value, _types(schema)), error))
        else:
            return
    raise min(errors, key=lambda pair: pair[0])[1]


def _types(schema: Schema) -> list[str]:
    types = schema.get("type", list(_NAMES))
    return [types] if isinstance(types, str) else types


def _fits(value: Any, types: list[str]) -> bool:
    name = type_of(value)
    return name in types or (name == "integer" and "number" in types)


def type_of(value: Any) -> str:
    """Return the narrowest type of JSON Schema that a decoded value has.

    >>> [type_of(value) for value in (None, True, 1, 1.5, "a", [], {})]
    ['null', 'boolean', 'integer', 'number', 'string', 'array', 'object']
    """
    if value is None:
        return "null"
    kinds = (
        ("boolean", bool),
        ("integer", int),
        ("string", str),
        ("array", list),
        ("object", dict),
    )
    return next((name for name, kind in kinds if isinstance(value, kind)), "number")


def _check_type(value: Any, schema: Schema, field: str) -> None:
    types = _types(schema)
    if not _fits(value, types):
        wanted = " or ".join(_NAMES[name] for name in types)
        raise ShapeError(field, f"must be {wanted}. Got {shown(value)}.")


def _check_text(value: str, schema: Schema, field: str) -> None:
    if len(value) < schema.get("minLength", 0):
        raise ShapeError(field, "may not be empty.")
    if len(value) > schema.get("maxLength", math.inf):
        limit = schema["maxLength"]
        raise ShapeError(field, f"may have {limit} characters at most. Got {len(value)}.")
    # `$` is the end in JSON Schema; in Python it would let a line break follow.
    if "pattern" in schema and not re.search(re.sub(r"\$$", r"\\Z", schema["pattern"]), value):
        rule = schema.get("description", f"must match {schema['pattern']}")
        raise ShapeError(field, f"is not right: {rule}. Got {shown(value)}.")


def _check_number(value: float, schema: Schema, field: str) -> None:
    low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    if not low <= value <= high:
        bound = f"at least {low}" if value < low else f"at most {high}"
        raise ShapeError(field, f"must be {bound}. Got {value}.")


def _check_list(value: list[Any], schema: Schema, field: str) -> None:
    if len(value) < schema.get("minItems", 0):
        raise ShapeError(field, "may not be empty.")
    if len(value) > schema.get("maxItems", math.inf):
        limit = schema["maxItems"]
        raise ShapeError(field, f"may have {limit} items at most. Got {len(value)}.")
    if "items" in schema:
        for i, item in enumerate(value):
            check(item, schema["items"], f"{field}[{i}]")


def _check_object(value: dict[str, Any], schema: Schema, field: str) -> None:
    known: Schema = schema.get("properties", {})
    if schema.get("additionalProperties") is False:
        for key in value:
            if key not in known:
                names = ", ".join(sorted(known)) or "none"
                raise ShapeError(
                    _join(field, key[:60]), f"is not a known field. Known fields: {names}."
                )
    for key in schema.get("required", ()):
        if key not in value:
            raise ShapeError(_join(field, key), "is required.")
    for key, item in value.items():
        if key in known:
            check(item, known[key], _join(field, key))


def _join(field: str, key: str) -> str:
    return f"{field}.{key}" if field else key
