"""Public prices of models, from `prices.json` (made by scripts/prices.py from genai-prices).

Read when the first call is priced. Looking a model up walks the book; the result is remembered.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache
from importlib.resources import files
from typing import Any

import orjson

MAX_MODELS = 4_096  # lookups remembered, those of unknown models too
MAX_NAME = 300  # longer names are no models
# LiteLLM and OpenRouter write `-20251211` where the book has `-2025-12-11`.
# Amazon Bedrock names who made a model before its name, and a region before that.
BEDROCK = "aws"
MAKER = re.compile(r"(?<![^./:])([a-z0-9-]+)\.(?=[a-z])")
COMPACT_DATE = re.compile(r"-(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")


@dataclass(frozen=True, slots=True)
class Rates:
    """US dollars per million tokens, and per thousand requests.

    `reasoning` None: what output costs; the public list has no other. `tiers`: what holds above
    that many input tokens, in rising order.
    """

    input: Decimal
    output: Decimal
    cached: Decimal
    cache_write: Decimal
    audio_input: Decimal
    audio_output: Decimal
    requests: Decimal = Decimal(0)
    tiers: tuple[tuple[int, Rates], ...] = ()
    reasoning: Decimal | None = None


@dataclass(frozen=True, slots=True)
class _Period:
    """Amounts that hold always, from a day on, or between two times of a day (UTC).

    `tier` is that of the calls which they are for: some amounts alone, in the place of the usual
    ones. "" is every call.
    """

    tier: str
    since: date | None
    between: tuple[time, time] | None
    amounts: dict[str, Any]
    rates: Rates

    def holds(self, at: datetime) -> bool:
        if self.since is not None:
            return at.date() >= self.since
        if self.between is None:
            return True
        start, end = self.between
        now = at.time()
        return start <= now < end if start <= end else (now >= start or now < end)


def rates_of(
    model: str, provider: str | None, at: datetime, tier: str | None = None
) -> Rates | None:
    """The public price of a model at a time; by provider, else by the model's name alone.

    A call of a tier (`batch`, `flex`, `priority`, `fast`) costs what the list says of that tier,
    and the usual where it says nothing.
    """
    listed = _periods(model, provider)
    periods = [period for period in listed if not period.tier]
    if not periods:
        return None
    moment = at.astimezone(UTC)
    # Later ones go first, and the first one holds otherwise.
    usual = next((one for one in reversed(periods) if one.holds(moment)), periods[0])
    own: dict[str, Any] = {}
    for one in listed:
        if tier and one.tier == tier and one.holds(moment):
            own = one.amounts | own
    return _rates(usual.amounts | own) if own else usual.rates


@lru_cache(maxsize=MAX_MODELS)
def _periods(model: str, provider: str | None) -> tuple[_Period, ...]:
    name = model.lower()
    if not name or len(name) > MAX_NAME:
        return ()
    sent = provider.lower().strip() if provider else None
    if sent == "litellm" and "/" in name:  # the true provider comes before the model's name
        sent, _, name = name.partition("/")
    candidates = [_provider(sent)] if sent else []
    candidates.append(_by_model(name))
    if any(maker in _makers() for maker in MAKER.findall(name)):
        candidates.append(_provider(BEDROCK))  # whatever provider was sent, the name is its own
    for entry in candidates:
        found = _in_provider(entry, name) if entry else None
        if found is not None:
            prices, *tiers = found
            return (
                *(_period("", given, amounts) for given, amounts in prices if amounts),
                *(_period(*own) for some in tiers for own in some),
            )
    return ()


@lru_cache(maxsize=1)
def _book() -> list[dict[str, Any]]:
    text = files("tracehub.core").joinpath("prices.json").read_bytes()
    providers: list[dict[str, Any]] = orjson.loads(text)["providers"]
    return providers


def _provider(name: str) -> dict[str, Any] | None:
    by_id = next((entry for entry in _book() if entry["id"] == name), None)
    return by_id or next((entry for entry in _book() if _matches(entry["named"], name)), None)


def _by_model(model: str) -> dict[str, Any] | None:
    return next((entry for entry in _book() if _matches(entry["model"], model)), None)


def _in_provider(entry: dict[str, Any], model: str) -> list[Any] | None:
    names = [model, COMPACT_DATE.sub(r"-\1-\2-\3", model)]
    if entry["id"] == BEDROCK:  # some libraries send the name without its maker
        names += [f"{maker}.{model}" for maker in _makers()]
    for name in dict.fromkeys(names):
        for provider in (entry["id"], *entry["fallback"]):
            listed = next((item for item in _book() if item["id"] == provider), None)
            for clause, *found in listed["models"] if listed else ():
                if _matches(clause, name):
                    return list(found)
    return None


@lru_cache(maxsize=1)
def _makers() -> tuple[str, ...]:
    """Return who made the models that Bedrock offers, by the names in the book."""
    entry = _provider(BEDROCK)
    models = entry["models"] if entry else []
    found = (MAKER.findall(text) for clause, *_ in models for text in _texts(clause))
    return tuple(sorted({makers[-1] for makers in found if makers}))


def _texts(clause: list[Any]) -> list[str]:
    """Return the texts that a clause compares with."""
    _, arg = clause
    return [text for inner in arg for text in _texts(inner)] if isinstance(arg, list) else [arg]


def _matches(clause: list[Any] | None, text: str) -> bool:
    """Whether a clause of the book fits; clauses nest three deep at most."""
    if clause is None:
        return False
    sign, value = clause
    if sign == "=":
        return bool(text == value)
    if sign == "^":
        return text.startswith(value)
    if sign == "$":
        return text.endswith(value)
    if sign == "*":
        return value in text
    if sign == "~":
        return re.search(value, text) is not None
    parts = (_matches(inner, text) for inner in value)
    return any(parts) if sign == "|" else all(parts)


def _period(tier: str, given: Any, amounts: dict[str, Any]) -> _Period:
    between = None
    if isinstance(given, list):
        start, end = (time.fromisoformat(text).replace(tzinfo=None) for text in given)
        between = (start, end)
    since = date.fromisoformat(given) if isinstance(given, str) else None
    return _Period(tier, since, between, amounts, _rates(amounts))


def _rates(amounts: dict[str, Any]) -> Rates:
    starts = sorted({start for value in amounts.values() for start, _ in _tiers(value)})
    tiers = tuple((start, _level(amounts, start + 1, ())) for start in starts)
    return _level(amounts, 0, tiers)


def _tiers(value: Any) -> list[Any]:
    return value[1] if isinstance(value, list) else []


def _level(rates: dict[str, Any], count: int, tiers: tuple[tuple[int, Rates], ...]) -> Rates:
    """The rates that hold for a call with `count` input tokens."""

    def at(name: str, default: Decimal) -> Decimal:
        value = rates.get(name)
        rate = value[0] if isinstance(value, list) else value
        for start, higher in _tiers(value):
            rate = higher if count > start else rate
        return default if rate is None else Decimal(rate)

    given, made = at("input", Decimal(0)), at("output", Decimal(0))
    return Rates(
        given,
        made,
        at("cached", given),
        at("cache_write", given),
        at("audio_input", given),
        at("audio_output", made),
        at("requests", Decimal(0)),
        tiers,
    )
