"""SDKs of Anthropic and OpenAI, answered by Claude in Google's cloud with a token that a service account fetches."""

import json

import pytest
from anthropic import AuthenticationError, OverloadedError

from tests.conformance.gateway.test_openai_to_anthropic import NANOS
from tests.fakes.anthropic_provider import COUNTED, TEXT
from tests.house import BOOTSTRAP_KEY

pytestmark = [pytest.mark.engines]

SONNET = "cloud-claude/claude-sonnet-4-5"
HI = [{"role": "user", "content": "hi"}]
PLACE = "/v1/projects/p1/locations/here/publishers/anthropic/models"


def test_anthropics_callers_are_relayed_to_the_cloud(anthropic, claude, row):
    message = anthropic.messages.create(model=SONNET, max_tokens=50, messages=HI)
    assert (message.content[0].text, message.model) == (TEXT, SONNET)
    sent = json.loads(claude.calls[-1].raw)
    assert sent["anthropic_version"] == "2026-10-21"
    assert "model" not in sent
    assert claude.calls[-1].path == f"{PLACE}/claude-sonnet-4-5:rawPredict"
    assert claude.calls[-1].headers["authorization"].startswith("Bearer token-")
    assert BOOTSTRAP_KEY not in str(claude.calls[-1].headers)
    assert row(message._request_id)["cost_usd_nanos"] == NANOS


def test_streams_come_from_the_cloud_too(anthropic, claude):
    with anthropic.messages.stream(model=SONNET, max_tokens=50, messages=HI) as stream:
        assert stream.get_final_message().content[0].text == TEXT
    assert claude.calls[-1].path == f"{PLACE}/claude-sonnet-4-5:streamRawPredict"


def test_tokens_are_counted_there(anthropic):
    assert anthropic.messages.count_tokens(model=SONNET, messages=HI).input_tokens == COUNTED


@pytest.mark.parametrize("is_stream", [False, True])
def test_openais_callers_are_translated(client, is_stream):
    reply = client.chat.completions.create(model=SONNET, messages=HI, stream=is_stream)
    if is_stream:
        assert "".join(chunk.choices[0].delta.content or "" for chunk in reply) == TEXT
    else:
        assert reply.choices[0].message.content == TEXT


def test_refusals_are_anthropics_whoever_refuses(anthropic):
    with pytest.raises(OverloadedError, match="Overloaded"):
        anthropic.messages.create(model="cloud-claude/claude-overloaded", max_tokens=50, messages=HI)
    with pytest.raises(AuthenticationError, match="invalid authentication credentials"):
        anthropic.messages.create(model="cloud-anybody/claude-sonnet-4-5", max_tokens=50, messages=HI)
