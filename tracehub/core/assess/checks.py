"""One assertion against one answer. Each check is a pure function that says what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

import jsonschema_rs
import re2
from rapidfuzz.distance import Indel

from tracehub.core.assertions import at_pointer
from tracehub.core.trace import Json

MAX_GOT = 300  # characters of what came that a result keeps
MAX_COMPARED = 50_000  # characters of an output that `similarity` looks at
# The score, from 0 to 1, that a judge gives an answer: (rubric, model or None, output text).
Judge = Callable[[str, str | None, str], float]


class CannotCheck(Exception):
    """The answer lacks what the assertion needs, so that it neither passes nor fails."""


class Skipped(Exception):
    """The assertion is left out: there is no judge."""


class Wrong(NamedTuple):
    """What is wrong, as a sentence, and the part of the answer it is about."""

    message: str
    got: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program gave for a case. `cost` is US dollars; what is not known is None."""

    output: Json
    tool_calls: Sequence[Mapping[str, Any]] = ()
    cost: Decimal | None = None
    latency_ms: float | None = None


def check(assertion: Mapping[str, Any], answer: Answer, judge: Judge | None = None) -> Wrong | None:
    """Return what is wrong, None when the assertion passes. Raises CannotCheck and Skipped.

    >>> check({"type": "contains", "value": "23 kg"}, Answer("Up to 20 kg."))
    Wrong(message="'23 kg' is not in the output.", got='Up to 20 kg.')
    """
    if assertion["type"] == "llm_rubric":
        return _rubric(assertion, answer, judge)
    return _CHECKS[assertion["type"]](assertion, answer)


def as_text(value: Json) -> str:
    """Return an output as text: itself, or compact JSON with sorted keys."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def parsed(value: Json) -> Json:
    """Return an output as JSON: itself, or what its text says. Raises ValueError."""
    return json.loads(value) if isinstance(value, str) else value


def equal(one: Json, other: Json) -> bool:
    """Whether two values are the same JSON: 1 equals 1.0, true is not 1, order of keys is free.

    >>> equal({"a": 1, "b": [True]}, {"b": [True], "a": 1.0}), equal(1, True)
    (True, False)
    """
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(one == other)


def _within(part: Json, whole: Json) -> bool:
    """Whether every key of `part` is in `whole` with the same value, at any depth of objects."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            key in whole and _within(value, whole[key]) for key, value in part.items()
        )
    return equal(part, whole)


def _short(value: Json) -> str:
    text = as_text(value)
    return text if len(text) <= MAX_GOT else text[: MAX_GOT - 1] + "…"


def _folded(text: str, assertion: Mapping[str, Any]) -> str:
    return text.casefold() if assertion.get("ignore_case") else text


def _or_none(output: Json) -> Json:
    try:
        return parsed(output)
    except ValueError:
        return None


def _exact(a: Mapping[str, Any], answer: Answer) -> Wrong | None:
    wanted = a["value"]
    if isinstance(wanted, str):
        same = _folded(as_text(answer.output), a) == _folded(wanted, a)
        return None if same else Wrong("The output is another text.", _short(answer.output))
    try:
        same = equal(parsed(answer.output), wanted)
    except ValueError:
        return Wrong("The output is not JSON.", _short(answer.output))
    return None if same else Wrong("The output is other JSON.", _short(answer.output))


def _contains(a: Mapping[str, Any], answer: Answer) -> Wrong | None:
    found = _folded(a["value"], a) in _folded(as_text(answer.output), a)
    if found == (a["type"] == "contains"):
        return None
    word = "is" if found else "is not"
    return Wrong(f"{a['value']!r} {word} in the output.", _short(answer.output))


def _regex(a: Mapping[str, Any], answer: Answer) -> Wrong | None:
    pattern = _compiled(a["pattern"], bool(a.get("ignore_case")))
    if pattern.search(as_text(answer.output)):
        return None
    return Wrong(f"The pattern {a['pattern']} is nowhere in the output.", _short(answer.output))


@lru_cache(maxsize=256)
def _compiled(pattern: str, ignore_case: bool) -> Any:
    options = re2.Options()
    options.case_sensitive = not ignore_case
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise CannotCheck(
            "The pattern has a look-around or a back-reference, which no search in linear time "
            "can check. Write it without."
        ) from error


def _similarity(a: Mapping[str, Any], answer: Answer) -> Wrong | None:
    """Twice the longest common subsequence, over both lengths: 1 for equal texts."""
    got, wanted = _folded(as_text(answer.output), a), _folded(a["value"], a)
    found = Indel.normalized_similarity(got[:MAX_COMPARED], wanted)
    if found >= a["threshold"]:
        return None
    return Wrong(
        f"The output is {found:.2f} similar to the text, {a['threshold']:g} needed.",
        _short(answer.output),
    )


def _json_schema(a: Mapping[str, Any], answer: Answer) -> Wrong | None:
    try:
        value = parsed(answer.output)
    except ValueError:
        return Wrong("The output is not JSON.", _short(answer.output))
    validator = _validator(json.dumps(a["schema"], sort_keys=True))
    found = next(iter(validator.iter_errors(value)), None)
    if found is None:
        return None
    pointer = "".join(f"/{part}" for part in found.instance_path)
    return Wrong(f"{pointer or 'The output'}: {found.message[:MAX_GOT]}", _short(found.instance))


@lru_cache(maxsize=256)
def _validator(schema: str) -> Any:
    def refuse(address: str) -> Any:
        raise ValueError(f"{address[:100]} is outside the schema")

    try:
        return jsonschema_rs.Draft202012Validator(
            json.loads(schema),
            retriever=refuse,
            # The default engine may take exponential time for a hostile pattern.
            pattern_options=jsonschema_rs.RegexOptions(),
        )
    except (jsonschema_rs.ValidationError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise CannotCheck(f"The schema cannot be used: {reason[:MAX_GOT]}") from error


def _pointer(a: Mapping[str, Any], answer: Answer) -> Wrong | None:
    try:
        found = at_pointer(parsed(answer.output), a["pointer"])
    except ValueError:
        return Wrong("The output is not JSON.", _short(answer.output))
    except LookupError:
        return Wrong(f"Nothing is at {a['pointer']}.", "nothing")
    if equal(found, a["value"]):
        return None
    return Wrong(f"{a['pointer'] or 'The output'} must be {_short(a['value'])}.", _short(found))


def _tool_called(a: Mapping[str, Any], answer: Answer) -> Wrong | None:
    fits = equal if a.get("match") == "exact" else _within
    wanted = a.get("arguments", {})
    calls = [call for call in answer.tool_calls if call.get("name") == a["name"]]
    if any(fits(wanted, call.get("arguments", {})) for call in calls):
        return None
    if calls:
        return Wrong(
            f"{a['name']} was called with other arguments.", _short(calls[-1].get("arguments"))
        )
    others = ", ".join(str(call.get("name")) for call in answer.tool_calls)
    return Wrong(f"{a['name']} was not called.", _short(others or "no tool call"))


def _max_calls(a: Mapping[str, Any], answer: Answer) -> Wrong | None:
    calls = sum(call.get("name") == a["name"] for call in answer.tool_calls)
    if calls <= a["count"]:
        return None
    return Wrong(f"{a['name']} was called more than {_times(a['count'])}.", _times(calls))


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _cites(a: Mapping[str, Any], answer: Answer) -> Wrong | None:
    value = _or_none(answer.output)
    cited = value.get("citations") if isinstance(value, dict) else None
    ids = [
        item.get("id") if isinstance(item, dict) else item
        for item in (cited if isinstance(cited, list) else [])
    ]
    if a["document"] in ids or a["document"] in as_text(answer.output):
        return None
    return Wrong(f"{a['document']} is not cited.", _short(", ".join(map(str, ids)) or "none"))


def _max_cost(a: Mapping[str, Any], answer: Answer) -> Wrong | None:
    if answer.cost is None:
        raise CannotCheck("The cost is not known: the program did not say it.")
    if answer.cost <= Decimal(a["usd"]):
        return None
    return Wrong(f"It cost more than ${a['usd']}.", f"${answer.cost:f}")


def _max_latency(a: Mapping[str, Any], answer: Answer) -> Wrong | None:
    if answer.latency_ms is None:
        raise CannotCheck("The latency is not known.")
    if answer.latency_ms <= a["ms"]:
        return None
    return Wrong(f"It took longer than {a['ms']:g} ms.", f"{answer.latency_ms:.0f} ms")


def _rubric(a: Mapping[str, Any], answer: Answer, judge: Judge | None) -> Wrong | None:
    if judge is None:
        raise Skipped("There is no judge: set TRACEHUB_JUDGE_URL and TRACEHUB_JUDGE_MODEL.")
    score = judge(a["rubric"], a.get("model"), as_text(answer.output))
    if score >= a["threshold"]:
        return None
    return Wrong(f"The judge's score is below {a['threshold']:g}.", f"{score:g}")


_CHECKS: dict[str, Callable[[Mapping[str, Any], Answer], Wrong | None]] = {
    "exact": _exact,
    "contains": _contains,
    "not_contains": _contains,
    "regex": _regex,
    "similarity": _similarity,
    "json_schema": _json_schema,
    "json_pointer_equals": _pointer,
    "tool_called": _tool_called,
    "max_calls": _max_calls,
    "cites_document": _cites,
    "max_cost": _max_cost,
    "max_latency": _max_latency,
}
