"""JUnit XML of any tool: the property `tracehub_case`, else a case id in the name of the test."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any
from xml.parsers import expat

from tracehub.core.results.base import ResultsError

_WORD = re.compile(r"[A-Za-z0-9_]+")
_PROBLEMS = {"failure": "failed", "error": "error", "skipped": "skipped"}


def read(body: bytes, cases: Collection[str]) -> list[dict[str, Any]]:
    """Return one result per test case that names a case of the set; other tests are left out."""
    reader = _Reader(frozenset(cases))
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.EntityDeclHandler = _no_entities
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise ResultsError(f"The file is not XML: {error}.") from error
    return reader.found


def _no_entities(*_declaration: object) -> None:
    raise ResultsError("The file declares entities, which JUnit XML has no use for.")


class _Reader:
    """Gathers test cases while the parser walks the file."""

    def __init__(self, cases: frozenset[str]) -> None:
        self.cases = cases
        self.found: list[dict[str, Any]] = []
        self._test: dict[str, str] | None = None
        self._case = ""
        self._problem = ""
        self._words: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "testcase":
            self._test, self._case, self._problem, self._words = attributes, "", "", []
        elif self._test is None:
            return
        elif name == "property" and attributes.get("name") == "tracehub_case":
            self._case = attributes.get("value", "")
        elif name in _PROBLEMS:
            self._problem = _PROBLEMS[name]
            self._words.append(attributes.get("message", ""))

    def text(self, data: str) -> None:
        if self._test is not None and self._problem:
            self._words.append(data)

    def end(self, name: str) -> None:
        if name != "testcase" or self._test is None:
            return
        case = self._case or self._in_name(self._test.get("name", ""))
        if case:
            self.found.append(self._result(case, self._test))
        self._test = None

    def _in_name(self, name: str) -> str:
        return next((word for word in _WORD.findall(name) if word in self.cases), "")

    def _result(self, case: str, test: dict[str, str]) -> dict[str, Any]:
        said = "\n".join(word.strip() for word in self._words if word.strip())[:4000]
        result: dict[str, Any] = {"case": case}
        seconds = test.get("time", "")
        if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", seconds):
            result["latency_ms"] = float(seconds) * 1000
        if self._problem == "error":
            return result | {"error": said or "The test gave an error."}
        if self._problem == "skipped":
            return result | {"skipped": True}
        result["passed"] = not self._problem
        if said:
            line = {"id": "junit", "status": "fail", "message": said}
            result["assertions"] = [line]
        return result
