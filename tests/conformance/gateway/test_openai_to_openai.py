"""The cases an outsider runs, through the real server, by OpenAI's own SDK."""

import http.client
import json

import pytest
from openai import (
    APIError,
    AuthenticationError,
    BadRequestError,
    InternalServerError,
    NotFoundError,
    RateLimitError,
)

from tests.fakes.model_provider import USAGE, WORDS, whole
from tests.house import BOOTSTRAP_KEY

pytestmark = [pytest.mark.engines]

TEXT = "".join(WORDS)
# 8 of input at 0.15, 3 read from the cache at 0.075, 7 of output at 0.60 dollars a million.
NANOS = 8 * 150 + 3 * 75 + 7 * 600


def ask(client, model="mock/gpt-4o-mini", **more):
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}], **more)


def raw(home, model, *, stream=False, headers=None, **members):
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": stream, **members}
    sent = {"authorization": f"Bearer {BOOTSTRAP_KEY}", "content-type": "application/json", **(headers or {})}
    return home.request("POST", "/v1/chat/completions", json.dumps(body).encode(), sent)


@pytest.mark.case(1, "openai")
@pytest.mark.parametrize("model", ["mock/gpt-4o-mini", "gpt-4o-mini", "fast", "mock/meta/llama-3"])
def test_an_answer_has_the_upstreams_text_and_usage_and_the_name_asked_for(client, row, model):
    reply = ask(client, model)

    assert (reply.choices[0].message.content, reply.model) == (TEXT, model)
    assert reply.usage.total_tokens == 18
    assert reply._request_id.startswith("req_")
    found = row(reply._request_id)
    assert (found["provider"], found["model"], found["model_requested"]) == ("mock", "gpt-4o-mini", model)
    assert found["route"] == ("fast" if model == "fast" else "")


def test_usage_is_kept_in_disjoint_buckets_and_the_cost_is_exact(client, row):
    raw_reply = client.chat.completions.with_raw_response.create(
        model="mock/gpt-4o-mini", messages=[{"role": "user", "content": "hi"}]
    )
    reply = raw_reply.parse()
    found = row(reply._request_id)

    buckets = ("input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens")
    assert [found[name] for name in buckets] == [8, 3, 5, 2]
    assert (found["cost_usd_nanos"], found["status"], found["attempts"]) == (NANOS, 200, 1)
    assert reply.model_extra["brokle"]["cost_usd"] == pytest.approx(NANOS / 1e9, abs=1e-12)
    assert raw_reply.headers["x-brokle-cost-usd"] == "0.000005625"
    assert raw_reply.headers["x-brokle-provider"] == "mock"
    assert float(raw_reply.headers["x-brokle-overhead-ms"]) > 0


@pytest.mark.case(1, "raw")
def test_bytes_are_the_upstreams_but_for_the_last_member(home):
    plain = raw(home, "gpt-4o-mini", headers={"x-brokle-metadata": "off"})
    adorned = raw(home, "gpt-4o-mini").body

    assert plain.body == whole("gpt-4o-mini")
    start = adorned.index(b',"brokle":{')
    end = adorned.rindex(b"}", 0, adorned.rindex(b"}")) + 1
    assert adorned[:start] + adorned[end:] == whole("gpt-4o-mini")
    assert list(json.loads(adorned))[-1] == "brokle"


@pytest.mark.case(18, "raw")
def test_unknown_members_reach_the_upstream_unchanged_and_the_key_is_the_providers(home, provider):
    provider.calls.clear()
    raw(home, "mock/gpt-4o-mini", x_vendor={"deep": [1, 2.5]}, metadata={"a": "b"}, user="u1", seed=7)

    [call] = provider.calls
    assert call.body == {
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": False,
        "x_vendor": {"deep": [1, 2.5]},
        "metadata": {"a": "b"},
        "user": "u1",
        "seed": 7,
    }
    assert b'{"deep": [1, 2.5]}' in call.raw
    assert call.headers["authorization"] == "Bearer sk-mock-1"
    assert BOOTSTRAP_KEY not in str(call.headers)


@pytest.mark.case(2, "openai")
def test_a_stream_shows_no_usage_to_who_did_not_ask_and_is_priced_all_the_same(client, row, home):
    with client.chat.completions.with_streaming_response.create(
        model="mock/gpt-4o-mini", messages=[{"role": "user", "content": "hi"}], stream=True
    ) as response:
        request_id = response.headers["x-request-id"]
        lines = [line for line in response.iter_lines() if line]

    events = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    assert lines[-1] == "data: [DONE]"
    assert "".join(e["choices"][0]["delta"].get("content", "") for e in events) == TEXT
    assert [name for e in events for name in e if name == "usage"] == []
    assert {e["model"] for e in events} == {"mock/gpt-4o-mini"}
    assert events[-1]["choices"][0]["finish_reason"] == "stop"
    assert events[-1]["brokle"]["cost_usd"] == pytest.approx(NANOS / 1e9, abs=1e-12)
    assert (row(request_id)["cost_usd_nanos"], row(request_id)["stream"]) == (NANOS, True)


@pytest.mark.case(3, "openai")
def test_who_asks_for_usage_gets_exactly_one_more_chunk(client):
    chunks = list(ask(client, stream=True, stream_options={"include_usage": True}))

    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(WORDS) + 1)
    assert (chunks[-1].choices, chunks[-1].usage.total_tokens) == ([], USAGE["total_tokens"])


@pytest.mark.case(5, "openai")
def test_an_upstream_cut_in_the_middle_is_an_error_in_the_stream(client, row):
    stream = ask(client, "mock/cut", stream=True)
    heard = []

    with pytest.raises(APIError, match="broke off"):
        heard.extend(chunk.choices[0].delta.content for chunk in stream)

    found = row(stream.response.headers["x-request-id"])
    assert heard == ["x"] * 10
    assert (found["status"], found["error_code"]) == (502, "upstream_interrupted")
    assert found["output_tokens"] == 10


@pytest.mark.case(6, "openai")
def test_an_error_inside_the_stream_keeps_its_words_and_ends_it(home, client):
    with pytest.raises(APIError) as caught:
        list(ask(client, "mock/error-within", stream=True))
    assert (caught.value.type, caught.value.code) == ("server_error", "overloaded")
    assert raw(home, "mock/error-within", stream=True).body.endswith(b'"code": "overloaded"}}\n\n')


@pytest.mark.case(7, "openai")
def test_a_refusal_keeps_status_code_and_advice_and_is_not_asked_twice(client, provider):
    provider.calls.clear()
    with pytest.raises(RateLimitError) as caught:
        ask(client, "mock/rate-limited")

    assert (caught.value.code, caught.value.type) == ("rate_limit_exceeded", "requests")
    assert caught.value.response.headers["retry-after"] == "7"
    assert len(provider.calls) == 1
    with pytest.raises(RateLimitError) as brief:
        ask(client, "mock/rate-limited-briefly")
    assert brief.value.response.headers["retry-after-ms"] == "20"


@pytest.mark.case(7, "openai")
def test_a_route_with_two_retries_asks_three_times(client, provider):
    provider.calls.clear()
    with pytest.raises(RateLimitError):
        ask(client, "patient")
    assert len(provider.calls) == 3


@pytest.mark.case(8, "openai")
@pytest.mark.parametrize("model", ["mock/too-hot", "hot-or-not"])
def test_a_wrong_request_is_neither_repeated_nor_sent_elsewhere(client, provider, model):
    provider.calls.clear()
    with pytest.raises(BadRequestError) as caught:
        ask(client, model)
    assert (caught.value.param, caught.value.code, len(provider.calls)) == ("temperature", "bad_value", 1)


@pytest.mark.case(10, "raw")
@pytest.mark.parametrize("key", ["", "bk_test_wrong_0123456789abcdef", "' OR 1=1 --", "x" * 600])
def test_a_wrong_key_is_401_in_openais_words(home, provider, key):
    provider.calls.clear()
    answer = raw(home, "mock/gpt-4o-mini", headers={"authorization": f"Bearer {key}"})

    error = answer.json()["error"]
    assert (answer.status, error["type"], error["code"]) == (401, "invalid_request_error", "invalid_api_key")
    assert provider.calls == []


@pytest.mark.case(11, "raw")
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"null", 400),
        (b'{"model": "gpt-4o-mini"}', 400),
        (b'{"model": 7, "messages": []}', 400),
        (b'{"model": "gpt-4o-mini", "messages": []}', 400),
        (b'{"model": "gpt-4o-mini", "messages": "hi"}', 400),
        (b'{"model": "gpt-4o-mini", "messages": [1], "stream_options": 3}', 400),
        (b"\xff\xfe{}", 400),
        (b"[" * 100_000, 400),
        (b'{"model": "gpt-4o-mini", "messages": ["' + b"x" * (20 * 1024 * 1024), 400),
    ],
)
def test_a_malformed_body_is_refused_in_json_and_nobody_is_asked(home, provider, body, status):
    provider.calls.clear()
    headers = {"authorization": f"Bearer {BOOTSTRAP_KEY}", "content-type": "application/json"}
    answer = home.request("POST", "/v1/chat/completions", body, headers)

    assert (answer.status, answer.json()["error"]["type"]) == (status, "invalid_request_error")
    assert provider.calls == []


@pytest.mark.case(9, "openai")
@pytest.mark.parametrize("model", ["nope", "mock/nope", "nowhere/gpt-4o-mini"])
def test_an_unknown_model_is_404_and_nobody_is_asked(client, provider, model):
    provider.calls.clear()
    with pytest.raises(NotFoundError) as caught:
        ask(client, model)
    assert (caught.value.code, provider.calls) == ("model_not_found", [])


@pytest.mark.case(21, "openai")
def test_a_route_goes_on_to_who_answers(client, row):
    reply = ask(client, "safe")
    found = row(reply._request_id)
    assert (reply.model, found["attempts"], found["status"]) == ("safe", 3, 200)
    assert found["cost_usd_nanos"] == NANOS


@pytest.mark.case(21, "openai")
def test_a_stream_that_fails_before_its_first_byte_goes_on_elsewhere_and_later_does_not(client):
    words = [chunk.choices[0].delta.content or "" for chunk in ask(client, "safe-stream", stream=True)]
    assert "".join(words) == TEXT
    with pytest.raises(APIError, match="broke off"):
        list(ask(client, "late", stream=True))


@pytest.mark.case(21, "openai")
def test_the_only_one_left_is_tried_however_often_it_failed(client, provider):
    provider.calls.clear()
    for _ in range(12):
        with pytest.raises(InternalServerError):
            ask(client, "mock/broken")
    assert len(provider.calls) == 12


@pytest.mark.case(12, "raw")
def test_who_leaves_stops_the_upstream_and_is_still_in_the_log(home, provider, row):
    provider.calls.clear()
    connection = http.client.HTTPConnection("127.0.0.1", home.port, timeout=60)
    body = {"model": "mock/endless", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    headers = {"authorization": f"Bearer {BOOTSTRAP_KEY}", "content-type": "application/json"}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    response = connection.getresponse()
    request_id = response.headers["x-request-id"]
    for _ in range(10):
        response.readline()
    response.close()
    connection.close()

    home.wait_for(lambda: provider.calls[0].was_left)
    found = row(request_id)
    assert provider.calls[0].events_sent < 100
    assert (found["status"], found["error_code"]) == (499, "client_closed_request")
    assert 0 < found["output_tokens"] < 100


@pytest.mark.case(13, "raw")
def test_headers_say_that_it_streams(home):
    answer = raw(home, "mock/gpt-4o-mini", stream=True)
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (answer.headers["cache-control"], answer.headers["x-accel-buffering"]) == ("no-cache", "no")


def test_models_are_listed_with_their_prices(client):
    found = client.models.retrieve("mock/gpt-4o-mini")
    assert found.model_extra["brokle"] == {
        "provider": "mock",
        "context": 128000,
        "price": {"input_usd_per_mtok": 0.15, "output_usd_per_mtok": 0.6},
    }
    assert {"fast", "mock/meta/llama-3", "echo/fast"} <= {model.id for model in client.models.list()}


@pytest.mark.case(10, "openai")
def test_the_sdk_knows_a_wrong_key(client):
    with pytest.raises(AuthenticationError) as caught:
        ask(client.with_options(api_key="bk_test_wrong_0123456789abcdef"))
    assert caught.value.code == "invalid_api_key"


@pytest.mark.case(18, "openai")
def test_members_that_only_the_provider_knows_reach_it(client, provider):
    provider.calls.clear()
    ask(client, extra_body={"x_vendor": 1}, metadata={"a": "b"}, user="u2", seed=7)
    [call] = provider.calls
    said = {name: call.body[name] for name in ("x_vendor", "metadata", "user", "seed")}
    assert said == {"x_vendor": 1, "metadata": {"a": "b"}, "user": "u2", "seed": 7}
