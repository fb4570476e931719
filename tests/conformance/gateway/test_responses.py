"""OpenAI's SDK on its Responses API, relayed to a provider that speaks it."""

import json

import pytest
from openai import APIError, BadRequestError, NotFoundError, RateLimitError

from tests.fakes.azure_provider import KEY as AZURE_KEY
from tests.fakes.azure_provider import TOKEN
from tests.fakes.model_provider import WORDS
from tests.fakes.responses_provider import ENCRYPTED, KEY, TEXT
from tests.house import BOOTSTRAP_KEY

pytestmark = [pytest.mark.engines]

GPT = "gpt/gpt-5"
NANOS = 17 * 1_250 + 3 * 125 + 9 * 10_000
AUTH = {"authorization": f"Bearer {BOOTSTRAP_KEY}", "content-type": "application/json"}


def test_an_answer_comes_as_the_provider_wrote_it(client, gpt, row):
    gpt.calls.clear()
    raw = client.responses.with_raw_response.create(model=GPT, input="hi", include=["reasoning.encrypted_content"])
    reply = raw.parse()
    assert (reply.output_text, reply.model) == (TEXT, GPT)
    assert reply.output[0].encrypted_content == ENCRYPTED
    assert reply.model_extra["x_vendor"] == {"a": 1}
    assert list(json.loads(raw.content))[-1] == "brokle"
    assert reply.model_extra["brokle"]["cost_usd"] == pytest.approx(NANOS / 1e9, abs=1e-12)
    [call] = gpt.calls
    assert call.body == {"model": "gpt-5", "input": "hi", "include": ["reasoning.encrypted_content"]}
    assert call.headers["authorization"] == f"Bearer {KEY}"
    assert BOOTSTRAP_KEY not in str(call.headers)
    found = row(raw.headers["x-request-id"])
    buckets = ("input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens", "cost_usd_nanos")
    assert [found[name] for name in buckets] == [17, 3, 7, 2, NANOS]
    assert (found["endpoint"], found["provider"]) == ("responses", "gpt")


def test_a_stream_passes_and_ends_with_our_member(client, row):
    with client.responses.with_streaming_response.create(model=GPT, input="hi", stream=True) as response:
        request_id = response.headers["x-request-id"]
        datas = [line.removeprefix("data: ") for line in response.iter_lines() if line.startswith("data: ")]
    events = [json.loads(data) for data in datas]
    assert [event["delta"] for event in events if event["type"] == "response.output_text.delta"] == WORDS
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert {event["response"]["model"] for event in events if "response" in event} == {GPT}
    assert list(events[-1])[-1] == "brokle"
    assert events[-1]["brokle"]["cost_usd"] == pytest.approx(NANOS / 1e9, abs=1e-12)
    assert row(request_id)["cost_usd_nanos"] == NANOS


def test_the_sdks_own_stream_adds_it_up(client):
    with client.responses.stream(model=GPT, input="hi") as stream:
        seen = [event.delta for event in stream if event.type == "response.output_text.delta"]
        assert seen == WORDS
        assert stream.get_final_response().output_text == TEXT


def test_what_was_kept_is_gone_on_with_shown_and_deleted(client, gpt):
    first = client.responses.create(model=GPT, input="hi")
    second = client.responses.create(model=GPT, input="and?", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    assert client.responses.retrieve(first.id).output_text == TEXT
    assert [item.id for item in client.responses.input_items.list(first.id)] == ["in_1"]
    client.responses.delete(first.id)
    assert gpt.calls[-1].path == f"DELETE /v1/responses/{first.id}"
    with pytest.raises(NotFoundError, match="None of"):
        client.responses.retrieve(first.id)


def test_what_nobody_keeps_is_not_found(client, azure):
    client.responses.create(model=GPT, input="hi", store=False)
    azure.calls.clear()
    for answer_id in ("resp_unknown", "resp_" + "9" * 100):
        with pytest.raises(NotFoundError) as refused:
            client.responses.retrieve(answer_id)
        assert refused.value.code == "response_not_found"
    asked = {
        (call.path, call.headers.get("api-key") or call.headers["authorization"])
        for call in azure.calls
        if call.path.endswith("unknown")
    }
    assert asked == {("GET /openai/v1/responses/resp_unknown", held) for held in (AZURE_KEY, f"Bearer {TOKEN}")}


def test_a_provider_may_be_named(client):
    kept = client.responses.create(model=GPT, input="hi").id
    named = client.with_options(default_headers={"x-brokle-provider": "gpt"})
    assert named.responses.retrieve(kept).id == kept
    with pytest.raises(NotFoundError, match="of the name `claude`"):
        client.with_options(default_headers={"x-brokle-provider": "claude"}).responses.retrieve(kept)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/responses/resp_1/..%2f..%2fmodels", 404),
        ("GET", "/v1/responses/resp_1?stream=true", 400),
        ("GET", "/v1/responses/resp_1?a=%00b%ff", 400),
        ("GET", "/v1/responses/resp 1".replace(" ", "%20"), 404),
        ("GET", "/v1/responses/", 404),
        ("DELETE", "/v1/responses/resp_1/input_items", 404),
        ("POST", "/v1/responses/compact", 405),
        ("POST", "/v1/responses/resp_1/cancel", 405),
        ("GET", "/v1/responses", 405),
    ],
)
def test_addresses_that_are_none_are_refused_in_openais_form(home, method, path, status):
    answer = home.request(method, path, headers=AUTH)
    assert (answer.status, answer.json()["error"].keys()) == (status, {"message", "type", "param", "code"})


def test_without_a_key_nothing_is_shown_or_deleted(home, client):
    kept = client.responses.create(model=GPT, input="hi").id
    for method in ("GET", "DELETE"):
        assert home.request(method, f"/v1/responses/{kept}").status == 401
    assert client.responses.retrieve(kept).id == kept


@pytest.mark.case(7, "openai")
def test_the_providers_refusal_keeps_its_words_and_advice(client):
    with pytest.raises(RateLimitError) as limited:
        client.responses.create(model="gpt/gpt-limited", input="hi")
    assert limited.value.code == "rate_limit_exceeded"
    assert limited.value.response.headers["retry-after"] == "7"
    with pytest.raises(BadRequestError) as refused:
        client.responses.create(model=GPT, input="hi", previous_response_id="resp_unknown")
    assert (refused.value.code, refused.value.param) == ("previous_response_not_found", "previous_response_id")
    with pytest.raises(BadRequestError, match="Invalid value"):
        client.responses.create(model=GPT, input=[{"role": "king", "content": 5}])


def test_the_next_target_may_speak_another_dialect(home, client, claude):
    """One that was told to wait is asked first again only after that."""

    def was_asked_first():
        raw = client.responses.with_raw_response.create(model="gpt-or-claude-answers", input="hi")
        assert (raw.parse().output_text, raw.headers["x-brokle-provider"]) == (TEXT, "claude")
        return raw.headers["x-brokle-attempts"] == "2"

    home.wait_for(was_asked_first)


@pytest.mark.case(5, "openai")
@pytest.mark.parametrize(("model", "words"), [("gpt/gpt-cut", "broke off"), ("gpt/gpt-failed", "boom inside")])
def test_a_stream_that_fails_raises_and_is_no_success(client, row, model, words):
    with client.responses.with_streaming_response.create(model=model, input="hi", stream=True) as response:
        request_id = response.headers["x-request-id"]
        with pytest.raises(APIError, match=words):
            list(response.parse())
    found = row(request_id)
    assert found["status"] == 502
    assert found["output_tokens"] > 0


def test_a_broken_stream_is_failed_by_name_and_number(home):
    body = json.dumps({"model": "gpt/gpt-cut", "input": "hi", "stream": True}).encode()
    text = home.request("POST", "/v1/responses", body, AUTH).body.decode()
    events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    assert [event["type"] for event in events[-2:]] == ["response.failed", "error"]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert "response.completed" not in text


def test_background_answers_are_refused_everywhere(client, gpt):
    gpt.calls.clear()
    with pytest.raises(BadRequestError, match="background"):
        client.responses.create(model=GPT, input="hi", background=True)
    assert gpt.calls == []


@pytest.mark.case(11, "raw")
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"input":"hi"}', b'{"model":"echo/fast","input":5}', b'{"model":5,"input":"hi"}', b"\xff"],
)
def test_nonsense_is_refused_in_openais_form(home, body):
    answer = home.request("POST", "/v1/responses", body, AUTH)
    assert (answer.status, answer.json()["error"]["type"]) == (400, "invalid_request_error")
