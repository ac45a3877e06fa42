"""`pydantic-evals`: a dataset for `Dataset.from_file`, with each case's assertions as evaluators.

Evaluators by name as in pydantic-evals 2.62; the rest goes through TraceHubAssertion, which is in
the files beside it, since unknown evaluators are errors when the dataset is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tracehub.core.cases import Case
from tracehub.core.exports import python_helper
from tracehub.core.exports.base import Bundle, Format, Part, Tally
from tracehub.core.exports.fields import inputs, meta, to_json
from tracehub.core.exports.yaml_text import flow

_FILES = ("dataset.yaml", "tracehub_assertion.py", "tracehub_checks.py")


def _case(case: Case, tally: Tally) -> dict[str, Any]:
    metadata = {key: value for key, value in meta(case).items() if key != "assertions"}
    expected = case["expected_output"]
    return {
        "name": case["id"],
        "inputs": inputs(case),
        **({} if expected is None else {"expected_output": expected}),
        "metadata": metadata,
        "evaluators": [_evaluator(assertion, tally) for assertion in case["assertions"]],
    }


def _evaluator(assertion: dict[str, Any], tally: Tally) -> dict[str, Any]:
    kind, name = assertion["type"], {"evaluation_name": assertion["id"]}
    quiet = assertion.get("ignore_case", False)
    if kind == "exact" and isinstance(assertion["value"], str) and not quiet:
        return {"Equals": {"value": assertion["value"], **name}}
    if kind == "contains":
        fields = {"case_sensitive": not quiet, "as_strings": True}
        return {"Contains": {"value": assertion["value"], **fields, **name}}
    if kind == "max_latency":
        return {"MaxDuration": {"seconds": assertion["ms"] / 1000}}
    if kind == "llm_rubric":
        rubric: dict[str, Any] = {"rubric": assertion["rubric"], "include_input": True}
        if assertion.get("model"):
            rubric["model"] = assertion["model"]
        # LLMJudge takes no threshold: the judge passes or fails by itself.
        tally.lost["thresholds of rubrics"] += 1
        return {"LLMJudge": rubric}
    tally.helper += 1
    return {"TraceHubAssertion": {"spec": assertion}}


def _dataset(bundle: Bundle, tally: Tally) -> Iterator[bytes]:
    yield f"name: {to_json(f'{bundle.slug}@{bundle.version}')}\ncases:\n".encode()
    for case in bundle.cases:
        tally.cases += 1
        yield f"- {flow(_case(case, tally))}\n".encode()


def _write(bundle: Bundle, tally: Tally) -> Iterator[Part]:
    yield _FILES[0], _dataset(bundle, tally)
    yield _FILES[1], [python_helper.EVALUATOR.encode()]
    yield _FILES[2], [python_helper.CHECKS.encode()]


FORMAT = Format(
    name="pydantic-evals",
    label="Pydantic Evals",
    help="A dataset whose cases carry their evaluators.",
    files=_FILES,
    media_type="application/zip",
    write=_write,
    helper=_FILES[1],
)
