"""The assertions of an eval case: their fields, and the patterns that run everywhere."""

from __future__ import annotations

import re
import warnings
from typing import Any

from tracehub.core.shape import Schema, ShapeError, check

_TEXT: Schema = {"type": "string", "minLength": 1, "maxLength": 20_000}
_BOOL: Schema = {"type": "boolean"}
_FIELDS: dict[str, tuple[Schema, tuple[str, ...]]] = {
    "exact": ({"value": {}, "ignore_case": _BOOL}, ("value",)),
    "contains": ({"value": _TEXT, "ignore_case": _BOOL}, ("value",)),
    "not_contains": ({"value": _TEXT, "ignore_case": _BOOL}, ("value",)),
    "regex": (
        {"pattern": {"type": "string", "minLength": 1, "maxLength": 2000}, "ignore_case": _BOOL},
        ("pattern",),
    ),
    "similarity": (
        {
            "value": _TEXT,
            "threshold": {"type": "number", "minimum": 0, "maximum": 1},
            "ignore_case": _BOOL,
        },
        ("value", "threshold"),
    ),
    "json_schema": (
        {
            "schema": {"type": "object"},
            "contract": {"type": ["string", "null"], "maxLength": 300},
        },
        ("schema",),
    ),
    "json_pointer_equals": (
        {"pointer": {"type": "string", "maxLength": 2000}, "value": {}},
        ("pointer", "value"),
    ),
    "tool_called": (
        {
            "name": {"type": "string", "minLength": 1, "maxLength": 300},
            "arguments": {"type": "object"},
            "match": {"enum": ["subset", "exact"]},
        },
        ("name",),
    ),
    "max_calls": (
        {
            "name": {"type": "string", "minLength": 1, "maxLength": 300},
            "count": {"type": "integer", "minimum": 0, "maximum": 10_000},
        },
        ("name", "count"),
    ),
    "cites_document": (
        {"document": {"type": "string", "minLength": 1, "maxLength": 1000}},
        ("document",),
    ),
    "max_cost": (
        {
            "usd": {
                "type": "string",
                "pattern": r"^[0-9]{1,9}(\.[0-9]{1,12})?$",
                "description": "US dollars as a decimal string such as 0.05",
            }
        },
        ("usd",),
    ),
    "max_latency": ({"ms": {"type": "number", "minimum": 0}}, ("ms",)),
    "llm_rubric": (
        {
            "rubric": _TEXT,
            "threshold": {"type": "number", "minimum": 0, "maximum": 1},
            "model": {"type": ["string", "null"], "maxLength": 200},
        },
        ("rubric", "threshold"),
    ),
}
TYPES = tuple(_FIELDS)
MAX_ASSERTIONS = 100
_ID: Schema = {
    "type": "string",
    "pattern": r"^[A-Za-z0-9_-]{1,40}$",
    "description": "letters, digits, - and _, 40 characters at most",
}


def schemas() -> list[Schema]:
    """Return one JSON Schema per type, for the OpenAPI document."""
    return [_schema(kind) for kind in TYPES]


def _schema(kind: str) -> Schema:
    fields, required = _FIELDS[kind]
    return {
        "type": "object",
        "title": kind,
        "properties": {"id": _ID, "type": {"const": kind}, **fields},
        "required": ["type", *required],
        "additionalProperties": False,
    }


def read(items: list[Any], field: str = "assertions") -> list[dict[str, Any]]:
    """Return the assertions with an `id` each, checked. Raises ShapeError.

    >>> read([{"type": "contains", "value": "23 kg"}])
    [{'id': 'a1', 'type': 'contains', 'value': '23 kg'}]
    """
    if len(items) > MAX_ASSERTIONS:
        raise ShapeError(field, f"may have {MAX_ASSERTIONS} items at most. Got {len(items)}.")
    for i, item in enumerate(items):
        _check_one(item, f"{field}[{i}]")
    given = [item["id"] for item in items if "id" in item]
    for i, item in enumerate(items):
        if "id" in item and given.count(item["id"]) > 1:
            raise ShapeError(
                f"{field}[{i}].id", f"must be unique in the case. {item['id']} is there twice."
            )
    free = (f"a{n}" for n in range(1, len(items) + len(given) + 1) if f"a{n}" not in given)
    return [{"id": item["id"] if "id" in item else next(free), **item} for item in items]


def ordered(assertion: dict[str, Any]) -> dict[str, Any]:
    """Return the assertion with its keys in the order of the table above, whatever stored it."""
    fields = _FIELDS[assertion["type"]][0]
    return {key: assertion[key] for key in ("id", "type", *fields) if key in assertion}


def _check_one(item: Any, field: str) -> None:
    check(
        item,
        {"type": "object", "properties": {"type": {"enum": list(TYPES)}}, "required": ["type"]},
        field,
    )
    check(item, _schema(item["type"]), field)
    if "pattern" in item and (complaint := unportable(item["pattern"])):
        raise ShapeError(f"{field}.pattern", complaint)
    if "pointer" in item and not is_pointer(item["pointer"]):
        raise ShapeError(
            f"{field}.pointer",
            f"must be a JSON pointer such as /refund/amount. Got {item['pointer'][:60]!r}.",
        )


def is_pointer(text: str) -> bool:
    """Whether the text is an RFC 6901 JSON pointer; the empty one means the whole value."""
    return re.fullmatch(r"(/([^~/]|~[01])*)*", text, re.DOTALL) is not None


def at_pointer(value: Any, pointer: str) -> Any:
    """Return what the pointer names. Raises LookupError when nothing is there.

    >>> at_pointer({"refund": [{"a/b": 1}]}, "/refund/0/a~1b")
    1
    """
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list):
            if not re.fullmatch(r"0|[1-9][0-9]{0,8}", key):
                raise LookupError(pointer)
            value = value[int(key)]
        elif isinstance(value, dict):
            value = value[key]
        else:
            raise LookupError(pointer)
    return value


_ESCAPES = frozenset("dDwWsSbBnrtfv^$\\.*+?()[]{}|/")
_QUANTIFIER = re.compile(r"\{[0-9]{1,6}(,[0-9]{0,6})?\}")
_HEX = re.compile(r"x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}")
_BACKREFERENCE = re.compile(r"[1-9](?![0-9])")
_GROUPS = ("(?:", "(?=", "(?!", "(?<=", "(?<!")


def unportable(pattern: str) -> str | None:
    """Say why a pattern would not mean the same in Python and in ECMAScript's `u` mode, or None.

    >>> unportable(r"(?i)refund")
    'must run in Python and ECMAScript: (?i is not in both. Use ignore_case for the case.'
    >>> unportable(r"[0-9]{1,3}(?:\\.[0-9]+)? EUR") is None
    True
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return f"must be a regular expression: {error}."
    found = _Scan(pattern).run()
    return f"must run in Python and ECMAScript: {found}" if found else None


class _Scan:
    """One pass over a pattern that Python takes, looking for what ECMAScript reads otherwise."""

    def __init__(self, pattern: str) -> None:
        self.text = pattern
        self.at = 0
        self.groups: list[bool] = []  # for each open group, whether it looks around
        self.after_lookaround = False

    def run(self) -> str | None:
        while self.at < len(self.text):
            after_lookaround, self.after_lookaround = self.after_lookaround, False
            if after_lookaround and self.text[self.at] in "*+?{":
                return "a look-around cannot be repeated."
            if complaint := self._step():
                return complaint
        return None

    def _step(self) -> str | None:
        char = self.text[self.at]
        if char == "\\":
            return self._escape(_ESCAPES)
        if char == "[":
            return self._class()
        if char == "(":
            return self._open()
        if char == ")":
            self.after_lookaround = self.groups.pop() if self.groups else False
        elif char in "*+?{":
            return self._repeat()
        elif char in "]}":
            return f"write \\{char} for a literal {char}."
        self.at += 1
        return None

    def _escape(self, allowed: frozenset[str]) -> str | None:
        self.at += 1
        if match := _HEX.match(self.text, self.at) or (
            _BACKREFERENCE.match(self.text, self.at) if allowed is _ESCAPES else None
        ):
            self.at = match.end()
            return None
        char = self.text[self.at]
        if char not in allowed:
            return f"\\{char} is not in both."
        self.at += 1
        return None

    def _class(self) -> str | None:
        self.at += 1
        if self.text[self.at] == "^":
            self.at += 1
        if self.text[self.at] == "]":
            return "write \\] for a literal ] in a class."
        while self.text[self.at] != "]":
            if self.text[self.at] == "\\":
                if complaint := self._escape((_ESCAPES - {"B"}) | {"-"}):
                    return complaint
            else:
                self.at += 1
        self.at += 1
        return None

    def _open(self) -> str | None:
        opening = next((g for g in _GROUPS if self.text.startswith(g, self.at)), "(")
        if opening == "(" and self.text.startswith("(?", self.at):
            return (
                f"{self.text[self.at : self.at + 3]} is not in both. Use ignore_case for the case."
            )
        self.groups.append(opening not in {"(", "(?:"})
        self.at += len(opening)
        return None

    def _repeat(self) -> str | None:
        if self.text[self.at] == "{":
            match = _QUANTIFIER.match(self.text, self.at)
            if match is None:
                return "write \\{ for a literal {."
            self.at = match.end()
        else:
            self.at += 1
        if self.text.startswith("+", self.at):
            return "possessive repeats are not in both."
        if self.text.startswith("?", self.at):
            self.at += 1
        return None
