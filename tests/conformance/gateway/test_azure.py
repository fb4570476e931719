"""Azure OpenAI on both sides: its SDK asks us, and we ask a resource of it."""

import json

import pytest
from anthropic import Anthropic
from openai import AzureOpenAI, BadRequestError, NotFoundError, OpenAI

from tests.fakes.azure_provider import FILTERED, KEY, MODEL, SAFE, TENANT, TOKEN
from tests.fakes.model_provider import WORDS
from tests.house import BOOTSTRAP_KEY

pytestmark = [pytest.mark.engines]

TEXT = "".join(WORDS)
HI = [{"role": "user", "content": "hi"}]
NANOS = 8 * 1_250 + 3 * 125 + 7 * 10_000
JSON = {"api-key": BOOTSTRAP_KEY, "content-type": "application/json"}


@pytest.fixture
def azures(home):
    with AzureOpenAI(azure_endpoint=home.url, api_key=BOOTSTRAP_KEY, api_version="2024-10-21", max_retries=0) as found:
        yield found


# ── Out ──────────────────────────────────────────────────────────────────────
def test_a_deployment_is_asked_by_address_and_key(client, azure, row):
    azure.calls.clear()
    reply = client.chat.completions.create(model="azure/gpt-4o", messages=HI)
    [call] = azure.calls
    assert call.path == "/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21"
    assert call.headers["api-key"] == KEY
    assert "authorization" not in call.headers
    assert (reply.choices[0].message.content, reply.model) == (TEXT, "azure/gpt-4o")
    assert reply.choices[0].model_extra["content_filter_results"] == SAFE
    assert reply.model_extra["prompt_filter_results"][0]["content_filter_results"] == SAFE
    assert row(reply._request_id)["cost_usd_nanos"] == NANOS


def test_the_form_without_dates_is_asked_with_a_token(client, azure):
    azure.calls.clear()
    reply = client.chat.completions.create(model="azure-v1/gpt-4o", messages=HI)
    assert reply.choices[0].message.content == TEXT
    calls = [call for call in azure.calls if TENANT not in call.path]
    assert [(call.path, call.headers["authorization"]) for call in calls] == [
        ("/openai/v1/chat/completions", f"Bearer {TOKEN}")
    ]
    assert calls[0].body["model"] == "my-gpt"
    assert "api-key" not in calls[0].headers


def test_a_stream_begins_with_the_filters_and_carries_the_asked_name(client, row):
    with client.chat.completions.with_streaming_response.create(
        model="azure/gpt-4o", messages=HI, stream=True
    ) as response:
        request_id = response.headers["x-request-id"]
        text = "".join(response.iter_text())
    events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
    assert events[0]["prompt_filter_results"][0]["content_filter_results"] == SAFE
    assert "".join(e["choices"][0]["delta"].get("content", "") for e in events if e["choices"]) == TEXT
    assert {event["model"] for event in events[1:]} == {"azure/gpt-4o"}
    assert MODEL not in text
    assert events[-1]["brokle"]["cost_usd"] == pytest.approx(NANOS / 1e9, abs=1e-12)
    assert row(request_id)["cost_usd_nanos"] == NANOS


def test_what_the_filter_refuses_keeps_its_words(client):
    with pytest.raises(BadRequestError) as refused:
        client.chat.completions.create(model="azure/strict", messages=HI)
    assert refused.value.code == "content_filter"
    assert refused.value.body["innererror"] == FILTERED["innererror"]


def test_what_the_filter_refuses_another_may_answer(client):
    reply = client.chat.completions.with_raw_response.create(model="safe-azure", messages=HI)
    assert reply.headers["x-brokle-provider"] == "mock"


def test_a_deployment_that_is_not_there_is_said_by_azure(client):
    with pytest.raises(NotFoundError) as refused:
        client.chat.completions.create(model="azure/gone", messages=HI)
    assert refused.value.code == "DeploymentNotFound"


def test_embeddings_and_responses_are_there_too(client, azure):
    azure.calls.clear()
    assert client.embeddings.create(model="azure/embedder", input="x").data[0].embedding == [0.25, -0.5, 1.0]
    assert client.responses.create(model="azure/gpt-4o", input="hi").output_text == TEXT
    assert [call.path.partition("?")[0] for call in azure.calls] == [
        "/openai/deployments/my-gpt/embeddings",
        "/openai/v1/responses",
    ]
    with pytest.raises(BadRequestError, match="moderations"):
        client.moderations.create(model="azure/gpt-4o", input="x")


def test_callers_of_other_formats_reach_azure(home):
    with Anthropic(base_url=home.url, api_key=BOOTSTRAP_KEY, max_retries=0) as claudes:
        reply = claudes.messages.create(model="azure/gpt-4o", max_tokens=50, messages=HI)
        assert reply.content[0].text == TEXT
        with claudes.messages.stream(model="azure/gpt-4o", max_tokens=50, messages=HI) as stream:
            assert stream.get_final_text() == TEXT


# ── In ───────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "model", ["echo/fast", "azure/gpt-4o", "claude/claude-sonnet-4-5", "fast", "mock/meta/llama-3"]
)
def test_the_sdk_for_azure_chats_with_any_model(azures, model):
    reply = azures.chat.completions.create(model=model, messages=[{"role": "user", "content": TEXT}])
    assert (reply.choices[0].message.content, reply.model) == (TEXT, model)
    stream = azures.chat.completions.create(model=model, messages=[{"role": "user", "content": TEXT}], stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices) == TEXT


def test_a_deployment_may_be_fixed(home):
    with AzureOpenAI(
        azure_endpoint=home.url, azure_deployment="echo/fast", api_key=BOOTSTRAP_KEY, api_version="2025-04-01-preview"
    ) as fixed:
        reply = fixed.chat.completions.create(model="whatever", messages=HI)
        assert (reply.choices[0].message.content, reply.model) == ("hi", "echo/fast")
        # Not of a deployment, to that SDK.
        assert fixed.responses.create(model="echo/reasoning", input="hi").model == "echo/reasoning"


def test_everything_else_of_that_sdk_works(azures, provider):
    assert azures.embeddings.create(model="mock/embedder", input="x").data[0].embedding == [0.25, -0.5, 1.0]
    assert azures.completions.create(model="echo/fast", prompt="Peace").choices[0].text == "Peace"
    assert azures.responses.create(model="echo/fast", input="hi").output_text == "hi"
    assert len(azures.images.generate(model="mock/painter", prompt="dawn", n=2).data) == 2
    assert azures.audio.speech.create(model="mock/gpt-4o-mini", voice="alloy", input="hi").content
    heard = azures.audio.transcriptions.create(model="mock/gpt-4o-mini", file=("a.wav", b"xx", "audio/wav"))
    assert heard.text == "2 bytes"
    assert provider.calls[-1].body["model"] == "gpt-4o-mini"
    assert "echo/fast" in [model.id for model in azures.models.list()]
    assert azures.models.retrieve("echo/fast").id == "echo/fast"


def test_the_key_may_be_a_bearer_as_tokens_of_entra_are(home):
    with AzureOpenAI(azure_endpoint=home.url, azure_ad_token=BOOTSTRAP_KEY, api_version="2024-10-21") as found:
        assert found.chat.completions.create(model="echo/fast", messages=HI).choices[0].message.content == "hi"


def test_openais_own_sdk_works_below_v1(home):
    with OpenAI(base_url=f"{home.url}/openai/v1/", api_key=BOOTSTRAP_KEY, max_retries=0) as found:
        assert found.chat.completions.create(model="echo/fast", messages=HI).choices[0].message.content == "hi"
        assert found.responses.create(model="echo/fast", input="hi").output_text == "hi"
        assert found.models.retrieve("echo/fast").id == "echo/fast"
        with pytest.raises(NotFoundError):
            found.responses.retrieve("resp_unknown")


def chat(home, path, body=b'{"messages":[{"role":"user","content":"hi"}]}', headers=JSON):
    return home.request("POST", f"/openai/deployments/{path}", body, headers)


def test_a_body_need_not_name_the_model_again(home):
    answer = chat(home, "echo%2Ffast/chat/completions?api-version=2024-10-21")
    assert (answer.status, answer.json()["choices"][0]["message"]["content"]) == (200, "hi")
    assert chat(home, "echo/fast/chat/completions").json()["model"] == "echo/fast"


@pytest.mark.parametrize("size", [100, 2_000_000])
def test_a_form_need_not_name_the_model_again(home, provider, size):
    mark = "x" * 30
    head = f'--{mark}\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'.encode()
    body = head + b"s" * size + f"\r\n--{mark}--\r\n".encode()
    headers = {"api-key": BOOTSTRAP_KEY, "content-type": f"multipart/form-data; boundary={mark}"}
    answer = chat(home, "mock/gpt-4o-mini/audio/transcriptions", body, headers)
    assert (answer.status, answer.json()["text"]) == (200, f"{size} bytes")
    assert provider.calls[-1].body["model"] == "gpt-4o-mini"


@pytest.mark.case(11, "raw")
@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("nobody/chat/completions", b'{"messages":[{"role":"user","content":"hi"}]}', 404),
        ("echo/fast/chat", b"{}", 404),
        ("/chat/completions", b"{}", 404),
        ("echo/fast", b"{}", 404),
        ("", b"{}", 404),
        ("echo/fast/messages", b"{}", 404),
        ("echo/fast/chat/completions", b"", 400),
        ("echo/fast/chat/completions", b"{", 400),
        ("echo/fast/chat/completions", b"[]", 400),
        ("echo/fast/chat/completions", b"\xff", 400),
        ("echo/fast/chat/completions", b'{"messages":[]}', 400),
        ("echo/fast/embeddings", b'{"input":"x"}', 400),
        ("echo/fast/audio/transcriptions", b"{}", 400),
    ],
)
def test_nonsense_is_refused_in_openais_form(home, path, body, status):
    answer = chat(home, path, body)
    assert (answer.status, answer.json()["error"].keys()) == (status, {"message", "type", "param", "code"})


@pytest.mark.case(10, "raw")
def test_no_key_no_answer(home):
    for headers in ({}, {"api-key": "bk_test_wrong_0123456789abcdef"}, {"api-key": "' OR 1=1"}):
        answer = chat(home, "echo/fast/chat/completions", headers=headers)
        assert (answer.status, answer.json()["error"]["code"]) == (401, "invalid_api_key")
