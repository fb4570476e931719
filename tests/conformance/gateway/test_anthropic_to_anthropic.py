"""Anthropic's SDK, answered by Claude: the same bytes both ways, read only for what was used."""

import json

import pytest
from anthropic import APIStatusError, BadRequestError, InternalServerError, OverloadedError, RateLimitError

from tests.conformance.gateway.test_openai_to_anthropic import NANOS
from tests.fakes import anthropic_provider as fake
from tests.fakes.anthropic_provider import COUNTED, SIGNATURE, TEXT
from tests.fakes.model_provider import CITIES
from tests.house import BOOTSTRAP_KEY

pytestmark = [pytest.mark.engines]

SONNET = "claude-sonnet-4-6"
HI = [{"role": "user", "content": "hi"}]
WEATHER = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}


def ask(client, model=SONNET, messages=HI, **more):
    return client.messages.create(model=model, messages=messages, max_tokens=4000, **more)


def raw(home, model=SONNET, *, headers=None, path="/v1/messages", **members):
    body = {"model": model, "messages": HI, "max_tokens": 100, **members}
    sent = {"x-api-key": BOOTSTRAP_KEY, "anthropic-version": "2023-06-01", **(headers or {})}
    return home.request("POST", path, json.dumps(body).encode(), sent)


def upstreams(**members):
    body = {"model": SONNET, "messages": HI, **members}
    return fake.message(fake.Call("", {}, body, b""))


def without_brokle(body):
    start = body.index(b',"brokle":{')
    return body[:start] + body[body.index(b"}", start) + 1 :]


def test_bytes_are_claudes_but_for_the_last_member(home):
    whole = fake.whole(upstreams())
    assert raw(home, headers={"x-brokle-metadata": "off"}).body == whole
    adorned = raw(home).body
    assert without_brokle(adorned) == whole
    assert list(json.loads(adorned))[-1] == "brokle"


def test_bytes_of_a_stream_are_claudes_but_for_one_member_of_the_event_that_stops(home):
    stream = b"".join(fake.stream(upstreams()))
    assert raw(home, stream=True, headers={"x-brokle-metadata": "off"}).body == stream
    adorned = raw(home, stream=True).body
    assert without_brokle(adorned) == stream
    [event] = [part for part in adorned.split(b"\n\n") if b'"brokle"' in part]
    assert event.startswith(b"event: message_delta\n")
    assert json.loads(event.partition(b"data: ")[2])["brokle"]["cost_usd"] == pytest.approx(NANOS / 1e9, abs=1e-12)


@pytest.mark.case(18, "anthropic")
def test_the_request_goes_on_as_it_came_with_the_providers_key_and_the_callers_edition(home, claude):
    claude.calls.clear()
    headers = {"anthropic-version": "2026-10-21", "anthropic-beta": "files-api-2025-04-14,context-1m-2025-08-07"}
    raw(home, x_vendor={"deep": [1, 2.5]}, metadata={"user_id": "u"}, headers=headers)
    raw(home, f"claude/{SONNET}", brokle={"tags": {"a": "b"}}, drop_unsupported=True)

    first, second = claude.calls
    assert first.raw == json.dumps(first.body).encode()
    assert first.body["x_vendor"] == {"deep": [1, 2.5]}
    assert {name: first.headers[name] for name in headers} == headers
    assert first.headers["x-api-key"] == "sk-ant-mock"
    assert BOOTSTRAP_KEY not in str(first.headers)
    assert second.body == {"model": SONNET, "messages": HI, "max_tokens": 100}
    assert "anthropic-beta" not in second.headers


@pytest.mark.case(1, "anthropic")
def test_usage_has_every_bucket_and_the_cost_is_exact(anthropic, row):
    message = ask(anthropic)
    assert message.content[0].text == TEXT
    found = row(message._request_id)
    buckets = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
    assert [found[name] for name in buckets] == [8, 3, 20, 5, 2]
    assert (found["cost_usd_nanos"], found["endpoint"]) == (NANOS, "messages")
    with anthropic.messages.stream(model=SONNET, messages=HI, max_tokens=100) as stream:
        assert stream.get_final_message().content[0].text == TEXT
        request_id = stream.response.headers["request-id"]
    assert row(request_id)["cost_usd_nanos"] == NANOS


def test_the_name_asked_for_is_the_name_that_answers(anthropic):
    name = f"claude/{SONNET}"
    assert ask(anthropic, name).model == name
    with anthropic.messages.stream(model=name, messages=HI, max_tokens=100) as stream:
        assert stream.get_final_message().model == name


@pytest.mark.case(14, "anthropic")
@pytest.mark.parametrize("is_stream", [False, True])
def test_a_tool_loop_with_thoughts_completes(anthropic, is_stream):
    """The provider refuses a thought whose seal is not its own."""

    def answer(messages):
        asked = {"model": SONNET, "messages": messages, "max_tokens": 4000, "tools": [WEATHER]}
        asked["thinking"] = {"type": "adaptive"}
        if not is_stream:
            return anthropic.messages.create(**asked)
        with anthropic.messages.stream(**asked) as stream:
            return stream.get_final_message()

    message = answer(HI)
    assert [block.type for block in message.content] == ["thinking", "tool_use", "tool_use"]
    assert message.content[0].signature == SIGNATURE
    assert [block.input["city"] for block in message.content[1:]] == CITIES
    results = [{"type": "tool_result", "tool_use_id": block.id, "content": "sun"} for block in message.content[1:]]
    final = answer([*HI, {"role": "assistant", "content": message.content}, {"role": "user", "content": results}])
    assert (final.content[-1].text, final.stop_reason) == (TEXT, "end_turn")


def test_tokens_are_counted_by_who_knows(anthropic, row):
    counted = anthropic.messages.with_raw_response.count_tokens(model=SONNET, messages=HI)
    assert counted.parse().input_tokens == COUNTED
    assert "x-brokle-estimated" not in counted.headers
    found = row(counted.headers["request-id"])
    assert (found["endpoint"], found["cost_usd_nanos"], found["input_tokens"]) == ("messages.count_tokens", 0, 0)


@pytest.mark.case(7, "anthropic")
@pytest.mark.parametrize(
    ("model", "kind", "status", "said"),
    [
        ("claude-limited", RateLimitError, 429, "rate_limit_error"),
        ("claude-overloaded", OverloadedError, 529, "overloaded_error"),
        ("claude-broken", InternalServerError, 500, "api_error"),
        ("claude-too-short", BadRequestError, 400, "invalid_request_error"),
    ],
)
def test_a_refusal_is_claudes_own(anthropic, claude, model, kind, status, said):
    claude.calls.clear()
    with pytest.raises(kind) as caught:
        ask(anthropic, model)
    error = caught.value
    assert (type(error), error.status_code, error.type) == (kind, status, said)
    assert error.body["request_id"] == "req_upstream"
    assert error.request_id == error.response.headers["x-request-id"]
    assert len(claude.calls) == 1


@pytest.mark.case(7, "anthropic")
def test_advice_is_passed_on(anthropic):
    with pytest.raises(RateLimitError) as caught:
        ask(anthropic, "claude-limited")
    assert caught.value.response.headers["retry-after"] == "7"


@pytest.mark.case(21, "anthropic")
def test_routes_retry_and_go_on(anthropic, claude, row):
    claude.calls.clear()
    with pytest.raises(RateLimitError):
        ask(anthropic, "claude-patient")
    assert len(claude.calls) == 3
    message = ask(anthropic, "any-claude")
    assert (message.content[0].text, row(message._request_id)["attempts"]) == (TEXT, 2)
    with anthropic.messages.stream(model="claude-or-gpt", messages=HI, max_tokens=100) as stream:
        assert "".join(stream.text_stream) == TEXT


@pytest.mark.case(5, "anthropic")
def test_an_upstream_cut_in_the_middle_is_an_error_event(anthropic, row):
    heard = []
    with (
        pytest.raises(APIStatusError, match="broke off") as caught,
        anthropic.messages.stream(model="claude-cut", messages=HI, max_tokens=100) as stream,
    ):
        heard.extend(stream.text_stream)
    found = row(caught.value.request_id)
    assert heard == ["x"] * 10
    assert (found["status"], found["error_code"]) == (502, "upstream_interrupted")
    assert (found["input_tokens"], found["output_tokens"]) == (8, 10)


@pytest.mark.case(6, "anthropic")
def test_an_error_inside_the_stream_is_claudes_own_and_the_last(home, anthropic):
    body = raw(home, "claude-error-within", stream=True).body
    assert body.endswith(fake.event("error", error={"type": "overloaded_error", "message": "Overloaded"}))
    with (
        pytest.raises(APIStatusError) as caught,
        anthropic.messages.stream(model="claude-error-within", messages=HI, max_tokens=100) as stream,
    ):
        stream.get_final_message()
    assert caught.value.type == "overloaded_error"


@pytest.mark.case(12, "anthropic")
def test_who_leaves_stops_claude_too(anthropic, claude, home, row):
    claude.calls.clear()
    with anthropic.messages.stream(model="claude-endless", messages=HI, max_tokens=100) as stream:
        request_id = stream.response.headers["request-id"]
        for _, _ in zip(range(8), stream, strict=False):
            pass
    home.wait_for(lambda: claude.calls[0].was_left)
    found = row(request_id)
    assert claude.calls[0].events_sent < 100
    assert (found["status"], found["error_code"]) == (499, "client_closed_request")
    assert 0 < found["output_tokens"] < 100
