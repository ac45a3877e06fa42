"""Words of a schema that are nearly right: JSON Schema passes over what it does not know."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
# Of draft 2020-12 (core, applicators, validation, annotations), and what other tools write beside.
KEYWORDS = (
    "$schema", "$id", "$ref", "$defs", "$comment", "$anchor", "$dynamicRef", "$dynamicAnchor",
    "$vocabulary", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas",
    "prefixItems", "items", "contains", "properties", "patternProperties", "additionalProperties",
    "propertyNames", "unevaluatedItems", "unevaluatedProperties", "type", "enum", "const",
    "multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum", "maxLength",
    "minLength", "pattern", "maxItems", "minItems", "uniqueItems", "maxContains", "minContains",
    "maxProperties", "minProperties", "required", "dependentRequired", "title", "description",
    "default", "deprecated", "readOnly", "writeOnly", "examples", "format", "contentEncoding",
    "contentMediaType", "contentSchema", "definitions",
)  # fmt: skip
_BESIDE = frozenset({"example", "$recursiveRef", "$recursiveAnchor", "dependencies"})
_LONGEST = 30  # characters of a word that is compared
_CLOSE = 0.8  # share of equal letters, as difflib counts them


def nearest(word: str, among: tuple[str, ...]) -> str | None:
    """Return the valid word that is nearly this one, None when none is.

    >>> nearest("minItem", KEYWORDS), nearest("strng", TYPES), nearest("x-unit", KEYWORDS)
    ('minItems', 'string', None)
    """
    if len(word) > _LONGEST:
        return None
    lower = {one.lower(): one for one in among}
    found = get_close_matches(word.lower(), lower, n=1, cutoff=_CLOSE)
    return lower[found[0]] if found else None


def problem(part: dict[str, Any]) -> tuple[str, str] | None:
    """Return (keyword, what is wrong) of a subschema, None when its words are right or far off."""
    for keyword in part:
        if keyword in KEYWORDS or keyword in _BESIDE:
            continue
        if near := nearest(keyword, KEYWORDS):
            return keyword, f"is no keyword of JSON Schema and would check nothing. Use {near!r}."
    given = part.get("type")
    for one in given if isinstance(given, list) else [given]:
        if isinstance(one, str) and one not in TYPES:
            near = nearest(one, TYPES)
            use = f" Use {near!r}." if near else ""
            return "type", f"must be one of {', '.join(TYPES)}. Got {one[:40]!r}.{use}"
    return None
