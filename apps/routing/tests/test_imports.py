import json

import msgspec
import pytest
import yaml
from typer.testing import CliRunner

from apps.orgs.services.configuration import KeyEntry
from apps.routing.edge.book import decode_book
from apps.routing.models import Credential
from apps.routing.selectors.credentials import open_secret
from apps.routing.services.configuration import ProviderEntry
from apps.routing.services.definitions import RouteEntry
from apps.routing.services.import_litellm import import_litellm
from apps.routing.services.import_portkey import import_portkey
from apps.routing.services.imported import UnableToImport
from apps.routing.snapshot import compile_book
from brokle.cli.main import app
from brokle.ground.configuration import apply_configuration
from brokle.settings.env import env

LITELLM = """
model_list:
  - model_name: gpt-4o
    litellm_params: {model: azure/my-gpt4o, api_base: "https://noor-eu.openai.azure.com/",
      api_key: os.environ/AZURE_API_KEY, api_version: "2024-10-21", rpm: 600}
  - model_name: gpt-4o
    litellm_params: {model: gpt-4o, api_key: os.environ/OPENAI_API_KEY, rpm: 400, temperature: 0.2}
  - model_name: claude
    litellm_params: {model: anthropic/claude-sonnet-4-5, api_key: sk-ant-literal, timeout: 60, stream_timeout: 5}
  - model_name: local
    litellm_params: {model: hosted_vllm/llama-3, api_base: "http://10.0.0.5:8000/v1",
      input_cost_per_token: 0.0000001, output_cost_per_token: 0.0000002}
  - model_name: "openai/*"
    litellm_params: {model: "openai/*", api_key: os.environ/OPENAI_API_KEY}
  - model_name: odd
    litellm_params: {model: nobody/knows}
  - model_name: bedrock-claude
    litellm_params: {model: bedrock/anthropic.claude-3, aws_region_name: eu-west-1}
  - model_name: bare-bedrock
    litellm_params: {model: bedrock/anthropic.claude-3}
litellm_settings:
  num_retries: 2
  request_timeout: 45
  fallbacks: [{gpt-4o: [claude]}, {nothing: [claude]}]
  cache: true
  cache_params: {type: redis-semantic, ttl: 600, similarity_threshold: 0.8, host: cache}
  success_callback: [langfuse]
  drop_params: true
router_settings: {routing_strategy: simple-shuffle, model_group_alias: {gpt-4: gpt-4o}, allowed_fails: 3}
general_settings: {master_key: os.environ/LITELLM_MASTER_KEY, database_url: "postgresql://x"}
"""
PORTKEY = {
    "strategy": {
        "mode": "conditional",
        "conditions": [
            {"query": {"metadata.plan": {"$eq": "paid"}}, "then": "good"},
            {"query": {"metadata.age": {"$gt": 5}}, "then": "cheap"},
        ],
        "default": "cheap",
    },
    "retry": {"attempts": 3, "on_status_codes": [429]},
    "cache": {"mode": "semantic", "max_age": 60},
    "request_timeout": 9000,
    "targets": [
        {
            "name": "cheap",
            "provider": "openai",
            "api_key": "sk-1",
            "override_params": {"model": "gpt-4o-mini", "seed": 1},
        },
        {"name": "good", "virtual_key": "anthropic", "override_params": {"model": "claude-sonnet-4-5"}, "weight": 0.7},
        {
            "provider": "together-ai",
            "api_key": "t",
            "override_params": {"model": "meta-llama/x"},
            "request_timeout": 1_200_000,
            "retry": {"attempts": 1},
        },
        {"provider": "groq"},
        {"targets": []},
    ],
}


def checked(found):
    """Every entry is one that the configuration file takes."""
    document = yaml.safe_load(found.text())
    msgspec.convert(document.get("providers", []), list[ProviderEntry])
    for route in msgspec.convert(document.get("routes", []), list[RouteEntry]):
        route.check(route.name)
    msgspec.convert(document.get("keys", []), list[KeyEntry])
    return document


def test_litellms_deployments_become_providers_and_routes():
    document = checked(import_litellm(yaml.safe_load(LITELLM)))
    routes = {route["name"]: route for route in document["routes"]}
    providers = {provider["name"]: provider for provider in document["providers"]}

    assert routes["gpt-4o"]["strategy"] == "weighted"
    assert routes["gpt-4o"]["targets"] == [
        {"model": "azure/my-gpt4o", "weight": 600},
        {"model": "openai/gpt-4o", "weight": 400},
        {"model": "anthropic/claude-sonnet-4-5", "weight": 0, "timeout_ms": 60_000},
    ]
    assert routes["gpt-4o"]["retries"] == 2
    assert routes["claude"]["targets"] == [{"model": "anthropic/claude-sonnet-4-5", "timeout_ms": 60_000}]
    told = {name: route["timeout_ms"] for name, route in routes.items()}
    longest = {"gpt-4o": 60_000, "claude": 60_000, "gpt-4": 60_000}
    assert told == {"local": 45_000, "bedrock-claude": 45_000, **longest}
    assert routes["gpt-4o"]["cache"] == {"mode": "semantic", "ttl": 600, "threshold": 0.8}
    assert routes["gpt-4"]["targets"] == routes["gpt-4o"]["targets"]
    assert providers["azure"] == {
        "name": "azure",
        "kind": "azure",
        "base_url": "https://noor-eu.openai.azure.com/openai",
        "api_key": {"env": "AZURE_API_KEY"},
        "options": {"api_version": "2024-10-21"},
    }
    assert providers["vllm"]["models"] == [{"id": "llama-3", "input_usd_per_mtok": 0.1, "output_usd_per_mtok": 0.2}]
    assert providers["anthropic"]["api_key"] == "sk-ant-literal"
    assert providers["bedrock"]["options"] == {"region": "eu-west-1"}
    assert document["keys"] == [{"name": "master", "value": {"env": "LITELLM_MASTER_KEY"}}]


@pytest.mark.parametrize(
    "words",
    [
        "model_list[1].litellm_params.temperature: a parameter of the call",
        "model_list[0].litellm_params.rpm: no rate of one target here",
        "model_list[2].litellm_params.stream_timeout: a target has one `timeout_ms`",
        "model_list[4]: no route for a pattern: ask for `openai/<model>` instead",
        "model_list[5]: the catalogue knows no provider for `nobody/knows`",
        "model_list[7]: `bedrock` needs the option `region`",
        "fallbacks of `nothing`: there is no route of this name",
        "litellm_settings.success_callback: there is nothing like it",
        "router_settings.allowed_fails: there is nothing like it",
        "general_settings.database_url: a setting of LiteLLM's own server",
        "general_settings.master_key: taken over from LITELLM_MASTER_KEY",
    ],
)
def test_what_litellm_said_and_is_not_carried_over_is_told_with_its_reason(words):
    found = import_litellm(yaml.safe_load(LITELLM))

    assert any(line.startswith(words) for line in found.left_out), found.left_out
    assert f"# - {words}" in found.text()
    assert not any("drop_params" in line for line in found.left_out)


def test_a_portkey_config_becomes_one_route():
    found = import_portkey(PORTKEY, name="My Route")
    document = checked(found)
    [route] = document["routes"]

    assert (route["name"], route["strategy"], route["retries"], route["timeout_ms"]) == (
        "my-route",
        "fallback",
        3,
        1_200_000,
    )
    assert route["cache"] == {"mode": "semantic", "ttl": 60}
    assert route["targets"] == [
        {
            "model": "anthropic/claude-sonnet-4-5",
            "weight": 70,
            "timeout_ms": 9000,
            "when": {"metadata.plan": "paid"},
        },
        {"model": "openai/gpt-4o-mini", "timeout_ms": 9000},
        {"model": "together/meta-llama/x", "timeout_ms": 1_200_000},
    ]
    assert [provider["api_key"] for provider in document["providers"]] == ["sk-1", {"env": "ANTHROPIC_API_KEY"}, "t"]
    told = "\n".join(found.left_out)
    for words in (
        "targets[0].override_params.seed: a parameter of the call",
        "targets[1].virtual_key: Portkey keeps that key",
        "targets[2].retry: it stands at the whole route",
        "targets[3]: it names no model",
        "targets[4].targets: a target with targets of its own",
        "strategy.conditions[1]: only equality",
        "retry.on_status_codes: ",
    ):
        assert words in told


def test_a_single_provider_and_a_loadbalancer_are_taken_too():
    single = import_portkey({"provider": "openai", "api_key": "sk", "override_params": {"model": "gpt-4o"}}, name="one")
    balanced = import_portkey(
        {
            "strategy": {"mode": "loadbalance"},
            "targets": [
                {"provider": "openai", "api_key": "a", "weight": 0.25, "override_params": {"model": "gpt-4o"}},
                {"provider": "openai", "api_key": "b", "weight": 0.75, "override_params": {"model": "@openai/gpt-4o"}},
            ],
        },
        name="two",
    )

    assert "timeout_ms" not in checked(single)["routes"][0]
    assert checked(single)["routes"][0]["targets"] == [{"model": "openai/gpt-4o"}]
    assert checked(balanced)["routes"][0]["targets"] == [
        {"model": "openai/gpt-4o", "weight": 25},
        {"model": "openai-2/gpt-4o", "weight": 75},
    ]


@pytest.mark.parametrize("content", [None, [], "text", {"a": 1}, {"model_list": {}}])
def test_what_is_no_such_file_is_said(content):
    with pytest.raises(UnableToImport):
        import_litellm(content)


@pytest.mark.engines
@pytest.mark.django_db
def test_what_the_command_writes_is_what_brokle_starts_with(tmp_path, settings, monkeypatch):
    for name, value in (("OPENAI_API_KEY", "sk-o"), ("AZURE_API_KEY", "az"), ("LITELLM_MASTER_KEY", "bk_" + "m" * 24)):
        monkeypatch.setitem(env._values, name, value)
    source, made = tmp_path / "config.yaml", tmp_path / "brokle.yaml"
    source.write_text(LITELLM)
    done = CliRunner().invoke(app, ["import", "litellm", str(source), "--out", str(made)])
    settings.CONFIG = str(made)
    apply_configuration()

    assert done.exit_code == 0, done.output
    assert "5 providers, 5 routes, 1 keys" in done.output
    [project] = {c.provider.organization_id for c in Credential.objects.across_organizations()}
    from apps.orgs import facade as orgs

    book = decode_book(compile_book(orgs.list_project_ids(organization_id=project)[0]))
    assert {route.name for route in book.routes} == {"gpt-4o", "claude", "local", "bedrock-claude", "gpt-4"}
    assert sorted(open_secret(c) for c in Credential.objects.of(project)) == ["az", "sk-ant-literal", "sk-o"]


def test_the_command_prints_json_and_one_line_errors(tmp_path):
    source = tmp_path / "fast.json"
    source.write_text(json.dumps({"provider": "openai", "api_key": "sk", "override_params": {"model": "gpt-4o"}}))
    shown = CliRunner().invoke(app, ["import", "portkey", str(source), "--json"])
    broken = CliRunner().invoke(app, ["import", "litellm", str(source)])

    assert yaml.safe_load(json.loads(shown.output)["config"])["routes"][0]["name"] == "fast"
    assert broken.exit_code == 1
    assert "this is no LiteLLM configuration" in broken.output
