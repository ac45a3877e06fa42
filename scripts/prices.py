"""Write tracehub/core/prices.json from the genai-prices package, which is a tool of development.

The package holds the same data as Python objects and takes 130 MB in every process that imports
it; the file takes 5. Run it after raising the version of genai-prices: `python scripts/prices.py`.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from genai_prices import types
from genai_prices.data import providers

TARGET = Path(__file__).parents[1] / "tracehub" / "core" / "prices.json"
NAMES = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cached": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "audio_input": "input_audio_mtok",
    "audio_output": "output_audio_mtok",
    "requests": "requests_kcount",
}
# What a call says of how it is served -> its tier in the file; other contexts are not known here.
TIERS = {("processing", "batch"): "batch"} | {
    ("service_tier", tier): tier for tier in ("flex", "priority", "fast")
}
SIMPLE = {
    types.ClauseEquals: ("=", "equals"),
    types.ClauseStartsWith: ("^", "starts_with"),
    types.ClauseEndsWith: ("$", "ends_with"),
    types.ClauseContains: ("*", "contains"),
    types.ClauseRegex: ("~", "regex"),
}


def match(clause: Any) -> Any:
    """A clause as `[sign, text]` or `[sign, [clause, ...]]`; all but patterns in lower case."""
    if clause is None:
        return None
    if isinstance(clause, types.ClauseOr):
        return ["|", [match(inner) for inner in clause.or_]]
    if isinstance(clause, types.ClauseAnd):
        return ["&", [match(inner) for inner in clause.and_]]
    sign, field = SIMPLE[type(clause)]
    text = getattr(clause, field)
    return [sign, text if sign == "~" else text.lower()]


def amount(value: Any) -> Any:
    if isinstance(value, types.TieredPrices):
        return [str(value.base), [[tier.start, str(tier.price)] for tier in value.tiers]]
    return str(value)


def rates(prices: types.ModelPrice) -> dict[str, Any]:
    given = prices.__dict__
    return {n: amount(given[key]) for n, key in NAMES.items() if given.get(key) is not None}


def when(constraint: Any) -> Any:
    """None for always, a date for `from that day`, two times of day (UTC) for `between`."""
    if constraint is None:
        return None
    if isinstance(constraint, types.StartDateConstraint):
        return constraint.start_date.isoformat()
    return [constraint.start_time.isoformat(), constraint.end_time.isoformat()]


def prices_of(model: types.ModelInfo) -> list[Any]:
    listed = model.prices
    if isinstance(listed, types.ModelPrice):
        return [[None, rates(listed)]]
    return [[when(item.constraint), rates(item.prices)] for item in listed]


def tiers_of(model: types.ModelInfo) -> list[Any]:
    """What differs for calls of a tier, the first that holds before later ones."""
    found = []
    for variant in model.price_variants or ():
        (context, *more) = variant.when.items()
        tier = TIERS.get(context)
        if tier and not more and (own := rates(variant.prices)):
            found.append([tier, when(variant.constraint), own])
    return found


def entry(model: types.ModelInfo) -> list[Any]:
    """A model as `[match, prices]`, or `[match, prices, tiers]`."""
    tiers = tiers_of(model)
    return [match(model.match), prices_of(model), *([tiers] if tiers else [])]


def main() -> None:
    book = {
        "source": f"genai-prices {version('genai-prices')}",
        "providers": [
            {
                "id": provider.id,
                "named": match(provider.provider_match),
                "model": match(provider.model_match),
                "fallback": provider.fallback_model_providers or [],
                "models": [entry(model) for model in provider.models],
            }
            for provider in providers
        ],
    }
    lines = json.dumps(book, separators=(",", ":"), ensure_ascii=False)
    TARGET.write_text(lines.replace('{"id":', '\n{"id":') + "\n", encoding="utf-8")
    print(f"{TARGET}: {TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
