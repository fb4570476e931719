"""SDKs of OpenAI and Google, answered by Gemini in Google's cloud with a token that a service account fetches."""

import pytest
from google import genai
from google.genai import types

from tests.fakes.gemini_provider import TEXT, VECTOR
from tests.house import BOOTSTRAP_KEY

pytestmark = [pytest.mark.engines]

FLASH = "cloud/gemini-2.5-flash"
HI = [{"role": "user", "content": "hi"}]
NANOS = 28 * 1_250 + 3 * 310 + 7 * 10_000


def test_calls_carry_one_token_a_process_and_no_key(client, gemini, google_tokens, row):
    gemini.calls.clear()
    google_tokens[0].calls.clear()
    replies = [client.chat.completions.create(model=FLASH, messages=HI) for _ in range(6)]
    assert {reply.choices[0].message.content for reply in replies} == {TEXT}
    assert row(replies[0]._request_id)["cost_usd_nanos"] == NANOS
    place = "/v1/projects/p1/locations/here/publishers/google/models/gemini-2.5-flash"
    assert {call.path for call in gemini.calls} == {f"{place}:generateContent"}
    sent = {call.headers["authorization"] for call in gemini.calls}
    assert len(sent) <= 2
    assert all(header.startswith("Bearer token-") for header in sent)
    assert all("PRIVATE KEY" not in str(call.headers) for call in gemini.calls)
    assert len(google_tokens[0].calls) <= 2


def test_streams_come_from_the_cloud_too(client, gemini):
    chunks = list(client.chat.completions.create(model=FLASH, messages=HI, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT
    assert gemini.calls[-1].path.endswith(":streamGenerateContent?alt=sse")


def test_googles_sdk_is_relayed(home, gemini):
    with genai.Client(api_key=BOOTSTRAP_KEY, http_options=types.HttpOptions(base_url=home.url)) as google:
        assert google.models.generate_content(model=FLASH, contents="hi").text == TEXT
    assert gemini.calls[-1].body == {"contents": [{"parts": [{"text": "hi"}], "role": "user"}]}


def test_embeddings_are_predictions_there(client):
    reply = client.embeddings.create(model="cloud/gemini-embedding-001", input=["a"], dimensions=3)
    assert (reply.data[0].embedding, reply.usage.prompt_tokens) == (VECTOR[:3], 5)
