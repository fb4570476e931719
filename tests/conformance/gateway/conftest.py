"""A house with one provider beside it, configured by file, asked by official SDKs."""

import json
import os

import pytest
from anthropic import Anthropic
from openai import OpenAI

from brokle.engines.clickhouse_url import connect
from tests.conformance.gateway.report import RESULTS
from tests.fakes.anthropic_provider import MODELS as CLAUDES
from tests.fakes.anthropic_provider import anthropic_provider
from tests.fakes.azure_provider import CLIENT, SECRET, TENANT, azure_provider
from tests.fakes.azure_provider import KEY as AZURE_KEY
from tests.fakes.bedrock_provider import ACCESS_KEY, BEARER, REGION, SECRET_KEY, bedrock_provider
from tests.fakes.bedrock_provider import MODELS as BEDROCKS
from tests.fakes.cohere_provider import KEY as COHERE_KEY
from tests.fakes.cohere_provider import MODELS as COHERES
from tests.fakes.cohere_provider import cohere_provider
from tests.fakes.gemini_provider import KEY as GEMINI_KEY
from tests.fakes.gemini_provider import MODELS as GEMINIS
from tests.fakes.gemini_provider import gemini_provider
from tests.fakes.google_tokens import token_service
from tests.fakes.model_provider import model_provider
from tests.fakes.near_openai import mistral_provider, ollama_provider
from tests.fakes.replicate_provider import KEY as REPLICATE_KEY
from tests.fakes.replicate_provider import MODELS as REPLICATES
from tests.fakes.replicate_provider import VERSION, replicate_provider
from tests.fakes.responses_provider import KEY as OPENAI_KEY
from tests.fakes.responses_provider import MODELS as GPTS
from tests.fakes.responses_provider import responses_provider
from tests.house import BOOTSTRAP_KEY, house

_MODELS = (
    "gpt-4o-mini",
    "rate-limited",
    "rate-limited-briefly",
    "too-hot",
    "broken",
    "cut",
    "cut-at-once",
    "error-within",
    "endless",
    "paced",
    "tool-caller",
    "too-short",
    "wordy",
    "tells-the-key",
)


_LIMITS_AND_ROUTES = """
limits:
  - {name: each-user, per: user, requests: 5, window: hour}
  - {name: slow-model, per: model, only: mock/endless, parallel: 3}
  - {name: trial-route, per: route, only: trial, usd: 0.30, window: total}
routes:
  - {name: trial, targets: [{model: mock/ten-cents}]}
  - {name: fast, targets: [{model: mock/gpt-4o-mini}]}
  - {name: hot-or-not, retries: 2, targets: [{model: mock/too-hot}, {model: mock/gpt-4o-mini}]}
  - {name: patient, retries: 2, targets: [{model: mock/rate-limited-briefly}]}
  - {name: safe, targets: [{model: mock/broken}, {model: away/any}, {model: mock/gpt-4o-mini}]}
  - {name: safe-stream, targets: [{model: mock/cut-at-once}, {model: mock/gpt-4o-mini}]}
  - {name: late, targets: [{model: mock/cut}, {model: mock/gpt-4o-mini}]}
  - {name: any-claude, targets: [{model: claude/claude-overloaded}, {model: claude/claude-sonnet-4-5}]}
  - {name: claude-or-gpt, targets: [{model: claude/claude-cut-at-once}, {model: mock/gpt-4o-mini}]}
  - {name: gpt-or-claude, targets: [{model: mock/broken}, {model: claude/claude-sonnet-4-5}]}
  - {name: wrong-key-or-gpt, targets: [{model: google-wrong-key/gemini-2.5-flash}, {model: mock/gpt-4o-mini}]}
  - {name: gemini-or-gpt, targets: [{model: google/gemini-overloaded}, {model: mock/gpt-4o-mini}]}
  - {name: gpt-or-claude-answers, targets: [{model: gpt/gpt-limited}, {model: claude/claude-sonnet-4-5}]}
  - {name: safe-azure, fallback_on: [content_policy], targets: [{model: azure/strict}, {model: mock/gpt-4o-mini}]}
  - {name: bedrock-or-gpt, targets: [{model: aws/model-error}, {model: mock/gpt-4o-mini}]}
  - {name: replicate-or-gpt, targets: [{model: rep/acme/failing}, {model: mock/gpt-4o-mini}]}
  - {name: edits, targets: [{model: rep/black-forest-labs/flux-kontext-max}, {model: mock/painter}]}
  - {name: claude-patient, retries: 2, targets: [{model: claude/claude-limited-briefly}]}
  - {name: gpt-5.5, targets: [{model: mock/coder}]}
  - {name: gpt-6-luna, targets: [{model: gpt/gpt-coder}]}
  - {name: gpt-6.2-sol, targets: [{model: mock/coder}]}
  - {name: gpt-6-sol, targets: [{model: claude/claude-coder}]}
"""


def _of_google(gemini_url: str) -> str:
    prices = "input_usd_per_mtok: 1.25, output_usd_per_mtok: 10, cache_read_usd_per_mtok: 0.31"
    geminis = "\n".join(f"      - {{id: {model}, {prices}}}" for model in GEMINIS)
    return f"""  - name: google
    kind: gemini
    base_url: {gemini_url}
    api_key: {GEMINI_KEY}
    models:
{geminis}
  - name: google-two-keys
    kind: gemini
    base_url: {gemini_url}
    api_keys: [{{value: AIza-wrong, weight: 10000}}, {{value: {GEMINI_KEY}, weight: 1}}]
    models:
{geminis}
  - {{name: google-wrong-key, kind: gemini, base_url: "{gemini_url}", api_key: AIza-wrong}}
  - name: google-v1beta
    kind: gemini
    base_url: {gemini_url}/v1beta
    api_key: {GEMINI_KEY}
  - name: cloud
    kind: vertex
    base_url: {gemini_url}/v1
    api_key: {{env: VERTEX_KEY_FILE}}
    options: {{project: p1, location: here}}
    models:
{geminis}
"""


def _of_openai(responses_url: str, azure_url: str) -> str:
    prices = "input_usd_per_mtok: 1.25, output_usd_per_mtok: 10, cache_read_usd_per_mtok: 0.125"
    gpts = "\n".join(f"      - {{id: {model}, {prices}}}" for model in GPTS)
    deployments = f"""    models:
      - {{id: gpt-4o, upstream: my-gpt, {prices}}}
      - {{id: strict, {prices}}}
      - {{id: gone}}
      - {{id: embedder, upstream: my-gpt}}
"""
    return f"""  - name: gpt
    kind: openai
    base_url: {responses_url}
    api_key: {OPENAI_KEY}
    models:
{gpts}
  - name: azure
    kind: azure
    base_url: {azure_url}/openai
    api_key: {AZURE_KEY}
{deployments}  - name: azure-v1
    kind: azure
    base_url: {azure_url}
    api_key: {{env: AZURE_APPLICATION}}
    options: {{api_version: v1}}
{deployments}"""


def _claude_in_cloud(claude_url: str, claudes: str) -> str:
    return f"""  - name: cloud-claude
    kind: vertex-anthropic
    base_url: {claude_url}/v1
    api_key: {{env: VERTEX_KEY_FILE}}
    options: {{project: p1, location: here}}
    models:
{claudes}
  - name: cloud-anybody
    kind: vertex
    base_url: {claude_url}/v1
    api_key: nobodys-token
    options: {{project: p1, location: here}}
"""


def _of_amazon(bedrock_url: str) -> str:
    prices = "input_usd_per_mtok: 3, output_usd_per_mtok: 15, cache_read_usd_per_mtok: 0.3"
    prices += ", cache_write_5m_usd_per_mtok: 3.75, cache_write_1h_usd_per_mtok: 6"
    models = "\n".join(f'      - {{id: "{model}", {prices}}}' for model in BEDROCKS)
    return f"""  - name: aws
    kind: bedrock
    base_url: {bedrock_url}
    api_key: {ACCESS_KEY}:{SECRET_KEY}
    options: {{region: {REGION}}}
    models:
{models}
  - {{name: aws-bearer, kind: bedrock, base_url: "{bedrock_url}", api_key: {BEARER}}}
  - name: aws-elsewhere
    kind: bedrock
    base_url: {bedrock_url}
    api_key: {ACCESS_KEY}:wrong
    options: {{region: {REGION}}}
"""


def _of_cohere(cohere_url: str) -> str:
    prices = "input_usd_per_mtok: 2.5, output_usd_per_mtok: 10"
    models = "\n".join(f"      - {{id: {model}, {prices}}}" for model in COHERES if not model.startswith("rerank"))
    return f"""  - name: cohere
    kind: cohere
    base_url: {cohere_url}
    api_key: {COHERE_KEY}
    models:
      - {{id: rerank-v3.5, request_usd: 0.002}}
{models}
"""


def _near_openai(ollama_url: str, mistral_url: str) -> str:
    return f"""  - {{name: ollama, kind: ollama, base_url: "{ollama_url}"}}
  - {{name: mistral, kind: mistral, base_url: "{mistral_url}", api_key: mistral-mock}}
"""


def _of_replicate(replicate_url: str) -> str:
    prices = "input_usd_per_mtok: 0.05, output_usd_per_mtok: 0.25"
    models = "\n".join(f"      - {{id: {model}, {prices}}}" for model in REPLICATES)
    return f"""  - name: rep
    kind: replicate
    base_url: {replicate_url}/v1
    api_key: {REPLICATE_KEY}
    models:
      - {{id: black-forest-labs/flux-schnell, request_usd: 0.003}}
      - {{id: black-forest-labs/flux-kontext-max, request_usd: 0.08}}
      - {{id: black-forest-labs/flux-fill-pro, request_usd: 0.05}}
      - {{id: hello, upstream: "replicate/hello-world:{VERSION}"}}
{models}
"""


def _configuration(url: str, claude_url: str, gemini_url: str, bedrock_url: str, others: str) -> str:
    prices = "input_usd_per_mtok: 0.15, output_usd_per_mtok: 0.60, cache_read_usd_per_mtok: 0.075, context: 128000"
    models = "\n".join(f"      - {{id: {model}, {prices}}}" for model in _MODELS)
    prices_of_gpt = prices
    prices = "input_usd_per_mtok: 3, output_usd_per_mtok: 15, cache_read_usd_per_mtok: 0.3"
    prices += ", cache_write_5m_usd_per_mtok: 3.75, cache_write_1h_usd_per_mtok: 6"
    claudes = "\n".join(f"      - {{id: {model}, {prices}}}" for model in CLAUDES)
    return f"""
providers:
  - name: mock
    kind: openai-compatible
    base_url: {url}
    api_key: {{env: MOCK_KEY}}
    models:
      - {{id: meta/llama-3, upstream: gpt-4o-mini}}
      - {{id: ten-cents, request_usd: 0.10}}
      - {{id: coder, max_output: 16384, capabilities: [tools], {prices_of_gpt}}}
      - {{id: embedder, input_usd_per_mtok: 0.02}}
      - {{id: painter, input_usd_per_mtok: 5, output_usd_per_mtok: 40}}
      - {{id: ranker, input_usd_per_mtok: 1}}
      - {{id: five-cents-a-token, output_usd_per_mtok: 14285.714286, upstream: gpt-4o-mini}}
{models}
  - name: claude
    kind: anthropic
    base_url: {claude_url}
    api_key: sk-ant-mock
    models:
{claudes}
  - name: claude-v1
    kind: anthropic
    base_url: {claude_url}/v1
    api_key: sk-ant-mock
{_claude_in_cloud(claude_url, claudes)}{_of_google(gemini_url)}{_of_amazon(bedrock_url)}{others}  - name: away
    kind: openai-compatible
    base_url: http://127.0.0.1:1/v1
{_LIMITS_AND_ROUTES}"""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    RESULTS.add(item, report)
    return report


@pytest.fixture(scope="package", autouse=True)
def report():
    """`make conformance-report` keeps what was proved."""
    yield
    if os.environ.get("BROKLE_KEEP_CONFORMANCE"):
        RESULTS.keep()


@pytest.fixture(scope="package")
def provider():
    with model_provider() as found:
        yield found


@pytest.fixture(scope="package")
def claude():
    with anthropic_provider() as found:
        yield found


@pytest.fixture(scope="package")
def gemini():
    with gemini_provider() as found:
        yield found


@pytest.fixture(scope="package")
def bedrock():
    with bedrock_provider() as found:
        yield found


@pytest.fixture(scope="package")
def cohere():
    with cohere_provider() as found:
        yield found


@pytest.fixture(scope="package")
def ollama():
    with ollama_provider() as found:
        yield found


@pytest.fixture(scope="package")
def mistral():
    with mistral_provider() as found:
        yield found


@pytest.fixture(scope="package")
def replicate():
    with replicate_provider() as found:
        yield found


@pytest.fixture(scope="package")
def others(cohere, ollama, mistral, gpt, azure, replicate):
    """Their part of the file."""
    near = _near_openai(ollama.url, mistral.url) + _of_replicate(replicate.url)
    return _of_cohere(cohere.url) + near + _of_openai(gpt.url, azure.url)


@pytest.fixture(scope="package")
def google_tokens():
    with token_service() as found:
        yield found


@pytest.fixture(scope="package")
def gpt():
    with responses_provider() as found:
        yield found


@pytest.fixture(scope="package")
def azure():
    with azure_provider() as found:
        yield found


@pytest.fixture(scope="package")
def application(azure):
    """One of Entra, whose secret fetches tokens."""
    return {"tenant_id": TENANT, "client_id": CLIENT, "client_secret": SECRET, "authority": azure.url}


@pytest.fixture(scope="package")
def home(tmp_path_factory, provider, claude, gemini, bedrock, others, application, google_tokens):
    folder = tmp_path_factory.mktemp("gateway")
    file = folder / "brokle.yaml"
    file.write_text(_configuration(provider.url, claude.url, gemini.url, bedrock.url, others))
    settings = {"BROKLE_CONFIG": str(file), "MOCK_KEY": "sk-mock-1", "BROKLE_EGRESS_ALLOW": "127.0.0.1"}
    settings["VERTEX_KEY_FILE"] = google_tokens[1]
    settings["AZURE_APPLICATION"] = json.dumps(application)
    with house(folder / "data", workers=2, **settings) as started:
        yield started


@pytest.fixture
def client(home):
    with OpenAI(base_url=f"{home.url}/v1", api_key=BOOTSTRAP_KEY, max_retries=0) as found:
        yield found


@pytest.fixture
def anthropic(home):
    with Anthropic(base_url=home.url, api_key=BOOTSTRAP_KEY, max_retries=0) as found:
        yield found


@pytest.fixture
def row(home):
    """Waits for the request's line in the log."""

    def find(request_id: str) -> dict:
        rows = []
        with connect(home.run_file()["urls"]["CLICKHOUSE_URL"]) as database:

            def is_there() -> bool:
                result = database.query(
                    "SELECT * FROM request_logs FINAL WHERE request_id = {id:String}", parameters={"id": request_id}
                )
                rows[:] = list(result.named_results())
                return bool(rows)

            home.wait_for(is_there)
        return rows[0]

    return find
