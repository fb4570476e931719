"""Vertex: addresses, tokens fetched with a service account, judged by Google's own library for such tokens."""

import asyncio
import json

import pytest
from google.auth import jwt

from apps.routing.edge.dialects.openai.requests import read_request as read_chat
from apps.routing.edge.dialects.purposes import Text
from apps.routing.edge.dialects.speech import CannotExpress
from apps.routing.edge.dialects.tokens import Tokens
from apps.routing.edge.dialects.vertex.dialect import Vertex
from apps.routing.edge.dialects.vertex.embeddings import VertexEmbedder
from apps.routing.edge.dialects.vertex.tokens import find_account
from apps.routing.edge.usage import Usage
from brokle.edge.egress import EgressClient, Policy
from brokle.kernel.errors import Unavailable, UpstreamFailed
from tests.fakes.google_tokens import token_service

VERTEX = Vertex("vertex", "Vertex AI")
OPTIONS = {"project": "p1", "location": "europe-west1"}
NOW = 1_800_000_000.0


def test_an_address_names_project_region_and_model():
    base = "https://europe-west1-aiplatform.googleapis.com/v1"
    place = f"{base}/projects/p1/locations/europe-west1/publishers/google/models/gemini-2.5-flash"
    assert VERTEX.address(base, "chat", "gemini-2.5-flash", OPTIONS, is_stream=False) == f"{place}:generateContent"
    streamed = VERTEX.address(base, "chat", "gemini-2.5-flash", OPTIONS, is_stream=True)
    assert streamed == f"{place}:streamGenerateContent?alt=sse"
    assert VERTEX.address(base, "embeddings", "gemini-2.5-flash", OPTIONS, is_stream=False) == f"{place}:predict"


def test_the_region_of_all_regions_has_an_address_without_one():
    found = VERTEX.address(
        "https://global-aiplatform.googleapis.com/v1",
        "chat",
        "m",
        {"project": "p1", "location": "global"},
        is_stream=False,
    )
    assert found.startswith("https://aiplatform.googleapis.com/v1/projects/p1/locations/global/publishers/google/")


def test_without_a_project_nobody_can_be_asked():
    with pytest.raises(Unavailable, match="project"):
        VERTEX.address("https://x-aiplatform.googleapis.com/v1", "chat", "m", {}, is_stream=False)


def test_what_is_no_key_file_is_a_token_as_it_is():
    assert VERTEX.headers("ya29.token", {}) == {"authorization": "Bearer ya29.token"}
    file = json.dumps({"type": "service_account", "client_email": "a@b", "private_key": "PEM"})
    assert VERTEX.headers(file, {}) == {}
    assert find_account(file).token_uri == "https://oauth2.googleapis.com/token"


def written(**members):
    body = json.dumps({"model": "any", "messages": [{"role": "user", "content": "hi"}], **members}).encode()
    return json.loads(
        VERTEX.write_request(read_chat(body, is_stream=False, drops_unsupported=False), "gemini-2.5-flash")
    )


def test_in_the_cloud_calls_have_labels_and_no_tiers():
    assert written(metadata={"team": "a"})["labels"] == {"team": "a"}
    with pytest.raises(CannotExpress, match="service_tier"):
        written(service_tier="flex")


def test_embeddings_are_predictions():
    embedder = VertexEmbedder()
    assert json.loads(embedder.write([Text("a")], 2, "m")) == {
        "instances": [{"content": "a"}],
        "parameters": {"outputDimensionality": 2},
    }
    answer = (
        b'{"predictions": [{"embeddings": {"values": [0.5], "statistics": {"token_count": 3, "truncated": false}}}]}'
    )
    assert embedder.read(answer) == ([[0.5]], Usage(input=3))


@pytest.fixture
def google():
    with token_service() as found:
        yield found


@pytest.fixture
def service(google):
    return google[0]


@pytest.fixture
def account(google):
    return find_account(google[1])


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def open_egress():
    return EgressClient(Policy(allow=("127.0.0.1",)))


async def test_many_calls_wait_for_one_token_and_keep_it_until_shortly_before_its_end(service, account, clock):
    async with open_egress() as egress:
        signer = Tokens(account, egress, clock)
        found = await asyncio.gather(*(signer.headers("", b"") for _ in range(20)))
        assert set(found) == {(("authorization", "Bearer token-1"),)}
        clock.now = NOW + 3299
        assert await signer.headers("", b"") == found[0]
        clock.now = NOW + 3300
        assert await signer.headers("", b"") == (("authorization", "Bearer token-2"),)
    assert len(service.calls) == 2
    header = jwt.decode_header(service.calls[0].body["assertion"])
    assert header == {"alg": "RS256", "typ": "JWT", "kid": "k1"}


async def test_a_refusal_has_googles_words_and_the_next_call_asks_again(service, account, clock):
    with token_service() as (_, strangers_file):
        account.private_key = find_account(strangers_file).private_key
    async with open_egress() as egress:
        signer = Tokens(account, egress, clock)
        for _ in range(2):
            with pytest.raises(UpstreamFailed, match="no token to the service account: Could not verify"):
                await signer.headers("", b"")
    assert len(service.calls) == 2


async def test_a_key_that_is_none_is_said_and_nobody_is_asked(service, account, clock):
    account.private_key = "no key"
    async with open_egress() as egress:
        with pytest.raises(Unavailable, match="not a PEM key"):
            await Tokens(account, egress, clock).headers("", b"")
    assert service.calls == []
