"""What a call cost in US dollars, from its tokens and a price table.

Public prices come with the `genai-prices` package (offline data). A project's own prices go first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache

from genai_prices import Usage, calc_price
from genai_prices.data_snapshot import get_snapshot

from tracehub.core.trace import Tokens

MILLION = Decimal(1_000_000)
PLACES = Decimal("1e-10")
# Kinds of tokens with a price of their own -> the price that holds when it is not given.
_PARTS = {"cached": "input", "cache_write": "input", "audio_input": "input", "audio_output": "output"}


@dataclass(frozen=True, slots=True)
class Override:
    """A project's own price, in US dollars per million tokens, from a day on.

    `model` is a name, or a prefix that ends in `*`. `cached` and `cache_write` default to `input`.
    """

    model: str
    valid_from: date
    input: Decimal
    output: Decimal
    cached: Decimal | None = None
    cache_write: Decimal | None = None

    def matches(self, model: str) -> bool:
        if self.model.endswith("*"):
            return model.startswith(self.model[:-1])
        return model == self.model


@dataclass(frozen=True, slots=True)
class Rates:
    """Flat prices per million tokens."""

    input: Decimal
    output: Decimal
    cached: Decimal
    cache_write: Decimal
    audio_input: Decimal
    audio_output: Decimal


def price(
    model: str,
    provider: str | None,
    tokens: Tokens,
    at: datetime,
    overrides: Sequence[Override] = (),
) -> Decimal | None:
    """Return the cost of one call in US dollars to ten places; None when nobody knows the price.

    Cached, cache-write and audio tokens are parts of input and output and have prices of their
    own; reasoning tokens cost what output costs.

    >>> price("gpt-4o", "openai", Tokens(1000, 100, cached=200), datetime(2026, 1, 1, tzinfo=UTC))
    Decimal('0.0032500000')
    """
    if tokens.input is None and tokens.output is None:
        return None
    own = _override(model, at.date(), overrides) if overrides else None
    if own is not None:
        return _flat(own, tokens)
    rates = _rates(model, provider, at.date())
    if rates is None:
        return None
    return _flat(rates, tokens) if isinstance(rates, Rates) else _tiered(rates, tokens, at)


def _flat(rates: Rates, tokens: Tokens) -> Decimal:
    total = rates.input * (tokens.input or 0) + rates.output * (tokens.output or 0)
    for part, whole in _PARTS.items():
        if count := getattr(tokens, part):
            total += (getattr(rates, part) - getattr(rates, whole)) * count
    return (max(total, Decimal(0)) / MILLION).quantize(PLACES)


def _override(model: str, day: date, overrides: Sequence[Override]) -> Rates | None:
    """Return the newest price that holds on a day; an exact name beats a prefix."""
    fitting = [o for o in overrides if o.valid_from <= day and o.matches(model)]
    if not fitting:
        return None
    best = max(fitting, key=lambda o: (not o.model.endswith("*"), len(o.model), o.valid_from))
    cached = best.input if best.cached is None else best.cached
    written = best.input if best.cache_write is None else best.cache_write
    return Rates(best.input, best.output, cached, written, best.input, best.output)


@lru_cache(maxsize=20_000)
def _rates(model: str, provider: str | None, day: date) -> Rates | tuple[str, str] | None:
    """Return flat public prices; (provider, model) where they depend on the size of a call."""
    found = _find(model, provider)
    if found is None:
        return None
    provider_id, model_id, prices = found[0], found[1], found[2].get_prices(
        datetime.combine(day, time(12), UTC)
    )
    known = {name: getattr(prices, f"{name}_mtok", None) for name in ("input", "output")}
    base_in, base_out = known["input"] or Decimal(0), known["output"] or Decimal(0)
    parts = {
        "cached": getattr(prices, "cache_read_mtok", None),
        "cache_write": getattr(prices, "cache_write_mtok", None),
        "audio_input": getattr(prices, "input_audio_mtok", None),
        "audio_output": getattr(prices, "output_audio_mtok", None),
    }
    if any(not isinstance(p, Decimal | None) for p in (*known.values(), *parts.values())):
        return provider_id, model_id
    if known["input"] is None and known["output"] is None:
        return None
    whole = {"input": base_in, "output": base_out}
    filled = {n: whole[_PARTS[n]] if p is None else p for n, p in parts.items()}
    return Rates(base_in, base_out, **filled)


def _find(model: str, provider: str | None) -> tuple[str, str, object] | None:
    snapshot = get_snapshot()
    for wanted in dict.fromkeys((provider, None)):
        try:
            at, info = snapshot.find_provider_model(model, None, wanted, None)
        except LookupError:
            continue
        return at.id, info.id, info
    return None


def _tiered(ref: tuple[str, str], tokens: Tokens, at: datetime) -> Decimal:
    usage = Usage(
        input_tokens=tokens.input or 0,
        output_tokens=tokens.output or 0,
        cache_read_tokens=tokens.cached or 0,
        cache_write_tokens=tokens.cache_write or 0,
    )
    found = calc_price(usage, ref[1], provider_id=ref[0], genai_request_timestamp=at)
    return found.total_price.quantize(PLACES)
