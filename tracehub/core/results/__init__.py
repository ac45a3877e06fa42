"""Results files of TraceHub and of other tools -> results of a run. One module per format."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from tracehub.core.results import deepeval, inspect_ai, junit, native, promptfoo
from tracehub.core.results.base import ResultsError

__all__ = ["ResultsError", "read"]


def read(body: bytes, cases: Collection[str]) -> list[dict[str, Any]]:
    """Return the results in a file, each with the id of its case in `case`.

    The format is told from the content: JUnit XML, promptfoo's `-o` JSON, a log of Inspect, a test
    run of DeepEval, else the native `results.jsonl`. `cases` are the ids of the set. Raises
    ResultsError, which says where.
    """
    start = body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if start == b"<":
        found = junit.read(body, cases)
    elif inspect_ai.is_it(body):
        found = inspect_ai.read(body, cases)
    elif deepeval.is_it(body):
        found = deepeval.read(body, cases)
    elif promptfoo.is_it(body):
        found = promptfoo.read(body)
    else:
        found = native.read(body)
    unknown = sorted({one["case"] for one in found} - set(cases))
    if unknown:
        raise ResultsError(
            f"The results name {unknown[0][:40]!r}, which is no case of this version. "
            "Name the version that ran, as SET@VERSION."
        )
    if not found:
        raise ResultsError("The file has no results of cases of this set.")
    return found
