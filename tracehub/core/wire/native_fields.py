"""The fields of TraceHub's own JSON: one reader per field, each with an error that can be mended.

A reader takes a value and its path, and returns what the internal records hold.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from tracehub.core.trace import (
    KINDS,
    OUTCOMES,
    Json,
    Prompt,
    Tokens,
    ToolUse,
    ValidationError,
)
from tracehub.core.wire.decoded import shown
from tracehub.core.wire.values import MAX_COST, MAX_COUNT, split_label, version_of

Reader = Callable[[Json, str], Any]
MAX_NAME = 4_000  # characters of names and ids
MAX_MS = 9.2e12  # what a bigint of nanoseconds holds
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TOKEN_NAMES = tuple(field.name for field in fields(Tokens))


class FieldError(ValueError):
    """A field its author can mend: `field` is its path, such as `spans[0].kind`."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field} {message}" if field else message)
        self.field = field
        self.message = message


def reject_unknown(value: dict[str, Json], known: Iterable[str], path: str) -> None:
    """Raise FieldError for the first key that is not known, with the nearest one that is."""
    names = list(known)
    for key in value:
        if key not in names:
            near = difflib.get_close_matches(key[:60], names, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise FieldError(join(path, key[:60]), f"is not a field of a trace.{hint}")


def join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def text(value: Json, path: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > MAX_NAME:
        raise FieldError(path, f"must be text of up to {MAX_NAME} characters. Got {shown(value)}.")
    return value


def any_text(value: Json, path: str) -> str | None:
    """Text of any length, for messages."""
    if value is None or isinstance(value, str):
        return value
    raise FieldError(path, f"must be text. Got {shown(value)}.")


def hexadecimal(digits: int) -> Reader:
    pattern = re.compile(rf"[0-9a-f]{{{digits}}}")

    def read(value: Json, path: str) -> str | None:
        if value is None:
            return None
        lower = value.lower() if isinstance(value, str) else ""
        if not pattern.fullmatch(lower) or not lower.strip("0"):
            raise FieldError(
                path, f"must be {digits} hexadecimal digits, not all 0. Got {shown(value)}."
            )
        return lower

    return read


def choice(*names: str) -> Reader:
    def read(value: Json, path: str) -> str | None:
        if value is not None and value not in names:
            raise FieldError(path, f"must be one of {', '.join(names)}. Got {shown(value)}.")
        return str(value) if value is not None else None

    return read


def time_ns(value: Json, path: str) -> int | None:
    """An ISO 8601 time, UTC when it names no zone, as nanoseconds since 1970."""
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (ValueError, TypeError):
        raise FieldError(
            path, f"must be a time such as 2026-11-24T09:40:12.204113Z. Got {shown(value)}."
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    micros: int
    try:
        delta = moment.astimezone(UTC) - EPOCH
    except OverflowError:  # the zone moves it out of the years 1 to 9999
        delta = EPOCH - EPOCH
    micros = (delta.days * 86_400 + delta.seconds) * 10**6 + delta.microseconds
    if micros <= 0:
        raise FieldError(path, f"must lie after 1970. Got {shown(value)}.")
    return micros * 1000


def milliseconds(value: Json, path: str) -> int | None:
    """A duration in milliseconds as nanoseconds."""
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not 0 <= value <= MAX_MS:
        raise FieldError(path, f"must be a number of milliseconds from 0. Got {shown(value)}.")
    nanoseconds: int = round(value * 1_000_000)
    return nanoseconds


def money(value: Json, path: str) -> Decimal | None:
    """US dollars, as a decimal string or a number."""
    if value is None:
        return None
    try:
        cost = Decimal(str(value)) if isinstance(value, str | int | float) else Decimal("NaN")
    except InvalidOperation:
        cost = Decimal("NaN")
    if isinstance(value, bool) or not cost.is_finite() or not 0 <= cost < MAX_COST:
        raise FieldError(
            path, f"must be US dollars such as 0.0180, from 0 to 100,000. Got {shown(value)}."
        )
    return round(cost, 10)


def an_object(value: Json, path: str) -> dict[str, Json]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise FieldError(path, f"must be an object. Got {shown(value)}.")
    return value


def object_or_none(value: Json, path: str) -> dict[str, Json] | None:
    return None if value is None else an_object(value, path)


def a_list(value: Json, path: str) -> list[Json]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise FieldError(path, f"must be a list. Got {shown(value)}.")
    return value


def texts(value: Json, path: str) -> list[str]:
    items = a_list(value, path)
    for index, item in enumerate(items):
        if not isinstance(item, str):
            raise FieldError(f"{path}[{index}]", f"must be text. Got {shown(item)}.")
    return items


def anything(value: Json, path: str) -> Json:
    return value


def tokens(value: Json, path: str) -> Tokens | None:
    if value is None:
        return None
    counts = an_object(value, path)
    reject_unknown(counts, TOKEN_NAMES, path)
    for name, count in counts.items():
        is_count = isinstance(count, int) and not isinstance(count, bool) and 0 <= count < MAX_COUNT
        if count is not None and not is_count:
            raise FieldError(
                join(path, name), f"must be a whole number from 0. Got {shown(count)}."
            )
    found = Tokens(**counts)
    if found.total is None and (found.input is not None or found.output is not None):
        found.total = (found.input or 0) + (found.output or 0)
    return found


def prompt(value: Json, path: str) -> Prompt | None:
    """`name@version`, or `{"name", "version", "template", "variables"}`."""
    if value is None:
        return None
    if isinstance(value, str):
        return Prompt(*split_label(text(value, path)))
    given = an_object(value, path)
    reject_unknown(given, ("name", "version", "template", "variables"), path)
    return Prompt(
        text(given.get("name"), join(path, "name")),
        text(given.get("version"), join(path, "version")),
        any_text(given.get("template"), join(path, "template")),
        an_object(given.get("variables"), join(path, "variables")),
    )


def tool(value: Json, path: str) -> ToolUse | None:
    if value is None:
        return None
    given = an_object(value, path)
    reject_unknown(
        given, ("name", "version", "call_id", "arguments", "result", "description"), path
    )
    return ToolUse(
        text(given.get("name"), join(path, "name")),
        text(given.get("call_id"), join(path, "call_id")),
        given.get("arguments"),
        given.get("result"),
        any_text(given.get("description"), join(path, "description")),
        version_of(text(given.get("version"), join(path, "version"))),
    )


def validation_errors(value: Json, path: str) -> list[ValidationError]:
    found = []
    for index, item in enumerate(a_list(value, path)):
        place = f"{path}[{index}]"
        given = an_object(item, place)
        reject_unknown(given, ("pointer", "rule", "message"), place)
        found.append(
            ValidationError(
                *(
                    any_text(given.get(n), join(place, n)) or ""
                    for n in ("pointer", "rule", "message")
                )
            )
        )
    return found


def context(value: Json, path: str) -> list[dict[str, Json]]:
    """Documents: `{"id", "content", "score", "metadata"}`, or a text each."""
    found: list[dict[str, Json]] = []
    for index, item in enumerate(a_list(value, path)):
        place = f"{path}[{index}]"
        given = {"content": item} if isinstance(item, str) else an_object(item, place)
        reject_unknown(given, ("id", "content", "score", "metadata"), place)
        score = given.get("score")
        if score is not None and (isinstance(score, bool) or not isinstance(score, int | float)):
            raise FieldError(join(place, "score"), f"must be a number. Got {shown(score)}.")
        found.append(
            {
                "id": text(given.get("id"), join(place, "id")),
                "content": any_text(given.get("content"), join(place, "content")),
                "score": score,
                "metadata": an_object(given.get("metadata"), join(place, "metadata")),
            }
        )
    return found


def events(value: Json, path: str) -> list[dict[str, Json]]:
    """`{"name", "time", "attributes"}`."""
    found: list[dict[str, Json]] = []
    for index, item in enumerate(a_list(value, path)):
        place = f"{path}[{index}]"
        given = an_object(item, place)
        reject_unknown(given, ("name", "time", "attributes"), place)
        found.append(
            {
                "name": text(given.get("name"), join(place, "name")) or "",
                "time_ns": time_ns(given.get("time"), join(place, "time")) or 0,
                "attributes": an_object(given.get("attributes"), join(place, "attributes")),
            }
        )
    return found


# `span_id` and `response_id` stand in what TraceHub itself exports.
_FEEDBACK = ("name", "value", "label", "comment", "source", "id", "at", "span_id", "response_id")


def feedback(value: Json, path: str) -> list[dict[str, Json]]:
    found: list[dict[str, Json]] = []
    for index, item in enumerate(a_list(value, path)):
        place = f"{path}[{index}]"
        given = an_object(item, place)
        reject_unknown(given, _FEEDBACK, place)
        if not text(given.get("name"), join(place, "name")):
            raise FieldError(join(place, "name"), "must name the score. Got nothing.")
        found.append({"label": None, "comment": None, **given})
    return found


def error(value: Json, path: str) -> tuple[str | None, str | None]:
    """Type and message: from `{"type", "message"}`, or a message alone."""
    if isinstance(value, str):
        return None, value
    given = an_object(value, path)
    reject_unknown(given, ("type", "message"), path)
    return (
        text(given.get("type"), join(path, "type")),
        any_text(given.get("message"), join(path, "message")),
    )


kind = choice(*KINDS)
outcome = choice(*OUTCOMES)
status = choice("ok", "error")
trace_id = hexadecimal(32)
span_id = hexadecimal(16)
