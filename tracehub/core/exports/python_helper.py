"""The code files of the pytest and pydantic-evals exports: fixed text, never case data."""

from __future__ import annotations

CHECKS = r'''"""Written by TraceHub. Checks one assertion of a case; needs only Python 3.9."""

import json
import re


class CannotCheck(Exception):
    """An assertion for which something is missing: a cost, a schema library, a judge."""


def check(assertion, output, *, tool_calls=(), cost=None, latency_ms=None):
    """Return None when the assertion passes, else a sentence. Raises CannotCheck."""
    return _CHECKS[assertion["type"]](
        assertion, output, {"tool_calls": tool_calls, "cost": cost, "latency_ms": latency_ms}
    )


def _text(output):
    return output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)


def _parsed(output):
    if not isinstance(output, str):
        return output
    try:
        return json.loads(output)
    except ValueError:
        return None


def _equal(a, b):
    """Equality of JSON: 1 equals 1.0, but true is not 1, and the order of keys does not count."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(_equal(x, y) for x, y in zip(a, b))
    return a == b


def _within(part, whole):
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            key in whole and _within(value, whole[key]) for key, value in part.items()
        )
    return _equal(part, whole)


def _exact(a, output, _):
    if not isinstance(a["value"], str):
        return None if _equal(_parsed(output), a["value"]) else "the output is other JSON"
    got, wanted = _text(output), a["value"]
    if a.get("ignore_case"):
        got, wanted = got.casefold(), wanted.casefold()
    return None if got == wanted else "the output is another text"


def _contains(a, output, _):
    got, wanted = _text(output), a["value"]
    if a.get("ignore_case"):
        got, wanted = got.casefold(), wanted.casefold()
    found = wanted in got
    if a["type"] == "contains":
        return None if found else f"{a['value']!r} is not in the output"
    return f"{a['value']!r} is in the output" if found else None


def _regex(a, output, _):
    flags = re.IGNORECASE if a.get("ignore_case") else 0
    found = re.search(a["pattern"], _text(output), flags)
    return None if found else f"the pattern {a['pattern']!r} is not in the output"


def _similarity(a, output, _):
    """Twice the longest common subsequence over both lengths (Hyyrö 2004, by bits)."""
    got, wanted = _text(output)[:50000], a["value"]
    if a.get("ignore_case"):
        got, wanted = got.casefold(), wanted.casefold()
    places, mask = {}, (1 << len(wanted)) - 1
    for i, char in enumerate(wanted):
        places[char] = places.get(char, 0) | (1 << i)
    row = mask
    for char in got:
        hits = row & places.get(char, 0)
        row = ((row + hits) | (row - hits)) & mask
    common = len(wanted) - bin(row).count("1")
    found = 2 * common / (len(got) + len(wanted)) if got or wanted else 1.0
    return None if found >= a["threshold"] else f"it is {found:.2f} similar to the text"


def _json_schema(a, output, _):
    try:
        import jsonschema
    except ImportError as error:
        raise CannotCheck("json_schema needs the package jsonschema") from error
    if isinstance(output, str):
        try:
            output = json.loads(output)
        except ValueError as error:
            return f"the output is not JSON: {error}"
    validator = jsonschema.Draft202012Validator(a["schema"])
    found = next(iter(validator.iter_errors(output)), None)
    return None if found is None else f"{found.json_path}: {found.message}"


def _pointer(a, output, _):
    value = _parsed(output)
    for part in a["pointer"].split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list) and re.fullmatch("0|[1-9][0-9]*", key):
            value = dict(enumerate(value))
            key = int(key)
        if not isinstance(value, dict) or key not in value:
            return f"nothing is at {a['pointer']}"
        value = value[key]
    return None if _equal(value, a["value"]) else f"{a['pointer']} is {value!r}"


def _tool_called(a, _, known):
    wanted = a.get("arguments", {})
    fits = _equal if a.get("match") == "exact" else _within
    for call in known["tool_calls"] or ():
        if call["name"] == a["name"] and fits(wanted, call.get("arguments", {})):
            return None
    return f"{a['name']} was not called like this"


def _max_calls(a, _, known):
    calls = sum(call["name"] == a["name"] for call in known["tool_calls"] or ())
    return None if calls <= a["count"] else f"{a['name']} was called {calls} times"


def _cites(a, output, _):
    value = _parsed(output)
    cited = value.get("citations") if isinstance(value, dict) else None
    for item in cited if isinstance(cited, list) else ():
        if item == a["document"] or (isinstance(item, dict) and item.get("id") == a["document"]):
            return None
    return None if a["document"] in _text(output) else f"{a['document']} is not cited"


def _max_cost(a, _, known):
    if known["cost"] is None:
        raise CannotCheck("the cost is not known")
    return None if known["cost"] <= float(a["usd"]) else f"it cost {known['cost']} dollars"


def _max_latency(a, _, known):
    if known["latency_ms"] is None:
        raise CannotCheck("the latency is not known")
    return None if known["latency_ms"] <= a["ms"] else f"it took {known['latency_ms']} ms"


def _rubric(a, output, known):
    raise CannotCheck("llm_rubric needs a judge")


_CHECKS = {
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
    "llm_rubric": _rubric,
}
'''

PYTEST = r'''"""Written by TraceHub. Runs your program on every case of cases.jsonl.

Define the fixture `tracehub_program` in conftest.py: a function that takes a case (a dict) and
returns its output, or a dict {"output", "tool_calls", "cost", "latency_ms"} with a key "output".
Or set TRACEHUB_COMMAND to a command that reads a case as JSON and writes its output as JSON.
"""

import json
import os
import pathlib
import shlex
import subprocess

import pytest
from tracehub_checks import CannotCheck, check

CASES = [
    json.loads(line)
    for line in pathlib.Path(__file__).with_name("cases.jsonl").read_bytes().split(b"\n")
    if line
]


def _program(request):
    if os.environ.get("TRACEHUB_COMMAND"):
        return _run
    return request.getfixturevalue("tracehub_program")


def _run(case):
    command = shlex.split(os.environ["TRACEHUB_COMMAND"])
    done = subprocess.run(command, input=json.dumps(case).encode(), stdout=-1, check=True)
    return json.loads(done.stdout)


def _parameter(case):
    return pytest.param(case, id=case["id"], marks=getattr(pytest.mark, "tracehub_" + case["kind"]))


@pytest.mark.parametrize("case", [_parameter(case) for case in CASES])
def test_case(case, request, record_property):
    record_property("tracehub_case", case["id"])
    record_property("trace_url", case["source"]["url"] or "")
    got = _program(request)(case)
    known = got if isinstance(got, dict) and "output" in got else {"output": got}
    failures, unchecked = [], []
    for assertion in case["assertions"]:
        try:
            said = check(
                assertion,
                known["output"],
                tool_calls=known.get("tool_calls") or (),
                cost=known.get("cost"),
                latency_ms=known.get("latency_ms"),
            )
        except CannotCheck as error:
            unchecked.append(f"{assertion['id']}: {error}")
        else:
            if said:
                failures.append(f"{assertion['id']} {assertion['type']}: {said}")
    if failures:
        pytest.fail("\n".join(failures), pytrace=False)
    if unchecked:
        pytest.skip("; ".join(unchecked))
'''

PYTEST_INI = """\
[pytest]
junit_family = xunit1
markers =
    tracehub_known_failure: a case that failed before
    tracehub_success: a case that must go on working
    tracehub_risky_edge: a case at an edge that matters
    tracehub_format: a case about the form of the output
"""

EVALUATOR = r'''"""Written by TraceHub. Give `TraceHubAssertion` to `Dataset.from_file`:

    Dataset[dict, object, dict].from_file(
        "dataset.yaml", custom_evaluator_types=[TraceHubAssertion]
    )

For tool calls and cost, your task sets `set_eval_attribute("tool_calls", [...])` and
`increment_eval_metric("cost", 0.01)`.
"""

from dataclasses import dataclass
from typing import Any

from pydantic_evals.evaluators import EvaluationReason, Evaluator, EvaluatorContext
from tracehub_checks import CannotCheck, check


@dataclass
class TraceHubAssertion(Evaluator):
    """Checks one assertion of a TraceHub case; what cannot be checked does not pass."""

    spec: dict[str, Any]

    def get_default_evaluation_name(self) -> str:
        return self.spec["id"]

    def evaluate(self, ctx: EvaluatorContext) -> EvaluationReason:
        try:
            said = check(
                self.spec,
                ctx.output,
                tool_calls=ctx.attributes.get("tool_calls", ()),
                cost=ctx.metrics.get("cost"),
                latency_ms=ctx.duration * 1000,
            )
        except CannotCheck as error:
            said = f"cannot be checked: {error}"
        return EvaluationReason(value=said is None, reason=said)
'''
