"""Where a provider's key goes, and what happens when it is refused."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from openai import AuthenticationError, BadRequestError

from tests.fakes.gemini_provider import TEXT
from tests.house import BOOTSTRAP_KEY

pytestmark = [pytest.mark.engines]

HI = [{"role": "user", "content": "hi"}]
CHAT = {"model": "mock/gpt-4o-mini", "messages": HI}
PARTS = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
EVERY_FORMAT = {
    "/v1/chat/completions": CHAT,
    "/v1/completions": {"model": "mock/gpt-4o-mini", "prompt": "hi"},
    "/v1/responses": {"model": "gpt/gpt-5", "input": "hi"},
    "/v1/embeddings": {"model": "mock/embedder", "input": "hi"},
    "/v1/images/generations": {"model": "mock/painter", "prompt": "hi"},
    "/v1/moderations": {"model": "mock/gpt-4o-mini", "input": "hi"},
    "/v1/rerank": {"model": "cohere/rerank-v3.5", "query": "hi", "documents": ["a"]},
    "/v1/audio/speech": {"model": "mock/gpt-4o-mini", "input": "hi", "voice": "alloy"},
    "/v1/messages": {"model": "claude/claude-sonnet-4-5", "max_tokens": 5, "messages": HI},
    "/v1/messages/count_tokens": {"model": "claude/claude-sonnet-4-5", "messages": HI},
    "/v1beta/models/google/gemini-2.5-flash:generateContent": PARTS,
    "/v1beta/models/google/gemini-2.5-flash:streamGenerateContent": PARTS,
    "/v1beta/models/google/gemini-embedding-001:embedContent": {"content": {"parts": [{"text": "hi"}]}},
    "/openai/deployments/azure/gpt-4o/chat/completions": {"messages": HI},
    "/v1/chat/completions?to=anthropic": {**CHAT, "model": "claude/claude-sonnet-4-5"},
    "/v1/chat/completions?to=google": {**CHAT, "model": "google/gemini-2.5-flash"},
    "/v1/chat/completions?to=bedrock": {**CHAT, "model": "aws/amazon.nova-lite-v1:0"},
    "/v1/chat/completions?to=cohere": {**CHAT, "model": "cohere/command-a-03-2025"},
    "/v1/chat/completions?to=ollama": {**CHAT, "model": "ollama/qwen3:8b"},
    "/v1/chat/completions?to=replicate": {**CHAT, "model": "rep/openai/gpt-4o-mini"},
}


@pytest.fixture(scope="module")
def thief():
    """A server that a caller would like to be called, and what it heard."""
    heard = []

    class Listening(BaseHTTPRequestHandler):
        def do_POST(self):
            heard.append((self.path, dict(self.headers)))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        do_GET = do_POST  # noqa: N815 - http.server's name

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Listening) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", heard
        server.shutdown()


@pytest.mark.parametrize("is_kept_quiet", [False, True])
@pytest.mark.parametrize("path", EVERY_FORMAT)
def test_nothing_that_a_caller_says_moves_a_key_elsewhere(home, thief, path, is_kept_quiet):
    """Other gateways take an address from the caller; here it is one more member that means nothing to us."""
    url, heard = thief
    said = {
        **dict.fromkeys(("api_base", "base_url", "baseUrl", "api_url", "endpoint", "host", "custom_host"), f"{url}/v1"),
        **dict.fromkeys(("api_key", "apiKey", "organization"), "sk-of-a-thief"),
        "extra_body": {"api_base": url},
        "extra_headers": {"host": url.removeprefix("http://")},
    }
    body = {**EVERY_FORMAT[path], **said, **({"drop_unsupported": True} if is_kept_quiet else {})}
    names = ("x-portkey-custom-host", "x-litellm-api-base", "x-brokle-base-url", "x-base-url", "openai-base-url")
    headers = {
        "authorization": f"Bearer {BOOTSTRAP_KEY}",
        "content-type": "application/json",
        "x-forwarded-host": url.removeprefix("http://"),
        **dict.fromkeys(names, f"{url}/v1"),
    }
    query = f"{'&' if '?' in path else '?'}api_base={url}&base_url={url}&api_key=sk-of-a-thief"
    answer = home.request("POST", path + query, json.dumps(body).encode(), headers)
    assert answer.status < 500, answer.body
    assert heard == []


def test_a_key_that_google_calls_a_wrong_request_gives_way_to_the_next_one(client, gemini, row):
    gemini.calls.clear()
    raw = client.chat.completions.with_raw_response.create(model="google-two-keys/gemini-2.5-flash", messages=HI)
    assert raw.parse().choices[0].message.content == TEXT
    keys = [call.headers["x-goog-api-key"] for call in gemini.calls]
    assert keys in (["AIza-wrong", "AIza-mock"], ["AIza-mock"])
    assert row(raw.headers["x-request-id"])["status"] == 200
    with pytest.raises(BadRequestError, match="API key not valid"):
        client.chat.completions.create(model="google-wrong-key/gemini-2.5-flash", messages=HI)
    reply = client.chat.completions.create(model="wrong-key-or-gpt", messages=HI)
    assert reply.choices[0].message.content == TEXT


def test_a_call_that_failed_names_who_was_asked_last(client, row):
    with pytest.raises(AuthenticationError) as refused:
        client.chat.completions.create(model="mock/tells-the-key", messages=HI)
    response = refused.value.response
    assert (response.headers["x-brokle-provider"], response.headers["x-brokle-model"]) == ("mock", "tells-the-key")
    found = row(response.headers["x-request-id"])
    assert (found["provider"], found["model"], found["status"]) == ("mock", "tells-the-key", 401)
    assert (found["cost_usd_nanos"], found["price_version"]) == (0, "")
    with pytest.raises(BadRequestError) as unsaid:
        client.chat.completions.create(model="claude/claude-sonnet-4-5", messages=HI, n=2)
    assert row(unsaid.value.response.headers["x-request-id"])["provider"] == ""


def test_looking_at_a_kept_answer_is_in_the_log_and_free(client, row):
    made = client.responses.create(model="gpt/gpt-5", input="hi")
    looked = client.responses.with_raw_response.retrieve(made.id)
    items = client.responses.input_items.with_raw_response.list(made.id)
    deleted = client.responses.with_raw_response.delete(made.id)
    for raw, endpoint in ((looked, "retrieve"), (items, "input_items"), (deleted, "delete")):
        found = row(raw.headers["x-request-id"])
        assert (found["endpoint"], found["status"], found["provider"]) == (f"responses.{endpoint}", 200, "gpt")
        assert (found["cost_usd_nanos"], found["attempts"], found["output_tokens"]) == (0, 1, 0)
    gone = client.responses.with_raw_response
    with pytest.raises(Exception, match="providers that keep answers") as missing:
        gone.retrieve(made.id)
    found = row(missing.value.response.headers["x-request-id"])
    assert (found["endpoint"], found["status"]) == ("responses.retrieve", 404)
    assert found["error_code"] == "response_not_found"
