"""What stands at a path of a dry run, in short: the values, the versions, and one output of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from tracehub.core.contracts.checking import Contract
from tracehub.core.contracts.dryrun import Given, Hit, Path

Json = Any
FEW = 2  # values that are told one by one
MANY = 5  # different numbers, which are told as a range
LONGEST = 40  # characters of a value
Run = tuple[str, bool]  # text, and whether it is the wrong part


def rule_of(path: Path, contract: Contract) -> str:
    """Return a rule with its limit: `exclusiveMinimum 0`, `required`.

    The limit is that of the contract, which is the old one where nothing newly fails.
    """
    hit = next(iter([*path.failing, *path.passing]), None)
    given: Json = contract.schema
    for step in hit.problem.at if hit else ():
        try:
            given = given[step]
        except (KeyError, IndexError, TypeError):
            return path.rule
    is_limit = isinstance(given, int | float) and not isinstance(given, bool)
    return f"{path.rule} {given}" if is_limit else path.rule


def values_of(hits: Sequence[Hit]) -> str:
    """Return what stood there: `0 in 171, -35.0 in 9`, or `absent`.

    >>> values_of([])
    ''
    """
    numbers = [hit.problem.value for hit in hits if _is_number(hit.problem.value)]
    if len(numbers) == len(hits) and len(set(numbers)) > MANY:
        return f"{min(numbers)} to {max(numbers)}"
    found = Counter(_short(hit) for hit in hits)
    if len(found) == 1:
        return next(iter(found))
    told = [f"{value} in {count:,}" for value, count in found.most_common(FEW)]
    more = len(found) - FEW
    return ", ".join(told) + (f" and {more} other value{'s' * (more > 1)}" if more > 0 else "")


def versions_of(hits: Sequence[Hit], outputs: Sequence[Given]) -> str:
    """Return which versions all of them come from, where that sets them apart: `all from v9`."""
    theirs = {outputs[hit.number].version for hit in hits}
    if not hits or len(theirs) > FEW or theirs >= {given.version for given in outputs}:
        return ""
    names = sorted(label.rpartition("@")[2] for label in theirs)
    return f"all from {' and '.join(names)}" if all(names) else ""


def excerpt(hit: Hit, also: str = "") -> list[Run]:
    """Return the branch of an output that leads to what breaks, the rest left out.

    `also` is the pointer of another field to show.

    >>> from tracehub.core.contracts.problems import Problem
    >>> wrong = Problem("schema_error", "/a/b", "minimum", "", 0)
    >>> excerpt(Hit(0, {"a": {"b": 0, "c": 1}, "r": "x"}, wrong), "/r")
    [('"a": { "b": ', False), ('0', True), (', … }, "r": "x"', False)]
    """
    steps = _steps(hit.problem.pointer)
    before, after, value = "", "", hit.value
    for step in steps[:-1]:
        if not isinstance(value, dict | list):
            break
        inner = _at(value, step)
        before += f"{json.dumps(step)}: " if isinstance(value, dict) else ""
        kind = ("{", "}") if isinstance(inner, dict) else ("[", "]")
        more = isinstance(inner, dict | list) and len(inner) > 1
        before += f"{kind[0]} "
        after = f"{', …' * more} {kind[1]}" + after
        value = inner
    wrong = hit.problem.value if steps else hit.value
    if steps and isinstance(value, dict):
        absent = steps[-1] not in value
        before += "" if absent else f"{json.dumps(steps[-1])}: "
        shown = f"no {json.dumps(steps[-1])}" if absent else _json(value[steps[-1]])
    else:
        shown = _json(wrong)
    shared = _at_pointer(hit.value, also) if also else None
    if shared is not None:
        after += f", {json.dumps(_steps(also)[-1])}: {_json(shared)}"
    return [run for run in ((before, False), (shown, True), (after, False)) if run[0]]


def _short(hit: Hit) -> str:
    problem = hit.problem
    if problem.rule == "required":
        return "absent"
    if isinstance(problem.value, list):
        n = len(problem.value)
        return f"list of {n}" if n else "empty list"
    if isinstance(problem.value, dict):
        return "object"
    return _json(problem.value)


def _json(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _steps(pointer: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _at_pointer(value: Json, pointer: str) -> Json:
    for step in _steps(pointer):
        value = _at(value, step)
    return value


def _at(value: Json, step: str) -> Json:
    if isinstance(value, dict):
        return value.get(step)
    if isinstance(value, list) and step.isdigit() and int(step) < len(value):
        return value[int(step)]
    return None
