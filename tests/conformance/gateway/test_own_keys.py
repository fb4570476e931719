"""Keys that callers bring, by official SDKs: used where they belong, and found nowhere after."""

import json

import psycopg
import pytest
from anthropic import PermissionDeniedError as AnthropicRefused
from google import genai
from google.genai import types
from google.genai.errors import ClientError
from openai import AuthenticationError, BadRequestError, PermissionDeniedError

from tests.house import BOOTSTRAP_KEY

pytestmark = [pytest.mark.engines]

SECRET = "sk-brought-by-its-owner-0123456789"
HEADER = "x-brokle-provider-key"
HI = [{"role": "user", "content": "hi"}]
ADMIN = {"authorization": f"Bearer {BOOTSTRAP_KEY}", "content-type": "application/json"}


def ask(client, model, brought, **more):
    return client.chat.completions.with_raw_response.create(
        model=model, messages=HI, extra_headers={HEADER: brought}, **more
    )


def allow(home, allows):
    body = json.dumps({"allows_own_keys": allows}).encode()
    assert home.request("PATCH", "/api/v1/gateway/settings", body, ADMIN).status == 200
    chat = json.dumps({"model": "mock/gpt-4o-mini", "messages": HI}).encode()
    expected = 200 if allows else 403

    def everybody_knows():
        statuses = [
            home.request("POST", "/v1/chat/completions", chat, {**ADMIN, HEADER: f"mock={SECRET}"}).status
            for _ in range(8)
        ]
        return statuses == [expected] * 8

    home.wait_for(everybody_knows)


@pytest.fixture
def allowed(home):
    allow(home, allows=True)
    yield
    allow(home, allows=False)


def test_without_permission_every_format_says_so_and_nobody_is_called(home, client, anthropic, provider):
    provider.calls.clear()
    with pytest.raises(PermissionDeniedError) as refused:
        ask(client, "mock/gpt-4o-mini", f"mock={SECRET}")
    assert refused.value.code == "own_keys_not_allowed"
    with pytest.raises(AnthropicRefused):
        anthropic.messages.create(
            model="mock/gpt-4o-mini", max_tokens=5, messages=HI, extra_headers={HEADER: f"mock={SECRET}"}
        )
    options = types.HttpOptions(base_url=home.url, headers={HEADER: f"mock={SECRET}"})
    with genai.Client(api_key=BOOTSTRAP_KEY, http_options=options) as google, pytest.raises(ClientError) as denied:
        google.models.generate_content(model="mock/gpt-4o-mini", contents="hi")
    assert denied.value.code == 403
    assert provider.calls == []
    assert SECRET not in str(refused.value) + str(denied.value)


@pytest.mark.usefixtures("allowed")
def test_a_key_is_used_for_its_provider_and_for_that_call_alone(client, anthropic, provider, claude, row):
    provider.calls.clear()
    raw = ask(client, "mock/gpt-4o-mini", f"mock={SECRET}")
    ask(client, "mock/gpt-4o-mini", "claude=sk-ant-other")
    client.chat.completions.create(model="mock/gpt-4o-mini", messages=HI)
    used = [call.headers["authorization"] for call in provider.calls]
    assert used == [f"Bearer {SECRET}", "Bearer sk-mock-1", "Bearer sk-mock-1"]
    assert all(HEADER not in call.headers for call in provider.calls)
    found = row(raw.headers["x-request-id"])
    assert (found["is_own_key"], found["cost_usd_nanos"] > 0) == (True, True)

    claude.calls.clear()
    asked = ask(client, "gpt-or-claude", f"mock={SECRET}")
    assert provider.calls[-1].headers["authorization"] == f"Bearer {SECRET}"
    assert claude.calls[-1].headers["x-api-key"] == "sk-ant-mock"
    assert row(asked.headers["x-request-id"])["is_own_key"] is False
    anthropic.messages.create(
        model="claude/claude-sonnet-4-5",
        max_tokens=5,
        messages=HI,
        extra_headers={HEADER: f"mock={SECRET},claude=sk-ant-mock"},
    )


@pytest.mark.usefixtures("allowed")
def test_billing_is_told_whose_the_cost_is(home, client):
    own = ask(client, "mock/gpt-4o-mini", f"mock={SECRET}").headers["x-request-id"]
    shared = ask(client, "mock/gpt-4o-mini", "claude=sk-ant-other").headers["x-request-id"]
    found = "SELECT id, is_own_key, cost_usd_nanos > 0 FROM usage_record WHERE id = ANY(%s)"
    with psycopg.connect(home.run_file()["urls"]["DATABASE_URL"], autocommit=True) as database:
        expected = sorted([(own, True, True), (shared, False, True)])
        home.wait_for(lambda: sorted(database.execute(found, [[own, shared]]).fetchall()) == expected)


@pytest.mark.usefixtures("allowed")
def test_a_key_that_is_refused_is_not_replaced_by_the_projects(client, gpt, row):
    gpt.calls.clear()
    with pytest.raises(AuthenticationError) as refused:
        client.responses.create(model="gpt/gpt-5", input="hi", extra_headers={HEADER: f"gpt={SECRET}"})
    assert len(gpt.calls) == 1
    found = row(refused.value.response.headers["x-request-id"])
    assert (found["status"], found["provider"], found["is_own_key"], found["cost_usd_nanos"]) == (401, "gpt", True, 0)


@pytest.mark.usefixtures("allowed")
def test_a_key_is_found_nowhere_after(home, client, provider, row):
    """Not in an answer of a provider that quotes it, nor in logs, spool, engines or what we say ourselves."""
    with pytest.raises(AuthenticationError) as quoted:
        ask(client, "mock/tells-the-key", f"mock={SECRET}")
    assert "[key]" in quoted.value.response.text
    with pytest.raises(BadRequestError) as unknown:
        ask(client, "mock/gpt-4o-mini", f"nobody={SECRET}")
    with pytest.raises(BadRequestError) as unwritten:
        ask(client, "mock/gpt-4o-mini", SECRET)
    request_id = ask(client, "mock/gpt-4o-mini", f"mock={SECRET}", user="u4").headers["x-request-id"]
    told = [error.value.response for error in (quoted, unknown, unwritten)]
    assert all(SECRET not in response.text + str(response.headers) for response in told)
    assert SECRET not in str(row(request_id))
    assert SECRET not in home.log.read_text(errors="replace")
    kept = [path for path in home.data_dir.rglob("*") if path.is_file() and _holds(path, SECRET.encode())]
    assert kept == []


def _holds(path, secret):
    try:
        return secret in path.read_bytes()
    except FileNotFoundError:
        return False
