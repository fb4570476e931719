"""`genai-prices` computes the same calls by its own code, in exact decimals: it is the judge of every cost."""

import random
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from genai_prices import Usage as TheirUsage
from genai_prices.data import providers
from genai_prices.types import TieredPrices

from apps.routing.edge.prices import Price, Tier
from apps.routing.edge.usage import Usage
from apps.routing.selectors.price_list import parts_of, price_of_genai, price_of_usd, versioned

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
NIGHT = datetime(2026, 11, 27, 23, tzinfo=UTC)
MODELS = [(provider, model) for provider in providers for model in provider.models if model.prices]
TOKENS = (
    "input",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "audio_input",
    "output",
    "reasoning",
    "audio_output",
)
# What our usage does not tell apart from its family.
UNTOLD = {
    "cache_audio_read_mtok",
    "cache_image_read_mtok",
    "input_video_mtok",
    "output_video_mtok",
    "output_citation_mtok",
}


def theirs(usage):
    return TheirUsage(
        input_tokens=usage.all_input,
        cache_read_tokens=usage.cache_read,
        cache_write_tokens=usage.cache_write_5m + usage.cache_write_1h,
        cache_write_1h_tokens=usage.cache_write_1h,
        input_audio_tokens=usage.audio_input,
        output_tokens=usage.all_output,
        output_reasoning_tokens=usage.reasoning,
        output_audio_tokens=usage.audio_output,
        web_searches=usage.web_searches,
    )


def nanos(usd):
    return int((usd * 10**9).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def is_whole(model, now):
    """28 prices of the list are fractions of a pico-dollar, such as a twelfth of a dollar."""
    prices = model.get_prices(now).__dict__.values()
    levels = []
    for price in (price for price in prices if price is not None):
        levels += [price.base, *(t.price for t in price.tiers)] if isinstance(price, TieredPrices) else [price]
    return all((level * 1_000_000) % 1 == 0 for level in levels)


@pytest.mark.parametrize("now", [NOON, NIGHT], ids=["noon", "night"])
@pytest.mark.parametrize("size", [300, 260_000, 2_000_000])
def test_every_listed_model_costs_what_genai_prices_computes(now, size):
    chance, wrong, judged = random.Random(size), [], 0  # noqa: S311 - a fixed sequence
    for provider, model in MODELS:
        fields = {name for name, value in model.get_prices(now).__dict__.items() if value is not None}
        if fields & UNTOLD or not is_whole(model, now):
            continue
        has_audio = any(field.endswith("audio_mtok") for field in fields)
        names = [name for name in TOKENS if has_audio or "audio" not in name]
        usage = Usage(**{name: chance.randrange(size // 4) for name in names}, web_searches=chance.randrange(3))
        expected = model.calc_price(theirs(usage), provider, genai_request_timestamp=now).total_price
        cost = price_of_genai(model, now).cost_nanos(usage, at_s=now.timestamp())
        judged += 1
        if cost != nanos(expected):
            wrong.append((provider.id, model.id, cost, nanos(expected)))

    assert wrong == []
    assert judged > 2200


def test_sound_searches_and_pages_cost_what_genai_prices_computes():
    pairs = {(provider.id, model.id): (provider, model) for provider, model in MODELS}
    provider, model = pairs["groq", "whisper-large-v3"]
    usage = Usage(audio_ms=61_234)
    expected = model.calc_price(
        TheirUsage(audio_seconds=Decimal("61.234"), input_audio_seconds=Decimal("61.234")), provider
    )
    assert price_of_genai(model, NOON).cost_nanos(usage) == nanos(expected.total_price)

    searched = [(p, m) for p, m in MODELS if m.get_prices(NOON).__dict__.get("rerank_searches_kcount")]
    for provider, model in searched:
        expected = model.calc_price(TheirUsage(rerank_searches=7), provider).total_price
        assert price_of_genai(model, NOON).cost_nanos(Usage(searches=7)) == nanos(expected)


def test_a_tier_counts_for_every_token_once_the_input_is_above_it():
    price = price_of_usd({"input": "1.25", "output": "10"}, tiers=({"above": 200_000, "input": "2.5", "output": "15"},))

    assert price.cost_nanos(Usage(input=200_000, output=1000)) == 260_000_000
    assert price.cost_nanos(Usage(input=200_001, output=1000)) == 500_002_500 + 15_000_000
    assert price.cost_nanos(Usage(cache_read=200_001)) == 500_002_500


def test_hours_of_a_day_have_their_price_past_midnight_too():
    [(_provider, model)] = [(p, m) for p, m in MODELS if (p.id, m.id) == ("deepseek", "deepseek-chat")]
    price = price_of_genai(model, NOON)
    usage = Usage(input=1_000_000)

    assert price.hours
    for hour in range(24):
        moment = datetime(2026, 11, 27, hour, 45, tzinfo=UTC)
        expected = model.calc_price(TheirUsage(input_tokens=1_000_000), _provider, genai_request_timestamp=moment)
        assert price.cost_nanos(usage, at_s=moment.timestamp()) == nanos(expected.total_price), hour


def test_halves_of_a_nano_dollar_go_to_the_even_one():
    price = Price(input=500)

    assert [price.cost_nanos(Usage(input=count)) for count in (1, 2, 3, 5)] == [0, 1, 2, 2]


def test_the_same_price_has_the_same_version_and_another_one_another():
    price = price_of_usd({"input": "1", "output": "2"}, tiers=({"above": 10, "input": "3"},))
    named = versioned(price, "openai", "m")

    assert named.version == versioned(named, "openai", "m").version == named.tiers[0].price.version
    assert named.version != versioned(price, "openai", "n").version
    assert named.is_known
    assert not price.is_known
    assert named.tiers == [Tier(10, named.tiers[0].price)]


def test_a_price_reads_as_it_was_written():
    usd = {"input": "0.15", "output": "0.6", "cache_read": "0.075", "request": "0.005", "image": "0.04"}

    assert parts_of(price_of_usd(usd)) == usd
