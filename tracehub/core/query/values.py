"""What stands after the colon: text with wildcards, choices, amounts with their units."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Literal, cast

from rapidfuzz import process

from tracehub.core.query import keys
from tracehub.core.query.attributes import untold
from tracehub.core.query.errors import FilterError
from tracehub.core.query.keys import NO_KEYS, Key
from tracehub.core.query.tree import (
    Absent,
    Amount,
    Between,
    Compared,
    Comparison,
    Pattern,
    Term,
    Value,
    quote,
)

MAX_WILDCARDS = 3  # in one value: more are slow and hardly ever meant
# What a unit is in the base unit of its type: nanoseconds, dollars, ones.
_UNITS: dict[str, dict[str, Decimal]] = {
    "duration": {
        "us": Decimal(1_000),
        "ms": Decimal(1_000_000),
        "s": Decimal(10**9),
        "m": Decimal(60 * 10**9),
        "h": Decimal(3600 * 10**9),
    },
    "money": {"": Decimal(1)},
    "count": {"": Decimal(1), "k": Decimal(1000), "M": Decimal(10**6)},
    "score": {"": Decimal(1)},
}
_LIKELY_UNITS = {"sec": "s", "min": "m", "millis": "ms", "micro": "us", "hour": "h", "kilo": "k"}
_EXAMPLES = {
    "duration": "a duration such as 5s or 800ms",
    "money": "an amount in US dollars such as 0.03",
    "count": "a number such as 500 or 10k",
    "score": "a number such as 0.5 or -1",
}
_AMOUNT = re.compile(r"\$?(-?[0-9]{1,12}(?:\.[0-9]{1,10})?)\s*([A-Za-zµ]*)")
_PIECES = re.compile(r'"(?:[^"\\]|\\.)*"|[^",]+|,', re.DOTALL)
_SCORE_CUTOFF = 60  # of 100: below it a suggestion is a guess


def unquote(text: str) -> str:
    """Return what a quoted string says.

    >>> unquote('"say \\\\"no\\\\""')
    'say "no"'
    """
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)


def read_term(text: str, start: int, more: Mapping[str, Key] = NO_KEYS) -> Term:
    """Return the term `key:a,b` that begins at `start` of the filter. Raises FilterError."""
    name, _, rest = text.partition(":")
    key = more.get(name.lower()) or _find_key(name, start, more)
    at = start + len(name) + 1
    values: list[Value] = []
    for raw in _split(rest):
        values.append(_read_value(key, raw, at))
        at += len(raw) + 1
    return Term(key.name, tuple(values), start, start + len(text))


def nearest(word: str, known: Sequence[str]) -> str | None:
    """Return the likeliest of `known` for a mistyped or partial `word`, or None.

    >>> nearest("latncy", ("mode", "latency")), nearest("grounding", ("slow", "low_grounding"))
    ('latency', 'low_grounding')
    """
    found = process.extractOne(word, known, score_cutoff=_SCORE_CUTOFF)
    return found[0] if found else None


def _find_key(name: str, start: int, more: Mapping[str, Key]) -> Key:
    end = start + len(name)
    if key := keys.find(name) or keys.find(name.lower()):
        if key.type == "attribute":
            _check_length(key.name.removeprefix(keys.ATTR), start, end)
        return key
    if example := keys.NAMED.get(f"{name.removesuffix('.')}."):
        raise FilterError(start, end, f"{name} needs a name after the dot, such as {example}.")
    near = nearest(name.lower(), [*keys.KEYS, *more])
    hint = f"Did you mean {near}?" if near else "For text with a colon, put it in quotes."
    raise FilterError(start, end, f"There is no key {name!r}. {hint}", near)


def _split(rest: str) -> list[str]:
    """Return the values between commas, as written; commas in quotes do not separate."""
    values = [""]
    for piece in _PIECES.findall(rest):
        if piece == ",":
            values.append("")
        else:
            values[-1] += piece
    return values


def _read_value(key: Key, raw: str, at: int) -> Value:
    end = at + len(raw)
    if not raw:
        raise FilterError(
            max(0, at - 1), end, f"{key.name} needs a value right after the colon or comma."
        )
    if raw == "none" and key.optional:
        return Absent()
    if key.type in _UNITS:
        return _read_number(key, raw, at)
    if raw[0] in "<>=":
        fixed = quote(raw)
        raise FilterError(at, end, f"{key.name} takes no comparison. Got {raw!r}.", fixed)
    pattern = _read_pattern(key, raw, at)
    if key.type == "attribute":
        _check_length("".join(pattern.parts), at, end)
        _check_told(key.name, "".join(pattern.parts), at, end)
    if key.type == "choice":
        return _read_choice(key, pattern, at, end)
    if key.type == "id":
        return _read_id(key, pattern, at, end)
    if key.type == "group":
        return _read_group(key, pattern, at, end)
    if key.type == "words" and not "".join(pattern.parts).strip():
        raise FilterError(at, end, f"{key.name} needs some text.")
    return pattern


def _check_length(text: str, at: int, end: int) -> None:
    """Refuse what no attribute in the index can be: better than finding nothing without a word."""
    most = keys.LONGEST_ATTRIBUTE
    if len(text) > most:
        message = f"Attributes are found by up to {most} characters. Got {len(text)}."
        raise FilterError(at, end, f"{message} Search long texts with input: or output:.")


def _check_told(name: str, text: str, at: int, end: int) -> None:
    """Refuse a value of an attribute that is found by its key alone."""
    if text and untold(name.removeprefix(keys.ATTR), text):
        message = f"{name} is found by its key alone, as {name}:*. Got {text[:40]!r}."
        raise FilterError(at, end, f"{message} Search what was said with input: or output:.")


def _read_pattern(key: Key, raw: str, at: int) -> Pattern:
    parts = [""]
    for piece in re.findall(r'"(?:[^"\\]|\\.)*"|\*|[^"*]+', raw, re.DOTALL):
        if piece == "*":
            parts.append("")
        else:
            parts[-1] += unquote(piece) if piece[0] == '"' else piece
    if len(parts) - 1 > MAX_WILDCARDS:
        message = f"A value of {key.name} has at most {MAX_WILDCARDS} wildcards. Got {raw[:60]!r}."
        raise FilterError(at, at + len(raw), message)
    return Pattern(tuple(parts))


def _read_choice(key: Key, pattern: Pattern, at: int, end: int) -> Pattern:
    wanted = pattern.parts[0]
    if len(pattern.parts) > 1:
        form = re.compile(".*".join(map(re.escape, pattern.parts)), re.IGNORECASE)
        if any(form.fullmatch(choice) for choice in key.choices):
            return Pattern(tuple(part.lower() for part in pattern.parts))
    elif key.name == "signal" and wanted.startswith("custom:"):
        return pattern
    else:
        low = wanted.lower()
        if low in key.choices:
            return Pattern((low,))
        begun = [choice for choice in key.choices if low and choice.startswith(low)]
        if len(begun) == 1:
            return Pattern((begun[0],))
        if begun:
            message = f"{key.name}:{wanted} could be {' or '.join(begun)}."
            raise FilterError(at, end, message, f"{wanted}*")
    shown = "*".join(pattern.parts)
    listed = ", ".join(key.choices[:10]) + (" …" if len(key.choices) > 10 else "")
    near = nearest(shown.lower(), key.choices)
    raise FilterError(at, end, f"{key.name} must be one of {listed}. Got {shown[:60]!r}.", near)


def _read_id(key: Key, pattern: Pattern, at: int, end: int) -> Pattern:
    digits = pattern.parts[0].replace("-", "").lower()
    prefix = len(pattern.parts) == 2 and not pattern.parts[1] and 0 < len(digits) < 32
    whole = len(pattern.parts) == 1 and len(digits) == 32
    if re.fullmatch(r"[0-9a-f]+", digits) and (prefix or whole):
        return Pattern((digits, "") if prefix else (digits,))
    near = f"{digits}*" if re.fullmatch(r"[0-9a-f]{4,31}", digits) else None
    message = f"{key.name} needs 32 hex digits, or the first ones and *."
    raise FilterError(at, end, f"{message} Got {'*'.join(pattern.parts)[:60]!r}.", near)


def _read_group(key: Key, pattern: Pattern, at: int, end: int) -> Pattern:
    """Return the number of a group: `TH-418` and `418` are the same."""
    shown = "*".join(pattern.parts)
    found = re.fullmatch(r"(?:TH-)?([0-9]{1,9})", shown, re.IGNORECASE | re.ASCII)
    if found is None:
        digits = re.search(r"[0-9]{1,9}", shown, re.ASCII)
        near = f"TH-{digits[0]}" if digits else None
        raise FilterError(at, end, f"{key.name} needs a key like TH-418. Got {shown[:60]!r}.", near)
    return Pattern((f"TH-{int(found[1])}",))


def _read_number(key: Key, raw: str, at: int) -> Value:
    end = at + len(raw)
    op = re.match(r"[<>]=?", raw)
    if op:
        amount = _read_amount(key, raw[op.end() :], at + op.end())
        return Compared(cast(Comparison, op[0]), amount)
    low, dots, high = raw.partition("..")
    if not dots:
        return _read_amount(key, raw, at)
    if not low or not high:
        sign: Literal[">=", "<="] = ">=" if low else "<="
        amount = _read_amount(key, low or high, at if low else at + 2)
        return Compared(sign, amount)
    first, last = _read_amount(key, low, at), _read_amount(key, high, at + len(low) + 2)
    if first.value > last.value:
        fixed = f"{last}..{first}"
        raise FilterError(at, end, f"{key.name} goes from less to more. Got {raw!r}.", fixed)
    return Between(first, last)


def _read_amount(key: Key, raw: str, at: int) -> Amount:
    units = _UNITS[key.type]
    found = _AMOUNT.fullmatch(raw)
    below_zero = key.type != "score" and raw.startswith("-")
    if found and found[2] in units and " " not in raw and not below_zero:
        return Amount(Decimal(found[1]) * units[found[2]], raw)
    near = _nearest_amount(key, found[1], found[2].lower()) if found else None
    message = f"{key.name} needs {_EXAMPLES[key.type]}. Got {raw[:60]!r}."
    raise FilterError(at, at + len(raw), message, near)


def _nearest_amount(key: Key, number: str, unit: str) -> str | None:
    """Return `number` with the unit that its author likely meant."""
    units = _UNITS[key.type]
    if "" in units and unit in {"usd", "dollars", "tokens", "t"}:
        return number
    for begun, meant in _LIKELY_UNITS.items():
        if unit.startswith(begun) and meant in units:
            return f"{number}{meant}"
    near = nearest(unit, [u for u in units if u]) if unit else "s" if "s" in units else None
    return f"{number}{near}" if near else None
