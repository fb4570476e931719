import re
from collections import Counter
from datetime import date

import pytest

from apps.routing.edge.dialects.catalog import dialect_of
from apps.routing.edge.dialects.replicate.families import family_of
from apps.routing.edge.prices import picos_per_token
from apps.routing.selectors.catalogue import (
    GROUPS,
    dialects,
    group_of,
    list_providers,
    models_of,
    names_by_alias,
)

AUTHS = {
    "bearer",
    "api-key",
    "x-api-key",
    "x-goog-api-key",
    "aws-sigv4",
    "google-oauth",
    "none",
    "token",
    "key",
    "authorization",
    "api-key-scheme",
    "xi-api-key",
    "x-key",
    "x-gladia-key",
    "x-hume-api-key",
}
ENDPOINTS = {
    "batches",
    "chat",
    "completions",
    "embeddings",
    "files",
    "images",
    "messages",
    "moderations",
    "realtime",
    "rerank",
    "responses",
    "speech",
    "transcriptions",
    "videos",
}
ANY_SERVER = {"openai-compatible", "custom-anthropic"}
LOOPBACK = re.compile(r"http://(127\.0\.0\.1:\d+|\{host\})(/|$)")
OUTSIDE = re.compile(r"https://(\{host\}|[a-z0-9{][a-z0-9.{}-]*\.[a-z0-9{}-]+)(/[A-Za-z0-9._/{}-]*)?$")
PRICED_IN = {"input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "reasoning", "audio_input"} | {
    "audio_output",
    "second",
    "image",
    "search",
    "character",
    "request",
}


def test_there_are_as_many_providers_as_promised():
    found = list_providers()

    assert len(found) >= 350
    assert sum(facts.is_verified for facts in found.values()) >= 250
    assert {"openai", "azure", "anthropic", "gemini", "vertex", "bedrock", "cohere", "mistral", "ollama"} <= set(found)
    assert {"huggingface", "replicate", "openai-compatible", "vllm", "openrouter", "groq"} <= set(found)


def test_a_name_is_of_one_group_only_and_fits_the_column():
    names = Counter(name for group in GROUPS for name in group_of() if group_of()[name] == group)

    assert set(names.values()) == {1}
    assert [name for name in names if not re.fullmatch(r"[a-z0-9][a-z0-9-]{1,59}", name)] == []


@pytest.mark.parametrize("group", GROUPS)
def test_addresses_are_https_unless_the_server_is_ones_own(group):
    found = {name: facts for name, facts in list_providers().items() if group_of()[name] == group}
    allowed = LOOPBACK if group == "self_hosted" else OUTSIDE
    wrong = [f"{n} {f.base_url}" for n, f in found.items() if n not in ANY_SERVER and not allowed.match(f.base_url)]

    assert wrong == []
    assert all(not facts.base_url.endswith("/") for facts in found.values())


def test_every_provider_says_how_it_is_spoken_to_and_where_that_stands():
    for name, facts in list_providers().items():
        assert facts.dialect in dialects(), name
        assert facts.auth in AUTHS, name
        assert facts.endpoints, name
        assert set(facts.endpoints) <= ENDPOINTS, name
        assert facts.source.startswith(("https://", "docs/")), name
        assert date(2026, 1, 1) <= date.fromisoformat(facts.checked) <= date(2026, 12, 31), name
        assert re.fullmatch(r"([A-Z0-9][A-Z0-9_]*)?", facts.env), name


def test_an_alias_leads_to_one_provider():
    aliases = Counter(alias for facts in list_providers().values() for alias in facts.aliases)

    assert [alias for alias, count in aliases.items() if count > 1] == []
    assert names_by_alias()["together_ai"] == "together"
    assert names_by_alias()["vertex_ai"] == "vertex"


def test_a_variable_of_the_environment_starts_one_provider_at_most():
    picked = [facts for facts in list_providers().values() if facts.env and facts.is_picked_up]
    variables = Counter(facts.env for facts in picked)

    assert [name for name, count in variables.items() if count > 1] == []
    assert [facts.env for facts in picked if facts.is_templated or not facts.base_url] == []
    assert {"OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GROQ_API_KEY"} <= set(variables)


def test_no_model_is_said_to_do_what_it_cannot_be_asked_for():
    odd = []
    for kind, provider in list_providers().items():
        lacking = dialect_of(provider.dialect).lacks
        odd += [f"{kind}/{name}" for name, model in models_of(kind).items() if lacking & set(model.capabilities)]

    assert odd == []
    seeing = {name for name, model in models_of("replicate").items() if "image-input" in model.capabilities}
    assert len(seeing) == 14
    assert all(family_of(name).image or family_of(name).images for name in seeing)


def test_models_are_of_known_providers_and_their_prices_are_whole_pico_dollars():
    found = {kind: models_of(kind) for kind in list_providers()}
    odd = []
    for kind, models in found.items():
        for name, facts in models.items():
            assert set(facts.usd) <= PRICED_IN, (kind, name)
            assert all(0 <= float(value) < 1_000_000 for value in facts.usd.values()), (kind, name)
            assert [tier["above"] for tier in facts.tiers] == sorted(tier["above"] for tier in facts.tiers)
            tokens = {
                bucket: usd for bucket, usd in facts.usd.items() if bucket.startswith(("input", "output", "cache"))
            }
            odd += [(kind, name) for usd in tokens.values() if picos_per_token(usd) != float(usd) * 1_000_000 // 1]

    assert sum(map(len, found.values())) >= 8000
    assert sum(bool(facts.usd) for models in found.values() for facts in models.values()) >= 7500
    assert {facts.mode for models in found.values() for facts in models.values()} >= {
        "chat",
        "embedding",
        "image",
        "transcription",
        "speech",
        "rerank",
    }
