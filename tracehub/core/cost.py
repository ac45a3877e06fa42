"""What a call cost in US dollars, from its tokens and a price table.

Public prices are those of `pricebook`; a project's own prices go first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from tracehub.core.pricebook import Rates, rates_of
from tracehub.core.stored import when
from tracehub.core.trace import Span, Tokens

# How a call is served when that has a price of its own.
TIERS = ("batch", "flex", "priority", "fast")
# Where senders say it: what answered before what was asked for.
TIER_KEYS = (
    "openai.response.service_tier",
    "gen_ai.openai.response.service_tier",
    "openai.request.service_tier",
    "gen_ai.openai.request.service_tier",
)
MILLION = Decimal(1_000_000)
MAX_COST = 100_000  # US dollars of one call; more is a mistake, and sums must fit their column
PLACES = Decimal("1e-10")


@dataclass(frozen=True, slots=True)
class Override:
    """A project's own price, in US dollars per million tokens, from a day on.

    `model` is a name, or a prefix that ends in `*`; with `:` and a tier after it, the price is for
    calls of that tier alone, such as `gpt-4o*:batch`. `cached`, `cache_write` and `audio_input`
    default to `input`, `reasoning` and `audio_output` to `output`.
    """

    model: str
    valid_from: date
    input: Decimal
    output: Decimal
    cached: Decimal | None = None
    cache_write: Decimal | None = None
    reasoning: Decimal | None = None
    audio_input: Decimal | None = None
    audio_output: Decimal | None = None

    def matches(self, model: str, tier: str | None = None) -> bool:
        name, own = self.parts
        if own and own != tier:
            return False
        return model.startswith(name[:-1]) if name.endswith("*") else model == name

    @property
    def parts(self) -> tuple[str, str]:
        """The name or prefix, and the tier, "" for all.

        >>> Override("gpt-4o*:batch", date(2026, 1, 1), Decimal(1), Decimal(2)).parts
        ('gpt-4o*', 'batch')
        """
        name, _, tier = self.model.rpartition(":")
        return (name, tier) if name and tier in TIERS else (self.model, "")


def price(
    model: str,
    provider: str | None,
    tokens: Tokens,
    at: datetime,
    overrides: Sequence[Override] = (),
    tier: str | None = None,
) -> Decimal | None:
    """The cost of one call in US dollars to ten places; None when nobody knows the price.

    The public list knows what some tiers of service cost, such as batch; a price of one's own
    holds for all of them, unless it names one.

    Cached, cache-write and audio tokens are parts of input and output and have prices of their
    own; reasoning tokens cost what output costs, unless a price of one's own says otherwise. `at`
    must have a zone.

    >>> from datetime import UTC
    >>> price("gpt-4o", "openai", Tokens(1000, 100, cached=200), datetime(2026, 1, 1, tzinfo=UTC))
    Decimal('0.0032500000')
    """
    if tokens.input is None and tokens.output is None:
        return None
    rates = _own(model, at.date(), overrides, tier) if overrides else None
    if rates is None:
        rates = rates_of(model, provider, at, tier)
    if rates is None:
        return None
    for more_than, dearer in rates.tiers:
        if (tokens.input or 0) > more_than:
            rates = dearer
    return _sum(rates, tokens)


def _sum(rates: Rates, tokens: Tokens) -> Decimal | None:
    total = rates.input * (tokens.input or 0) + rates.output * (tokens.output or 0)
    if tokens.cached:
        total += (rates.cached - rates.input) * tokens.cached
    if tokens.cache_write:
        total += (rates.cache_write - rates.input) * tokens.cache_write
    if tokens.reasoning and rates.reasoning is not None:
        total += (rates.reasoning - rates.output) * tokens.reasoning
    if tokens.audio_input:
        total += (rates.audio_input - rates.input) * tokens.audio_input
    if tokens.audio_output:
        total += (rates.audio_output - rates.output) * tokens.audio_output
    if rates.requests:
        total += rates.requests * 1000
    cost = max(total, Decimal(0)) / MILLION
    return cost.quantize(PLACES) if cost < MAX_COST else None


def _own(model: str, day: date, overrides: Sequence[Override], tier: str | None) -> Rates | None:
    """The newest price of one's own that holds on a day.

    One for the tier beats one for all, an exact name a prefix.
    """
    fitting = [item for item in overrides if item.valid_from <= day and item.matches(model, tier)]
    if not fitting:
        return None
    best = max(fitting, key=_rank)

    def given(own: Decimal | None, default: Decimal) -> Decimal:
        return default if own is None else own

    return Rates(
        best.input,
        best.output,
        cached=given(best.cached, best.input),
        cache_write=given(best.cache_write, best.input),
        audio_input=given(best.audio_input, best.input),
        audio_output=given(best.audio_output, best.output),
        reasoning=best.reasoning,
    )


def _rank(item: Override) -> tuple[bool, bool, int, date]:
    name, tier = item.parts
    return bool(tier), not name.endswith("*"), len(name), item.valid_from


def tier_of(span: Span) -> str | None:
    """Return the tier of service that a call says it had or asked for, None for the usual."""
    said = (span.attributes.get(key) for key in TIER_KEYS)
    for value in (*said, span.parameters.get("service_tier")):
        if isinstance(value, str) and value:
            return value if value in TIERS else None
    return None


def set_cost(span: Span, overrides: Sequence[Override] = ()) -> None:
    """Note the tier of a span, and price it where it came without a cost.

    That takes a model and tokens.
    """
    span.service_tier = tier_of(span)
    if span.cost is not None or span.model is None or span.tokens is None:
        return
    at = when(span.start_ns)
    tier = span.service_tier
    span.cost = price(span.model, span.provider, span.tokens, at, overrides, tier)
    if span.cost is not None:
        span.cost_source = "computed"
