"""JSON Schema 2020-12 -> draft-07, for tools whose validator knows no newer one (promptfoo)."""

from __future__ import annotations

from typing import Any

from tracehub.core.trace import Json

# Keywords that draft-07 cannot say, or whose meaning would change without a word.
_UNKNOWN = frozenset(
    "unevaluatedItems unevaluatedProperties minContains maxContains $anchor $dynamicAnchor "
    "$dynamicRef $recursiveRef $recursiveAnchor $vocabulary contentSchema".split()
)
_SCHEMA = frozenset("not if then else contains propertyNames additionalProperties".split())
_LISTS = frozenset("allOf anyOf oneOf".split())
_MAPS = frozenset("properties patternProperties $defs definitions".split())
# What Ajv's strict mode knows; others are notes, which it would refuse.
_PLAIN = frozenset(
    "$ref $id $comment title description default examples type enum const multipleOf maximum "
    "exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern maxItems minItems "
    "uniqueItems maxProperties minProperties required readOnly writeOnly contentMediaType "
    "contentEncoding".split()
)


class CannotConvert(ValueError):
    """A schema that draft-07 cannot express."""


def convert(schema: Json) -> Json:
    """Return the schema in draft-07. Raises CannotConvert.

    Walks by keyword: below `properties` a key is a name, whatever it looks like.

    >>> convert({"prefixItems": [{"type": "string"}], "items": False})
    {'items': [{'type': 'string'}], 'additionalItems': False}
    """
    if isinstance(schema, bool):
        return schema
    if not isinstance(schema, dict):
        raise CannotConvert("a schema must be an object")
    result: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _UNKNOWN:
            raise CannotConvert(key)
        if key in _MAPS and isinstance(value, dict):
            result[key] = {name: convert(item) for name, item in value.items()}
        elif key in _LISTS and isinstance(value, list):
            result[key] = [convert(item) for item in value]
        elif key in _SCHEMA:
            result[key] = convert(value)
        elif key in _PLAIN:
            result[key] = _plain(key, value)
    return result | _items(schema) | _dependencies(schema)


def _plain(key: str, value: Json) -> Json:
    # A remote schema would be fetched from the CI machine; only references inside are kept.
    if key == "$ref" and not str(value).startswith("#"):
        raise CannotConvert("$ref to another document")
    return value


def _items(schema: dict[str, Any]) -> dict[str, Any]:
    if "prefixItems" in schema:
        pairs: dict[str, Any] = {"items": [convert(item) for item in schema["prefixItems"]]}
        return pairs | ({"additionalItems": convert(schema["items"])} if "items" in schema else {})
    return {"items": convert(schema["items"])} if "items" in schema else {}


def _dependencies(schema: dict[str, Any]) -> dict[str, Any]:
    needs = dict(schema.get("dependentRequired", {}))
    for name, item in schema.get("dependentSchemas", {}).items():
        if name in needs:
            raise CannotConvert("dependentRequired and dependentSchemas of one property")
        needs[name] = convert(item)
    return {"dependencies": needs} if needs else {}
