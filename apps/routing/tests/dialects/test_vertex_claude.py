"""Claude in Google's cloud: calls judged by what Anthropic's own client for it sends."""

import json

import httpx2
import pytest
from anthropic import AnthropicVertex

from apps.routing.edge.asks import Ask
from apps.routing.edge.controls import Controls
from apps.routing.edge.conversation import Conversation, Text, Turn
from apps.routing.edge.dialects.anthropic.messages import CountFormat, MessagesFormat
from apps.routing.edge.dialects.catalog import dialect_of
from apps.routing.edge.dialects.vertex.claude import ClaudeOnVertex
from apps.routing.edge.dialects.vertex.dialect import Vertex
from apps.routing.edge.reply import Failed
from brokle.kernel.errors import Unavailable

OPTIONS = {"project": "p1", "location": "europe-west1"}
SONNET = "claude-sonnet-4-5@20250929"
HI = [{"role": "user", "content": "hi"}]
CLAUDE = dialect_of("vertex", SONNET)


def base(location):
    return f"https://{location}-aiplatform.googleapis.com/v1"


def sent_by_anthropics_client(location, ask):
    calls = []

    def answer(request):
        calls.append(request)
        return httpx2.Response(400, json={})

    with (
        httpx2.Client(transport=httpx2.MockTransport(answer)) as http,
        AnthropicVertex(region=location, project_id="p1", access_token="t", http_client=http, max_retries=0) as client,
        pytest.raises(Exception, match="400"),
    ):
        ask(client.messages)
    [call] = calls
    return str(call.url), json.loads(call.content), call.headers["authorization"]


def asked(body, headers=()):
    return Ask(body["model"], json.dumps(body).encode(), Controls(), None, light=LIGHT, headers=headers)


class LIGHT:
    model = "somebody/claude"
    brokle = b""
    drop_unsupported = None


@pytest.mark.parametrize("location", ["europe-west1", "global", "us", "eu"])
@pytest.mark.parametrize("is_stream", [False, True])
def test_a_call_is_the_one_that_anthropics_client_makes(location, is_stream):
    wish = {"model": SONNET, "max_tokens": 9, "messages": HI, "stream": is_stream}
    url, body, authorization = sent_by_anthropics_client(location, lambda messages: messages.create(**wish))

    options = {"project": "p1", "location": location}
    assert CLAUDE.address(base(location), "messages", SONNET, options, is_stream=is_stream) == url
    ask = asked(wish | {"model": "somebody/claude"}, (("anthropic-version", "2026-10-21"),))
    relayed = MessagesFormat().relayed(ask, SONNET)
    assert json.loads(CLAUDE.fitted(relayed, "messages", ask)) == body
    assert CLAUDE.headers("t", options) == {"authorization": authorization}


def test_tokens_are_counted_there_as_anthropics_client_asks():
    wish = {"model": SONNET, "messages": HI}
    url, body, _ = sent_by_anthropics_client("europe-west1", lambda messages: messages.count_tokens(**wish))

    assert CLAUDE.address(base("europe-west1"), "count_tokens", SONNET, OPTIONS, is_stream=False) == url
    ask = asked(wish | {"model": "somebody/claude"}, (("anthropic-version", "2026-10-21"),))
    relayed = CountFormat().relayed(ask, f"anthropic/{SONNET}")
    assert json.loads(CLAUDE.fitted(relayed, "count_tokens", ask)) == body


@pytest.mark.parametrize(
    ("headers", "said", "edition"),
    [
        ((), {}, "vertex-2023-10-16"),
        ((("anthropic-version", "2023-06-01"),), {}, "vertex-2023-10-16"),
        ((("anthropic-version", "2027-01-01"),), {}, "2027-01-01"),
        ((("anthropic-version", "2027-01-01"),), {"anthropic_version": "mine"}, "mine"),
    ],
)
def test_the_edition_is_the_callers(headers, said, edition):
    ask = asked({"model": "somebody/claude", "messages": HI, **said}, headers)
    assert json.loads(CLAUDE.fitted(ask.body, "messages", ask))["anthropic_version"] == edition


def test_what_others_ask_is_written_in_the_first_edition():
    conversation = Conversation([Turn("user", [Text("hi")])], max_output=9)
    assert json.loads(CLAUDE.write_request(conversation, f"anthropic/{SONNET}")) == {
        "anthropic_version": "vertex-2023-10-16",
        "max_tokens": 9,
        "messages": HI,
    }


def test_claude_is_known_by_the_models_name():
    assert type(dialect_of("vertex", "vertex_ai/claude-opus-4-5@20251101")) is ClaudeOnVertex
    assert type(dialect_of("vertex", "gemini-2.5-pro")) is Vertex
    assert type(dialect_of("anthropic", SONNET)) is not ClaudeOnVertex
    with pytest.raises(Unavailable, match="project"):
        CLAUDE.address(base("here"), "chat", SONNET, {}, is_stream=False)


def test_refusals_are_claudes_or_googles():
    claudes = b'{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}'
    assert CLAUDE.read_refusal(529, claudes) == Failed("Overloaded", "overloaded_error", status=529)
    googles = b'[{"error": {"code": 429, "message": "Quota exceeded", "status": "RESOURCE_EXHAUSTED"}}]'
    failure = Failed("Quota exceeded", "rate_limit_error", "RESOURCE_EXHAUSTED", status=429)
    assert CLAUDE.read_refusal(429, googles) == failure
