"""Rules on single values of an output, by JSON pointer: known labels, nulls, escalations.

A pointer may have `*` for every item of a list or field of an object.

Known labels and escalations name texts: `{"/route": ["human", "tier-2"]}`. A null rule is `never`,
or the values elsewhere that excuse it: `{"/refund/amount": {"/reason": ["not_refundable"]}}` lets
the amount be null, or absent, only where the reason is that one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tracehub.core.contracts.bounds import ContractError, pointer_of
from tracehub.core.contracts.problems import Problem, few, shown

Json = Any
NEVER = "never"
Texts = Mapping[str, Sequence[str]]
Nulls = Mapping[str, Json]  # pointer -> NEVER, or pointer -> values
MOST = 100  # pointers of one kind of rule
MOST_VALUES = 1000
LONGEST = 200  # characters of a value
MOST_ITEMS = 1000  # of one list that are looked at
_POINTER = re.compile(r"(/[^/~]*(~[01][^/~]*)*)*")


def check_texts(given: Json, field: str) -> dict[str, list[str]]:
    """Return known labels or escalations by pointer. Raises ContractError naming the field."""
    _check_pointers(given, field, '{"/intent": ["refund", "rebook"]}')
    for pointer, known in given.items():
        if not _values(known) or not all(isinstance(one, str) for one in known):
            raise ContractError(f"{field} of {pointer or 'the output'} must be texts.", field)
    return dict(given)


def check_nulls(given: Json) -> dict[str, Json]:
    """Return null rules by pointer. Raises ContractError."""
    _check_pointers(given, "nulls", '{"/refund/amount": "never"}')
    for pointer, rule in given.items():
        if not pointer:
            raise ContractError("nulls are about a field, such as /amount. Got ''.", "nulls")
        if rule == NEVER:
            continue
        fits = isinstance(rule, dict) and len(rule) == 1
        if not fits or not all(_POINTER.fullmatch(at) and _values(v) for at, v in rule.items()):
            raise ContractError(
                f'nulls of {pointer} must be "never", or one pointer with the values that excuse '
                f'a null, such as {{"/reason": ["not_refundable"]}}.', "nulls"
            )  # fmt: skip
    return dict(given)


def _check_pointers(given: Json, field: str, example: str) -> None:
    if not isinstance(given, dict) or len(given) > MOST:
        raise ContractError(
            f"{field} must be an object of at most {MOST} pointers, such as {example}.", field
        )
    for pointer in given:
        if not _POINTER.fullmatch(pointer):
            raise ContractError(
                f"{field} must go by JSON pointer, such as /intent. Got {pointer[:60]!r}.", field
            )


def _values(given: Json) -> bool:
    return (
        isinstance(given, list)
        and 0 < len(given) <= MOST_VALUES
        and all(isinstance(one, str | int | float | bool | None) for one in given)
        and all(len(one) <= LONGEST for one in given if isinstance(one, str))
    )


def unknown_labels(labels: Texts, escalations: Texts, output: Json) -> Iterator[Problem]:
    """Yield the texts that are not among the labels of their place; escalations are known too."""
    for pattern, known in labels.items():
        also = escalations.get(pattern, ())
        for path, value in _matches(output, _steps(pattern), []):
            if isinstance(value, str) and value not in known and value not in also:
                pointer = pointer_of(path)
                name = f"`{pointer}`" if pointer else "The output"
                said = f"{name} must be a known label: {few(list(known))}. Got {shown(value)}."
                yield Problem("unknown_label", pointer, "label", said, value, (pattern,))


def wrong_nulls(nulls: Nulls, output: Json) -> Iterator[Problem]:
    """Yield the nulls, and fields left out, that a null rule does not excuse."""
    for pattern, rule in nulls.items():
        *above, last = _steps(pattern)
        for path, holder in _matches(output, above, []):
            for name in _empty(holder, last):
                if rule == NEVER:
                    excuse, found = "", None
                else:
                    (other, allowed), *_ = rule.items()
                    found = next((v for _, v in _matches(output, _steps(other), [])), None)
                    if any(_same(found, one) for one in allowed):
                        continue
                    options = few([json.dumps(one, ensure_ascii=False) for one in allowed])
                    excuse = f" unless `{other}` is {options}"
                pointer = pointer_of([*path, name])
                came = "null" if isinstance(holder, list) or name in holder else "nothing"
                said = f"`{pointer}` may not be null{excuse}. Got {came}"
                said += f", and `{other}` is {shown(found)}." if excuse else "."
                yield Problem("required_null", pointer, "null", said, None, (pattern,))


def escalates(escalations: Texts, output: Json) -> bool:
    """Tell whether an output says that a person takes over."""
    return any(
        isinstance(value, str) and value in known
        for pattern, known in escalations.items()
        for _, value in _matches(output, _steps(pattern), [])
    )


def _empty(holder: Json, key: str) -> Iterator[str | int]:
    """Yield the names under which a value is null, or one that is not there."""
    if isinstance(holder, dict):
        names = list(holder) if key == "*" else [key]
        yield from (name for name in names if holder.get(name) is None)
    elif isinstance(holder, list):
        for i, item in enumerate(holder[:MOST_ITEMS]):
            if item is None and key in ("*", str(i)):
                yield i


def _same(one: Json, other: Json) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _steps(pointer: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _matches(value: Json, wanted: list[str], path: list[str | int]) -> Iterator[tuple[Any, Json]]:
    if not wanted:
        yield path, value
        return
    key = wanted[0]
    if isinstance(value, dict):
        names = list(value) if key == "*" else [key] if key in value else []
        for name in names:
            yield from _matches(value[name], wanted[1:], [*path, name])
    elif isinstance(value, list):
        for i, item in enumerate(value[:MOST_ITEMS]):
            if key in ("*", str(i)):
                yield from _matches(item, wanted[1:], [*path, i])
