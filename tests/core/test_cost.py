"""Prices: equal to the price list they come from, and a project's own before it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from genai_prices import Usage, calc_price
from genai_prices.data import providers

from tracehub.core import pricebook, span_facts
from tracehub.core.cost import TIERS, Override, price, set_cost
from tracehub.core.digest import digest
from tracehub.core.trace import Span, Tokens

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
OWN = Override("gpt-4o*", date(2026, 1, 1), Decimal(1), Decimal(2))


def theirs(model, provider, given, made, cached=0, written=0, at=AT, price_context=None):
    usage = Usage(
        input_tokens=given, output_tokens=made, cache_read_tokens=cached, cache_write_tokens=written
    )
    found = calc_price(
        usage, model, provider_id=provider, genai_request_timestamp=at, price_context=price_context
    )
    return found.total_price.quantize(Decimal("1e-10"))


@pytest.mark.parametrize(
    "at", [AT, datetime(2026, 11, 24, 2, tzinfo=UTC), datetime(2024, 6, 1, tzinfo=UTC)]
)
def test_every_model_costs_what_the_price_list_says(at):
    pricebook._periods.cache_clear()
    checked = 0
    for provider in providers:
        for model in provider.models[::7]:
            ours = price(model.id, provider.id, Tokens(250_000, 300), at)
            try:
                expected = theirs(model.id, provider.id, 250_000, 300, at=at)
            except LookupError:  # some ids are not among the names that the model goes by
                continue
            if ours is None:  # priced by request, page or hour only
                assert expected == 0, model.id
                continue
            assert ours == expected, model.id
            checked += 1
    assert checked > 200


def test_calls_of_a_tier_cost_what_the_price_list_says_of_it():
    checked = dict.fromkeys(TIERS, 0)
    for provider in providers:
        for model in provider.models:
            told = {tier for own in model.price_variants or () for tier in own.when.values()}
            for tier in told & set(TIERS):
                context = {"processing" if tier == "batch" else "service_tier": tier}
                if not any(own.when == context for own in model.price_variants):
                    continue  # a tier of another kind, such as how quick a search is
                ours = price(model.id, provider.id, Tokens(250_000, 300, cached=70), AT, (), tier)
                try:
                    expected = theirs(
                        model.id, provider.id, 250_000, 300, cached=70, price_context=context
                    )
                except LookupError:
                    continue
                assert (ours or 0) == expected, (model.id, tier)  # None: priced by time only
                checked[tier] += 1
    assert all(checked.values()), checked
    usual = price("gpt-4.1", "openai", Tokens(1000, 100), AT)
    assert price("gpt-4.1", "openai", Tokens(1000, 100), AT, (), "nobody-knows") == usual


@pytest.mark.parametrize(
    ("attributes", "parameters", "tier"),
    [
        ({"openai.request.service_tier": "flex"}, {}, "flex"),
        # What answered is what is paid.
        ({"openai.request.service_tier": "flex", "openai.response.service_tier": "default"}, {},
         None),
        ({"gen_ai.openai.request.service_tier": "auto",
          "gen_ai.openai.response.service_tier": "priority"}, {}, "priority"),
        ({}, {"service_tier": "batch"}, "batch"),
        ({"openai.request.service_tier": 7}, {"service_tier": ["batch"]}, None),
    ],
)  # fmt: skip
def test_a_call_says_its_tier_and_is_priced_by_it(attributes, parameters, tier):
    at = int(AT.timestamp() * 1e9)
    call = Span("9f" * 16, "0" * 16, None, "call", "llm", at, 1, provider="anthropic",
                model="claude-fable-5", tokens=Tokens(1000, 100), attributes=attributes,
                parameters=parameters)  # fmt: skip
    set_cost(call)
    assert call.service_tier == tier
    usual = Decimal("0.015")  # 10 and 50 dollars a million; half in a batch
    assert call.cost == (usual / 2 if tier == "batch" else usual)
    kept = span_facts.write(digest(call))
    assert kept.get("st") == tier  # what stored calls are priced by anew


def test_cached_tokens_have_a_price_of_their_own():
    tokens = Tokens(1000, 100, None, 300, 200)
    assert price("claude-sonnet-4-5-20250929", "anthropic", tokens, AT) == theirs(
        "claude-sonnet-4-5-20250929", "anthropic", 1000, 100, 300, 200
    )


def test_long_calls_cost_the_dearer_tier():
    assert price("claude-sonnet-4-5", "anthropic", Tokens(300_000, 100), AT) == theirs(
        "claude-sonnet-4-5", "anthropic", 300_000, 100
    )


@pytest.mark.parametrize("provider", [None, "somewhere", "azure", "openai"])
def test_a_known_model_is_priced_whatever_the_provider_is_called(provider):
    assert price("gpt-4o", provider, Tokens(10, 1), AT) == Decimal("0.0000350000")


@pytest.mark.parametrize(
    ("model", "listed"),
    [
        (
            "us.anthropic.claude-sonnet-4-20250514-v1:0",
            "us.anthropic.claude-sonnet-4-20250514-v1:0",
        ),
        ("claude-sonnet-4-20250514-v1:0", "anthropic.claude-sonnet-4-20250514-v1:0"),
        (
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-pro-v1:0",
            "amazon.nova-pro-v1:0",
        ),
        ("bedrock/converse/eu.amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0"),
        ("nova-lite-v1:0", "amazon.nova-lite-v1:0"),
        ("llama3-1-70b-instruct-v1:0", "meta.llama3-1-70b-instruct-v1:0"),
        ("mistral-large-2402-v1:0", "mistral.mistral-large-2402-v1:0"),
    ],
)
def test_models_of_bedrock_are_priced_with_region_and_maker_or_without(model, listed):
    wanted = theirs(listed, "aws", 1_000_000, 1_000)
    assert price(model, "aws.bedrock", Tokens(1_000_000, 1_000), AT) == wanted
    if "." in model:  # such a name is nobody else's, whatever was sent as provider
        for provider in (None, "anthropic", "somewhere"):
            assert price(model, provider, Tokens(1_000_000, 1_000), AT) == wanted


def test_reasoning_and_audio_tokens_have_own_prices():
    tokens = Tokens(1000, 1000, reasoning=400, audio_input=100, audio_output=200)
    plain = Override("m", date(2026, 1, 1), Decimal(1), Decimal(10))
    assert price("m", None, tokens, AT, [plain]) == Decimal("0.011")
    own = Override(
        "m", date(2026, 1, 1), Decimal(1), Decimal(10),
        reasoning=Decimal(5), audio_input=Decimal(30), audio_output=Decimal(60),
    )  # fmt: skip
    # 900 in, 100 of audio; 400 out, 400 of reasoning, 200 of audio; per million
    assert price("m", None, tokens, AT, [own]) == Decimal("0.0219")


def test_an_unknown_model_has_no_price():
    assert price("nobody-knows", "openai", Tokens(1, 1), AT) is None
    assert price("", None, Tokens(1, 1), AT) is None
    assert price("x" * 1_000, None, Tokens(1, 1), AT) is None


def test_without_counts_there_is_no_cost():
    assert price("gpt-4o", "openai", Tokens(total=5), AT) is None


def test_a_projects_own_price_goes_first_from_its_day_on():
    tokens = Tokens(1_000_000, 1_000_000, None, 500_000)
    assert price("gpt-4o", "openai", tokens, AT, [OWN]) == Decimal(3)
    before = datetime(2025, 12, 31, tzinfo=UTC)
    assert price("gpt-4o", "openai", tokens, before, [OWN]) != Decimal(3)


def test_an_exact_name_beats_a_prefix_and_a_newer_price_an_older_one():
    exact = Override("gpt-4o", date(2026, 1, 1), Decimal(5), Decimal(5))
    newer = Override("gpt-4o", date(2026, 6, 1), Decimal(7), Decimal(7), Decimal(0))
    assert price("gpt-4o", None, Tokens(1_000_000, 0), AT, [OWN, exact, newer]) == Decimal(7)
    assert price("gpt-4o", None, Tokens(1_000_000, 0, None, 1_000_000), AT, [newer]) == 0


def test_a_projects_own_price_of_a_tier_is_for_its_calls_alone():
    batch = Override("gpt-4o*:batch", date(2026, 1, 1), Decimal(3), Decimal(3))
    exact = Override("gpt-4o", date(2026, 1, 1), Decimal(5), Decimal(5))
    own = [OWN, batch, exact]
    for model, tier, dollars in (
        ("gpt-4o", "batch", 3), ("gpt-4o-mini", "batch", 3), ("gpt-4o", None, 5),
        ("gpt-4o", "flex", 5), ("gpt-4o-mini", "flex", 1), ("gpt-4o-mini", None, 1),
    ):  # fmt: skip
        assert price(model, None, Tokens(1_000_000, 0), AT, own, tier) == dollars, (model, tier)
    local = Override("llama3:8b", date(2026, 1, 1), Decimal(0), Decimal(0))
    assert local.matches("llama3:8b", "batch")
