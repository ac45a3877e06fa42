"""What would let through the outputs that newly break a rule: one change of the draft."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from tracehub.core.contracts.checking import Contract
from tracehub.core.contracts.dryrun import Path
from tracehub.core.shape import type_of

Json = Any
MOST = 3  # values or names that one mend adds


@dataclass(frozen=True, slots=True)
class Mend:
    """`Use minimum 0`, and the part of the contract with it: its schema, labels or nulls."""

    title: str
    field: Literal["schema", "labels", "nulls"]
    value: Json

    def applied(self, contract: Contract) -> Contract:
        """Return the contract with the mend in it."""
        changes: dict[str, Json] = {self.field: self.value}
        return replace(contract, **changes)


def of(path: Path, contract: Contract) -> Mend | None:
    """Return the smallest change after which what newly fails at a path passes there, if any."""
    if not path.failing:
        return None
    problem = path.failing[0].problem
    if problem.rule == "label":
        return _label(path, contract)
    if problem.rule == "null":
        nulls = {k: v for k, v in contract.nulls.items() if k != problem.at[0]}
        return Mend("Drop the null rule", "nulls", nulls)
    change = _CHANGES.get(problem.rule)
    if change is None or not isinstance(contract.schema, dict):
        return None
    schema = copy.deepcopy(contract.schema)
    part: Json = schema
    for step in problem.at[:-1]:
        part = part[step]
    title = change(part, path) if isinstance(part, dict) else ""
    return Mend(title, "schema", schema) if title else None


def _label(path: Path, contract: Contract) -> Mend:
    pattern = str(path.failing[0].problem.at[0])
    new = _commonest([hit.problem.value for hit in path.failing])
    labels = {**contract.labels, pattern: [*contract.labels[pattern], *new]}
    return Mend(f"Add {_named(new)}", "labels", labels)


def _limit(part: dict[str, Json], path: Path) -> str:
    """Move a limit to the farthest value that came; one that was excluded may be met."""
    rule = path.rule
    is_low = rule.lower().endswith("minimum") or rule.startswith("min")
    found = [_measure(rule, hit.problem.value) for hit in path.failing]
    wanted = min(found) if is_low else max(found)
    if rule.startswith("exclusive"):
        limit = part.pop(rule)
        commonest = Counter(found).most_common(1)[0][0]
        wanted = limit if commonest == limit else wanted
        rule = "minimum" if is_low else "maximum"
    part[rule] = wanted
    return f"Use {rule} {json.dumps(wanted)}"


def _measure(rule: str, value: Json) -> Json:
    return value if rule.lower().endswith(("minimum", "maximum")) else len(value)


def _enum(part: dict[str, Json], path: Path) -> str:
    new = _commonest([hit.problem.value for hit in path.failing])
    part["enum"] = [*part["enum"], *new]
    return f"Add {_named(new)}"


def _required(part: dict[str, Json], path: Path) -> str:
    name = path.pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
    part["required"] = [one for one in part["required"] if one != name]
    return f"Do not require {name}"


def _type(part: dict[str, Json], path: Path) -> str:
    known = part["type"] if isinstance(part["type"], list) else [part["type"]]
    new = sorted({type_of(hit.problem.value) for hit in path.failing})
    part["type"] = [*known, *new]
    return f"Allow {' and '.join(new)}"


def _unknown(part: dict[str, Json], path: Path) -> str:
    if part["additionalProperties"] is not False:
        return ""
    known = part.setdefault("properties", {})
    names = Counter(name for hit in path.failing for name in hit.problem.value if name not in known)
    new = [name for name, _ in names.most_common(MOST)]
    known.update(dict.fromkeys(new, True))
    return f"Know {_named(new)}" if new else ""


def _commonest(values: Sequence[Json]) -> list[Json]:
    found = Counter(json.dumps(value) for value in values)
    return [json.loads(text) for text, _ in found.most_common(MOST)]


def _named(values: Sequence[Json]) -> str:
    return ", ".join(json.dumps(value, ensure_ascii=False) for value in values)


_CHANGES: dict[str, Callable[[dict[str, Json], Path], str]] = {
    **dict.fromkeys(
        (
            "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength",
            "minItems", "maxItems", "minProperties", "maxProperties",
        ),
        _limit,
    ),
    "enum": _enum,
    "required": _required,
    "type": _type,
    "additionalProperties": _unknown,
}  # fmt: skip
