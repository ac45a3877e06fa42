"""A contract before it is published: which past outputs would newly fail, and which newly pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tracehub.core.contracts.checking import Contract, check
from tracehub.core.grouping.v1 import place_of

Json = Any
EXAMPLES = 3


@dataclass(slots=True)
class Path:
    """One place and rule: how many outputs newly break it, how many no longer do."""

    pointer: str
    rule: str
    newly_fail: int = 0
    newly_pass: int = 0
    examples: list[tuple[Any, str]] = field(default_factory=list)  # what was given, message


@dataclass(slots=True)
class Outcome:
    """The four parts of all outputs, and the paths by how much they change."""

    pass_both: int = 0
    newly_pass: int = 0
    newly_fail: int = 0
    fail_both: int = 0
    paths: list[Path] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.pass_both + self.newly_pass + self.newly_fail + self.fail_both


def compare(old: Contract | None, new: Contract, outputs: Iterable[tuple[Any, Json]]) -> Outcome:
    """Return what a new version changes for these outputs; each comes with what names it.

    Without an old version everything passed before.
    """
    outcome = Outcome()
    paths: dict[tuple[str, str], Path] = {}
    for name, output in outputs:
        before = _broken(old, output) if old is not None else {}
        after = _broken(new, output)
        if after:
            outcome.fail_both += bool(before)
            outcome.newly_fail += not before
        else:
            outcome.newly_pass += bool(before)
            outcome.pass_both += not before
        for place in after.keys() - before.keys():
            path = paths.setdefault(place, Path(*place))
            path.newly_fail += 1
            if len(path.examples) < EXAMPLES:
                path.examples.append((name, after[place]))
        for place in before.keys() - after.keys():
            paths.setdefault(place, Path(*place)).newly_pass += 1
    outcome.paths = sorted(
        paths.values(), key=lambda one: (-one.newly_fail, -one.newly_pass, one.pointer, one.rule)
    )
    return outcome


def _broken(contract: Contract, output: Json) -> dict[tuple[str, str], str]:
    found = check(contract, output)
    return {(place_of(one.pointer), one.rule): one.message for one in reversed(found)}


def infer(outputs: Iterable[Json]) -> dict[str, Json]:
    """Return a draft of a schema that all these values follow: types, and fields always there.

    >>> infer([{"a": 1}, {"a": 2.5, "b": None}])["required"]
    ['a']
    """
    values = list(outputs)
    kinds = Counter(_kind(value) for value in values)
    if kinds["number"] and kinds.pop("integer", 0):
        kinds["number"] += 1
    names = sorted(kinds)
    schema: dict[str, Json] = {"type": names[0] if len(names) == 1 else names} if names else {}
    objects = [value for value in values if isinstance(value, dict)]
    if objects:
        keys = dict.fromkeys(key for value in objects for key in value)
        schema["properties"] = {
            key: infer(value[key] for value in objects if key in value) for key in list(keys)[:100]
        }
        schema["required"] = [key for key in keys if all(key in value for value in objects)]
    items = [item for value in values if isinstance(value, list) for item in value[:50]]
    if items:
        schema["items"] = infer(items)
    return schema


def _kind(value: Json) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "string"
    if isinstance(value, dict):
        return "object"
    if isinstance(value, list):
        return "array"
    return "integer" if isinstance(value, int) else "number"
