"""Validation errors that a sender reported: lists, Pydantic's and jsonschema's texts.

Sources: https://docs.pydantic.dev/latest/errors/, jsonschema's ValidationError.__str__.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice

from tracehub.core.trace import Json, ValidationError
from tracehub.core.wire.values import parsed, text_of

MAX_TEXT = 20_000  # characters of an exception that are searched
MAX_ERRORS = 100
MAX_STARTS = 5  # places where a JSON list may begin that are tried
LIST = re.compile(r"\[\s*\{")
PLACES = ("pointer", "loc", "path", "instancePath")
RULES = ("rule", "type", "keyword", "code")
TRACEBACK = "Traceback (most recent call last):"
HEADER = re.compile(r"\d+ validation errors?(?: for [^\n]*)?:?\n")
DETAIL = re.compile(r" +(.*) \[type=(\w+)(?:,.*)?\]\s*")
SCHEMA_RULE = re.compile(r"Failed validating '([^']+)' in schema")
SCHEMA_PLACE = re.compile(r"On (?:instance|[\w.]+?)((?:\[[^\]\n]*\])*):")
STEP = re.compile(r"\[(?:'([^']*)'|\"([^\"]*)\"|(\d+))\]")
# Last part of the class names of exceptions that say "the output was not what was asked for".
EXCEPTIONS = frozenset(
    (
        "ValidationError",
        "OutputParserException",
        "AI_NoObjectGeneratedError",
        "AI_TypeValidationError",
        "AI_JSONParseError",
        "AI_InvalidToolArgumentsError",
        "AI_InvalidToolInputError",
        "AdapterParseError",
        "ModelRetry",
        "ToolRetryError",
        "UnexpectedModelBehavior",
        "InstructorRetryException",
        "IncompleteOutputException",
        "StructuredOutputValidationError",
        "JsonSchemaException",
        "SchemaError",
        "ZodError",
    )
)


def read_errors(value: Json) -> list[ValidationError] | None:
    """Errors from a list of `{pointer, rule, message}`, or of Pydantic's `{type, loc, msg}`.

    None when there is no such list; other shapes are left in the attributes.
    """
    value = parsed(value)
    items = value if isinstance(value, list) else [value]
    found = [error for item in items[:MAX_ERRORS] if (error := _read_error(item)) is not None]
    return found or None


def _read_error(item: Json) -> ValidationError | None:
    if isinstance(item, str) and item:
        return ValidationError("", "", item)
    if not isinstance(item, dict):
        return None
    place = next((item[key] for key in PLACES if item.get(key) is not None), None)
    place = pointer_of(place) if isinstance(place, list | tuple) else text_of(place) or ""
    message = text_of(item.get("message", item.get("msg")))
    rule = text_of(next((item[key] for key in RULES if item.get(key) is not None), None)) or ""
    return ValidationError(place, rule, message or "") if message or place else None


def pointer_of(steps: Iterable[Json]) -> str:
    """RFC 6901 pointer of a path.

    >>> pointer_of(["items", 0, "a/b"])
    '/items/0/a~1b'
    """
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)


def is_validation_exception(error_type: str | None) -> bool:
    """Whether an exception's class means that an output broke a schema."""
    return error_type is not None and error_type.rpartition(".")[2] in EXCEPTIONS


def errors_of_exception(message: str) -> list[ValidationError]:
    """Errors told by the text of a validation exception; at least one, with the text itself."""
    text = message[:MAX_TEXT]
    return told_errors(text) or [ValidationError("", "", text.strip())]


def told_errors(text: str) -> list[ValidationError]:
    """Errors that a text tells in the words of a known library; none if it has no such words.

    That is how the model hears of them: pydantic-ai's and Instructor's request to try again, the
    answer to a tool call whose arguments were invalid.
    """
    if "alidat" not in text and "error" not in text and '"msg"' not in text:
        return []
    return _pydantic(text) or _jsonschema(text) or listed_errors(text)


def _pydantic(text: str) -> list[ValidationError]:
    header = HEADER.search(text)
    if header is None:
        return []
    found: list[ValidationError] = []
    place = ""
    for line in text[header.end() :].split("\n"):
        if line == TRACEBACK:  # which says it all once more
            break
        if line[:1] not in ("", " "):
            place = line
        elif (detail := DETAIL.fullmatch(line)) is not None and len(found) < MAX_ERRORS:
            steps = place.split(".") if place and place != "__root__" else []
            found.append(ValidationError(pointer_of(steps), detail[2], detail[1]))
            place = ""
    return found


def _jsonschema(text: str) -> list[ValidationError]:
    rule = SCHEMA_RULE.search(text)
    if rule is None:
        return []
    place = SCHEMA_PLACE.search(text, rule.end())
    steps = (
        [step[1] or step[2] or step[3] or "" for step in STEP.finditer(place[1])] if place else []
    )
    return [ValidationError(pointer_of(steps), rule[1], text.partition("\n")[0])]


def listed_errors(text: str) -> list[ValidationError]:
    """Pydantic's or Zod's JSON list of errors inside a text; none if absent."""
    if not ('"loc"' in text and '"msg"' in text) and not ('"path"' in text and '"code"' in text):
        return []
    end = text.rfind("]")
    for match in islice(LIST.finditer(text, 0, end), MAX_STARTS):
        value = parsed(text[match.start() : end + 1])
        if isinstance(value, list):
            told = [item for item in value if isinstance(item, dict) and "loc" in item]
            told = told or [
                i for i in value if isinstance(i, dict) and {"path", "code"} <= i.keys()
            ]
            return read_errors(told) or []
    return []
