"""Azure OpenAI: addresses of both forms, keys and tokens, filters; addresses judged by OpenAI's SDK for Azure."""

import asyncio
import json

import pytest
from openai import AzureOpenAI
from openai._models import FinalRequestOptions

from apps.routing.edge.asks import Ask
from apps.routing.edge.book import ModelRecord, ProviderRecord
from apps.routing.edge.causes import Refusal, cause_of
from apps.routing.edge.controls import Controls
from apps.routing.edge.dialects.azure.dialect import Azure, is_token
from apps.routing.edge.dialects.azure.entra import find_application
from apps.routing.edge.dialects.openai.chat import ChatFormat
from apps.routing.edge.dialects.openai.dialect import PATHS
from apps.routing.edge.dialects.openai.passage import Passage
from apps.routing.edge.dialects.openai.plain import no_conversation
from apps.routing.edge.dialects.speech import with_model
from apps.routing.edge.dialects.tokens import Tokens
from apps.routing.edge.lines import Line
from apps.routing.edge.measures import Measure
from apps.routing.edge.upstreams import Upstream
from brokle.edge.egress import EgressClient, Policy
from brokle.kernel.errors import UpstreamFailed
from tests.fakes.azure_provider import CLIENT, FILTERED, KEY, SAFE, SECRET, TENANT, TOKEN, azure_provider
from tests.fakes.model_provider import USAGE, WORDS

AZURE = Azure("azure", "Azure OpenAI")
BASE = "https://noor.openai.azure.com/openai"


def address(operation="chat", base=BASE, model="my-gpt", **options):
    return AZURE.address(base, operation, model, options, is_stream=False)


@pytest.mark.parametrize("operation", sorted(PATHS.keys() - {"moderations", "rerank", "responses"}))
def test_a_dated_address_is_the_one_that_the_sdk_asks(operation):
    client = AzureOpenAI(azure_endpoint="https://noor.openai.azure.com", api_version="2024-10-21", api_key="k")
    options = FinalRequestOptions.construct(method="post", url=PATHS[operation], json_data={"model": "my-gpt"})
    assert address(operation) == str(client._build_request(options).url)


@pytest.mark.parametrize(
    ("base", "options", "found"),
    [
        (
            BASE,
            {"api_version": "2025-04-01-preview"},
            "/deployments/my-gpt/chat/completions?api-version=2025-04-01-preview",
        ),
        (BASE, {"api_version": "v1"}, "/v1/chat/completions"),
        (BASE, {"api_version": "preview"}, "/v1/chat/completions?api-version=preview"),
        (f"{BASE}/v1", {}, "/v1/chat/completions"),
        (f"{BASE}/v1/", {"api_version": "2024-10-21"}, "/deployments/my-gpt/chat/completions?api-version=2024-10-21"),
        ("https://noor.openai.azure.com", {}, "/deployments/my-gpt/chat/completions?api-version=2024-10-21"),
    ],
)
def test_an_address_may_be_given_in_many_ways(base, options, found):
    assert address(base=base, **options) == BASE + found


def test_a_gateway_in_front_keeps_its_own_path():
    assert address(base="https://apim.noor.example/llm") == (
        "https://apim.noor.example/llm/deployments/my-gpt/chat/completions?api-version=2024-10-21"
    )


def test_responses_have_no_dates():
    assert address("responses") == f"{BASE}/v1/responses"
    assert address("responses", api_version="preview") == f"{BASE}/v1/responses?api-version=preview"


def test_a_deployments_name_is_no_way_out_of_the_address():
    assert "/deployments/..%2F..%2Fa%3Fb%23c/chat" in address(model="../../a?b#c")


@pytest.mark.parametrize("format_name", ["openai.moderations", "openai.rerank", "anthropic.messages"])
def test_what_azure_does_not_have_is_not_asked_of_it(format_name):
    assert not AZURE.speaks(format_name)
    assert AZURE.speaks("openai.chat")


def test_a_key_a_token_and_an_application_are_sent_each_in_its_way():
    assert AZURE.headers(KEY, {"auth": "api-key"}) == {"api-key": KEY}
    assert AZURE.headers(TOKEN, {"auth": "api-key"}) == {"authorization": f"Bearer {TOKEN}"}
    assert AZURE.headers("anything", {"auth": "bearer"}) == {"authorization": "Bearer anything"}
    assert AZURE.headers(json.dumps(application("https://x.example")), {"auth": "api-key"}) == {}
    assert AZURE.signer(KEY, {}, None) is None
    assert AZURE.headers("", {}) == {}


@pytest.mark.parametrize("secret", [KEY, "eyJ", "eyJ.x", "", "sk-1.2.3", '{"tenant_id": "t"}', "[]", "5"])
def test_what_is_no_token_and_no_application_is_a_key(secret):
    assert not is_token(secret)
    assert find_application(secret) is None


def application(authority, **more):
    return {"tenant_id": TENANT, "client_id": CLIENT, "client_secret": SECRET, "authority": authority, **more}


def signer(url, egress, **more):
    return Tokens(find_application(json.dumps(application(url, **more))), egress, lambda: 1_800_000_000.0)


async def test_an_applications_token_is_fetched_once():
    with azure_provider() as azure:
        async with EgressClient(Policy(allow=("127.0.0.1",))) as egress:
            tokens = signer(azure.url, egress)
            found = await asyncio.gather(*(tokens.headers("", b"") for _ in range(5)))
    assert set(found) == {(("authorization", f"Bearer {TOKEN}"),)}
    assert [call.path for call in azure.calls] == [f"/{TENANT}/oauth2/v2.0/token"]


async def test_a_wrong_secret_is_said_in_entras_words_and_without_the_secret():
    with azure_provider() as azure:
        async with EgressClient(Policy(allow=("127.0.0.1",))) as egress:
            with pytest.raises(UpstreamFailed, match="Entra gave no token to the application: AADSTS7000215") as failed:
                await signer(azure.url, egress, client_secret="wrong~secret").headers("", b"")
    assert "wrong~secret" not in str(failed.value)


class Answered:
    status = 400

    def header(self, name, default=""):
        return default


def test_what_the_filter_refuses_is_a_matter_of_content():
    upstream = Upstream(ProviderRecord("p", "azure", "azure", BASE), ModelRecord("x", "x"), [], None, Measure())
    ask = Ask("azure/x", b"{}", Controls(), no_conversation)
    body = json.dumps({"error": FILTERED}).encode()
    line = Line(ChatFormat(), ask, upstream)
    assert cause_of(Refusal(line, Answered(), body)) == "content_policy"
    assert line.refusal(400, body, "req_1") == body
    failure = AZURE.read_refusal(400, body)
    assert (failure.code, failure.param, failure.status) == ("content_filter", "prompt", 400)


def event(**members):
    return b"data: " + json.dumps(members, separators=(",", ":")).encode() + b"\n\n"


@pytest.mark.parametrize("size", [1, 50, 100_000])
def test_the_filters_event_survives_and_the_name_is_learned_from_the_next(size):
    filters = [{"prompt_index": 0, "content_filter_results": SAFE}]
    first = event(choices=[], created=0, id="", model="", object="", prompt_filter_results=filters)
    head = {"id": "c", "model": "gpt-4o-2024-11-20"}
    words = [event(**head, choices=[{"index": 0, "delta": {"content": word}}]) for word in WORDS]
    end = event(**head, choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
    raw = b"".join([first, *words, end, event(**head, choices=[], usage=USAGE), b"data: [DONE]\n\n"])
    passage = Passage("azure/gpt-4o", wants_usage=True, metadata=None)
    out = b"".join(passage.feed(raw[at : at + size]) for at in range(0, len(raw), size)) + passage.finish()
    assert out == first + raw[len(first) :].replace(b"gpt-4o-2024-11-20", b"azure/gpt-4o")
    assert (passage.is_done, passage.usage.total) == (True, 18)


def test_a_stream_that_never_says_its_model_passes():
    passage = Passage("x", wants_usage=True, metadata=None)
    pieces = [event(choices=[{"index": 0, "delta": {"content": str(n)}}]) for n in range(20)]
    assert b"".join(passage.feed(piece) for piece in pieces) == b"".join(pieces)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"messages": []}', b'{"messages":[],"model":"a/b"}'),
        (b'{"model": "other", "x": 1.0}', b'{"model":"a/b","x":1.0}'),
        (b"[]", b"[]"),
        (b"{", b"{"),
        (b"\xff", b"\xff"),
    ],
)
def test_the_model_of_the_address_counts(body, found):
    assert with_model(body, "a/b") == found
