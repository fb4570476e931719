"""Which providers keep answers, and which servers know Responses at all."""

import pytest

from apps.routing.edge.book import BookRecord, ModelRecord, ProviderRecord, RouteRecord, TargetRecord
from apps.routing.edge.dialects.openai.chat import ChatFormat
from apps.routing.edge.dialects.responses.responses import ResponsesFormat
from apps.routing.edge.plan import Book
from apps.routing.edge.workshop import Workshop
from brokle.edge.egress import EgressClient, Policy

SERVES = ["chat", "responses"]


def provider(name, dialect="openai", base_url="https://a.example/v1", endpoints=SERVES, **options):
    models = [ModelRecord("m", "m")]
    return ProviderRecord(
        name, name, dialect, base_url, models=models, kind=dialect, options=options, endpoints=list(endpoints)
    )


PROVIDERS = [
    provider("gpt"),
    provider("azure", "azure", "https://noor.openai.azure.com/openai"),
    provider("chatty", endpoints=["chat"]),
    provider("own", "openai-compatible"),
    provider("old", "openai-compatible", responses="no"),
    provider("new", "openai-compatible", endpoints=["chat"], responses="yes"),
    provider("claude", "anthropic"),
]
ROUTES = [RouteRecord("r", "fast", 1, "fallback", [TargetRecord("azure/m"), TargetRecord("claude/m")])]


@pytest.fixture
async def book():
    async with EgressClient(Policy()) as egress:
        yield Book(BookRecord("p", PROVIDERS, ROUTES), Workshop(egress, None, lambda _kind, _model: None))


@pytest.mark.parametrize(
    ("allowed", "found"),
    [
        ([], ["gpt", "azure", "new"]),
        (["gpt/m"], ["gpt"]),
        (["fast"], ["azure"]),
        (["claude/m", "chatty/m", "own/m", "nobody/m", "nobody"], []),
    ],
)
async def test_answers_are_kept_by_those_that_serve_responses(book, allowed, found):
    assert [upstream.provider for upstream in book.keepers(allowed)] == found


async def test_an_answer_is_looked_for_where_it_was_given(book):
    gpt, azure, *_ = book.keepers([])
    assert gpt.place_of_answers("/resp_1", "") == "https://a.example/v1/responses/resp_1"
    assert gpt.place_of_answers("/resp_1/input_items", "limit=2") == (
        "https://a.example/v1/responses/resp_1/input_items?limit=2"
    )
    assert azure.place_of_answers("/resp_1", "") == "https://noor.openai.azure.com/openai/v1/responses/resp_1"


@pytest.mark.parametrize(
    ("name", "speaks"),
    [("gpt", True), ("chatty", False), ("own", True), ("old", False), ("new", True), ("claude", False)],
)
async def test_responses_are_relayed_only_to_who_serves_them(book, name, speaks):
    upstream = book.find(f"{name}/m")
    assert upstream.speaks(ResponsesFormat()) is speaks
    assert upstream.speaks(ChatFormat()) is (name != "claude")


@pytest.mark.parametrize(
    ("name", "status", "body", "lacks"),
    [
        ("own", 404, b'{"detail":"Not Found"}', True),
        ("own", 405, b"", True),
        ("own", 501, b"", True),
        ("own", 404, b'{"message":"The model `m` does not exist."}', False),
        ("own", 400, b"", False),
        ("own", 500, b"", False),
        ("new", 404, b"", False),
        ("gpt", 404, b"", False),
        ("azure", 404, b"", False),
    ],
)
async def test_only_a_server_of_ones_own_may_turn_out_to_lack_them(book, name, status, body, lacks):
    upstream = book.find(f"{name}/m")
    assert upstream.lacks("responses", status, body) is lacks
    assert not upstream.lacks("chat", status, body)
