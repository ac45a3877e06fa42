"""What a schema may hold: JSON Schema 2020-12 without remote parts, loops or slow patterns.

A contract is checked on every arrival, so a schema whose check could hang the worker, or reach
for the network, is refused when it is saved, with the place and the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import orjson

from tracehub.core.contracts import vocabulary

Json = Any
MAX_BYTES = 256 * 1024
MAX_DEPTH = 40
MAX_PARTS = 5_000  # subschemas
MAX_COST = 20_000  # checks of one value, over all branches
USUAL_DEPTH = 8  # of outputs, for the bound on cost
DIALECTS = (None, "https://json-schema.org/draft/2020-12/schema")

# Keywords whose subschemas see the same value, and those whose see a part of it.
_SAME_ONE = ("not", "if", "then", "else")
_SAME_MANY = ("allOf", "anyOf", "oneOf")
_SAME_NAMED = ("dependentSchemas",)
_PART_ONE = (
    "items", "contains", "additionalProperties", "propertyNames", "unevaluatedItems",
    "unevaluatedProperties",
)  # fmt: skip
_PART_MANY = ("prefixItems",)
_PART_NAMED = ("properties", "patternProperties")
_NAMED_APART = ("$defs", "definitions")
_REFUSED = {
    "$id": "Name parts in $defs and point to them with $ref '#/$defs/NAME'.",
    "$anchor": "Point to parts with $ref '#/$defs/NAME'.",
    "$dynamicRef": "Use $ref '#/$defs/NAME'.",
    "$dynamicAnchor": "Use $defs and $ref.",
    "$recursiveRef": "Use $ref '#'.",
}


class ContractError(ValueError):
    """A contract its author can mend. `field` names the part: `schema`, `labels` and so on."""

    def __init__(self, message: str, field: str = "schema") -> None:
        super().__init__(message)
        self.field = field


def check_draft(schema: Json) -> None:
    """Raise ContractError on what a person wrote: as `check_schema`, and on words nearly right."""
    for path, part in parts(schema):
        if wrong := vocabulary.problem(part):
            raise ContractError(f"{path}{pointer_of([wrong[0][:100]])} {wrong[1]}")
    check_schema(schema)


def check_schema(schema: Json) -> jsonschema_rs.Draft202012Validator:
    """Return the validator of a schema. Raises ContractError for one that may not be used."""
    if not isinstance(schema, dict | bool):
        raise ContractError("schema must be an object, a JSON Schema of draft 2020-12.")
    size = len(orjson.dumps(schema, option=orjson.OPT_NON_STR_KEYS))
    if size > MAX_BYTES:
        raise ContractError(f"schema may have {MAX_BYTES // 1024} KB at most. Got {size // 1024}.")
    if (
        isinstance(schema, dict)
        and str(schema.get("$schema") or DIALECTS[1]).rstrip("#") != (DIALECTS[1])
    ):
        raise ContractError(f"$schema must be {DIALECTS[1]}. Got {str(schema['$schema'])[:100]!r}.")
    _check_parts(schema)
    Cost(schema).check()
    try:
        return compiled(schema)
    except jsonschema_rs.ValidationError as error:
        where = pointer_of(error.instance_path)
        raise ContractError(
            f"schema is not valid at {where or 'its root'}: {error.message}."
        ) from (error)


def compiled(schema: Json) -> jsonschema_rs.Draft202012Validator:
    """Return the validator of a schema that was accepted: linear patterns, no network."""
    return jsonschema_rs.Draft202012Validator(
        schema, pattern_options=jsonschema_rs.RegexOptions(), offline=True
    )


def pointer_of(path: list[str | int]) -> str:
    """Return the RFC 6901 pointer of a path.

    >>> pointer_of(["refund", "a/b", 0])
    '/refund/a~1b/0'
    """
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


def parts(schema: Json, path: str = "", depth: int = 0) -> Iterator[tuple[str, dict[str, Json]]]:
    """Yield every subschema that is an object, with its pointer. Raises ContractError on depth."""
    if depth > MAX_DEPTH:
        raise ContractError(f"schema may nest {MAX_DEPTH} levels at most. See {path[:100]}.")
    if not isinstance(schema, dict):
        return
    yield path, schema
    for keyword, key, inner in _children(schema):
        place = f"{path}{pointer_of([keyword] if key is None else [keyword, key])}"
        yield from parts(inner, place, depth + 1)


def _children(schema: dict[str, Json]) -> Iterator[tuple[str, str | int | None, Json]]:
    for keyword in (*_SAME_ONE, *_PART_ONE):
        if keyword in schema:
            yield keyword, None, schema[keyword]
    for keyword in (*_SAME_MANY, *_PART_MANY):
        if isinstance(schema.get(keyword), list):
            for i, inner in enumerate(schema[keyword]):
                yield keyword, i, inner
    for keyword in (*_SAME_NAMED, *_PART_NAMED, *_NAMED_APART):
        if isinstance(schema.get(keyword), dict):
            for name, inner in schema[keyword].items():
                yield keyword, name, inner


def _check_parts(schema: Json) -> None:
    for count, (path, part) in enumerate(parts(schema), 1):
        if count > MAX_PARTS:
            raise ContractError(f"schema may have {MAX_PARTS:,} parts at most.")
        for keyword, instead in _REFUSED.items():
            if keyword in part and (path or keyword != "$id"):
                raise ContractError(f"{path}/{keyword} is not supported. {instead}")
        ref = part.get("$ref")
        if ref is not None and not (isinstance(ref, str) and (ref == "#" or ref[:2] == "#/")):
            raise ContractError(
                f"{path}/$ref must point into this schema, such as '#/$defs/money'. "
                f"Got {str(ref)[:100]!r}. Nothing is loaded from elsewhere."
            )
        for place, pattern in _patterns(part):
            _check_pattern(f"{path}{place}", pattern)


def _patterns(part: dict[str, Json]) -> Iterator[tuple[str, str]]:
    if isinstance(part.get("pattern"), str):
        yield "/pattern", part["pattern"]
    if isinstance(part.get("patternProperties"), dict):
        for pattern in part["patternProperties"]:
            yield "/patternProperties", pattern


def _check_pattern(place: str, pattern: str) -> None:
    try:
        compiled({"pattern": pattern})
    except jsonschema_rs.ValidationError:
        raise ContractError(
            f"{place} cannot be used: {pattern[:100]!r}. Patterns run in linear time, so they have "
            "no look-ahead, look-behind or back-reference; else it is no regular expression."
        ) from None


class Cost:
    """How often one value may be checked: branches that lead back into themselves multiply."""

    def __init__(self, schema: Json) -> None:
        self.root = schema
        self._known: dict[tuple[int, int], int] = {}
        self._open: set[tuple[int, int]] = set()

    def check(self) -> None:
        """Raise ContractError on a `$ref` loop, a missing part or too many branches."""
        if self.at(USUAL_DEPTH) > MAX_COST:
            raise ContractError(
                f"schema branches into itself so often that one output of {USUAL_DEPTH} levels "
                f"would need more than {MAX_COST:,} checks. Use fewer branches that recur."
            )

    def at(self, depth: int) -> int:
        """Return the most checks that one path of a value of this depth can need, or more."""
        try:
            return self._of(self.root, depth)
        except RecursionError:
            raise ContractError("schema leads from $ref to $ref too often.") from None

    def _of(self, schema: Json, depth: int) -> int:
        if not isinstance(schema, dict) or depth < 0:
            return 1
        key = (id(schema), depth)
        if key in self._known:
            return self._known[key]
        if key in self._open:
            raise ContractError("schema has a $ref that leads back to itself without end.")
        self._open.add(key)
        total = 1
        if isinstance(schema.get("$ref"), str):
            total += self._of(self.target(schema["$ref"]), depth)
        deeper = 0
        for keyword, _, inner in _children(schema):
            if keyword in (*_SAME_ONE, *_SAME_MANY, *_SAME_NAMED):
                total += self._of(inner, depth)
            elif keyword not in _NAMED_APART:
                deeper = max(deeper, self._of(inner, depth - 1))
        self._open.discard(key)
        self._known[key] = min(total + deeper, 1 << 62)
        return self._known[key]

    def target(self, ref: str) -> Json:
        """Return the part that a local `$ref` points to. Raises ContractError."""
        found = self.root
        for part in ref.removeprefix("#").split("/")[1:]:
            part = part.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and part.isdigit() and int(part) < len(found):
                found = found[int(part)]
            elif isinstance(found, dict) and part in found:
                found = found[part]
            else:
                raise ContractError(
                    f"$ref points to {ref[:100]!r}, which the schema does not have."
                )
        return found
