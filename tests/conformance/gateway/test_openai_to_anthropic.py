"""OpenAI's SDK, answered by Claude: the provider checks every request by Anthropic's own types."""

import json

import pytest
from openai import APIError, BadRequestError, InternalServerError, RateLimitError
from pydantic import BaseModel

from tests.fakes.anthropic_provider import SIGNATURE, TEXT, THOUGHT
from tests.fakes.model_provider import CITIES, WORDS
from tests.house import BOOTSTRAP_KEY

pytestmark = [pytest.mark.engines]

SONNET = "claude/claude-sonnet-4-5"
HI = [{"role": "user", "content": "hi"}]
# 8 of input at 3, 3 read from the cache at 0.30, 12 kept for minutes at 3.75, 8 for an hour at 6, 7 of output at 15.
NANOS = 8 * 3_000 + 3 * 300 + 12 * 3_750 + 8 * 6_000 + 7 * 15_000
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
PNG = "iVBORw0KGgo="


def ask(client, model=SONNET, messages=HI, **more):
    return client.chat.completions.create(model=model, messages=messages, **more)


@pytest.mark.case(16, "openai")
def test_an_answer_has_claudes_words_usage_and_the_exact_cost(client, row):
    reply = ask(client)

    assert (reply.choices[0].message.content, reply.model) == (TEXT, SONNET)
    assert reply.choices[0].finish_reason == "stop"
    usage = reply.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (31, 7, 38)
    assert usage.prompt_tokens_details.cached_tokens == 3
    assert usage.completion_tokens_details.reasoning_tokens == 2
    found = row(reply._request_id)
    buckets = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
    assert [found[name] for name in buckets] == [8, 3, 20, 5, 2]
    assert (found["provider"], found["cost_usd_nanos"]) == ("claude", NANOS)
    assert reply.model_extra["brokle"]["cost_usd"] == pytest.approx(NANOS / 1e9, abs=1e-12)


@pytest.mark.case(16, "openai")
def test_a_stream_has_the_same_words_usage_and_cost(client, row):
    with client.chat.completions.with_streaming_response.create(
        model=SONNET, messages=HI, stream=True, stream_options={"include_usage": True}
    ) as response:
        request_id = response.headers["x-request-id"]
        lines = [line.removeprefix("data: ") for line in response.iter_lines() if line]

    events = [json.loads(line) for line in lines[:-1]]
    deltas = [event["choices"][0]["delta"] for event in events[:-1]]
    assert lines[-1] == "[DONE]"
    assert [delta["content"] for delta in deltas if delta.get("content")] == WORDS
    assert (events[-1]["choices"], events[-1]["usage"]["total_tokens"]) == ([], 38)
    assert events[-2]["choices"][0]["finish_reason"] == "stop"
    assert events[-2]["brokle"]["cost_usd"] == pytest.approx(NANOS / 1e9, abs=1e-12)
    assert row(request_id)["cost_usd_nanos"] == NANOS


@pytest.mark.case(16, "openai")
def test_what_reaches_claude_is_a_messages_request_with_the_providers_key(client, claude):
    claude.calls.clear()
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    by_address = {"type": "image_url", "image_url": {"url": "https://pictures.example/a.jpg"}}
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "what?"}, picture, by_address]},
    ]
    ask(client, messages=messages, user="u1", stop=["END"], temperature=0.5)

    [call] = claude.calls
    assert call.path == "/v1/messages"
    assert (call.headers["x-api-key"], call.headers["anthropic-version"]) == ("sk-ant-mock", "2023-06-01")
    assert BOOTSTRAP_KEY not in str(call.headers)
    assert call.body == {
        "model": "claude-sonnet-4-5",
        "max_tokens": 16_384,
        "system": "Be kind.",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "what?"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
                    {"type": "image", "source": {"type": "url", "url": "https://pictures.example/a.jpg"}},
                ],
            }
        ],
        "metadata": {"user_id": "u1"},
        "stop_sequences": ["END"],
        "temperature": 0.5,
    }


def test_the_address_may_be_given_with_the_version(client):
    assert ask(client, "claude-v1/claude-sonnet-4-5").choices[0].message.content == TEXT


def answers_of(calls):
    return [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in calls]


@pytest.mark.case(14, "openai")
@pytest.mark.case(16, "openai")
def test_two_calls_at_once_and_their_results(client, claude):
    reply = ask(client, tools=[WEATHER])
    message = reply.choices[0].message
    assert reply.choices[0].finish_reason == "tool_calls"
    assert [json.loads(call.function.arguments) for call in message.tool_calls] == [{"city": city} for city in CITIES]

    claude.calls.clear()
    final = ask(client, messages=[*HI, message, *answers_of(message.tool_calls)], tools=[WEATHER])
    assert final.choices[0].message.content == TEXT
    [call] = claude.calls
    assert [turn["role"] for turn in call.body["messages"]] == ["user", "assistant", "user"]
    assert [block["tool_use_id"] for block in call.body["messages"][2]["content"]] == ["toolu_0", "toolu_1"]


@pytest.mark.case(14, "openai")
def test_two_calls_streamed_say_id_and_name_once(client):
    chunks = list(ask(client, tools=[WEATHER], stream=True))
    pieces = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]

    assert [(p.index, p.id, p.function.name) for p in pieces if p.id] == [
        (0, "toolu_0", "weather"),
        (1, "toolu_1", "weather"),
    ]
    for index, city in enumerate(CITIES):
        arguments = "".join(piece.function.arguments for piece in pieces if piece.index == index)
        assert json.loads(arguments) == {"city": city}
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_thoughts_go_back_sealed_as_claude_gave_them(client, claude):
    """The provider refuses a thought whose seal is not its own."""
    reply = ask(client, tools=[WEATHER], reasoning_effort="low")
    message = reply.choices[0].message
    assert message.model_extra["reasoning_content"] == THOUGHT
    assert message.model_extra["thinking_blocks"] == [{"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE}]
    messages = [*HI, message.model_dump(exclude_none=True), *answers_of(message.tool_calls)]
    claude.calls.clear()
    assert ask(client, messages=messages, tools=[WEATHER], reasoning_effort="low").choices[0].message.content == TEXT
    sent = claude.calls[0].body
    assert sent["messages"][1]["content"][0] == {"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE}
    assert sent["thinking"] == {"type": "enabled", "budget_tokens": 2048}


def test_thoughts_of_a_stream_go_back_too(client):
    chunks = list(ask(client, reasoning_effort="low", stream=True))
    deltas = [chunk.choices[0].delta.model_extra for chunk in chunks]
    message = {
        "role": "assistant",
        "content": TEXT,
        "reasoning_content": "".join(delta.get("reasoning_content", "") for delta in deltas),
        "thinking_blocks": [block for delta in deltas for block in delta.get("thinking_blocks", ())],
    }
    assert message["reasoning_content"] == THOUGHT
    assert ask(client, messages=[*HI, message, *HI], reasoning_effort="low").choices[0].message.content == TEXT


class Place(BaseModel):
    city: str


@pytest.mark.case(17, "openai")
@pytest.mark.parametrize("model", [SONNET, "claude/claude-opus-5-5", "claude/claude-sonnet-4-20250514"])
def test_a_shape_is_parsed_whether_the_model_knows_schemas_or_not(client, model):
    reply = client.chat.completions.parse(model=model, messages=HI, response_format=Place)
    assert reply.choices[0].message.parsed == Place(city="Cairo")
    assert reply.choices[0].finish_reason == "stop"


def test_a_shape_is_streamed(client):
    model = "claude/claude-sonnet-4-20250514"
    with client.chat.completions.stream(model=model, messages=HI, response_format=Place) as stream:
        assert stream.get_final_completion().choices[0].message.parsed == Place(city="Cairo")


@pytest.mark.case(8, "openai")
def test_what_claude_cannot_be_told_is_400_with_its_name_and_nobody_is_asked(client, claude):
    claude.calls.clear()
    for name, value in {"temperature": 1.5, "n": 2, "seed": 7, "logprobs": True}.items():
        with pytest.raises(BadRequestError) as caught:
            ask(client, **{name: value})
        assert (caught.value.param, caught.value.code) == (name, "unsupported_parameter")
    assert claude.calls == []

    assert ask(client, temperature=1.5, seed=7, extra_body={"drop_unsupported": True}).choices
    assert "temperature" not in claude.calls[0].body


@pytest.mark.case(7, "openai")
def test_a_refusal_keeps_its_words_and_its_advice(client, claude):
    claude.calls.clear()
    with pytest.raises(RateLimitError, match="slow down") as caught:
        ask(client, "claude/claude-limited")
    assert (caught.value.type, caught.value.response.headers["retry-after"]) == ("rate_limit_error", "7")
    assert len(claude.calls) == 1

    with pytest.raises(InternalServerError, match="Overloaded") as busy:
        ask(client, "claude/claude-overloaded")
    assert (busy.value.status_code, busy.value.type) == (529, "overloaded_error")

    with pytest.raises(BadRequestError, match="prompt is too long") as long:
        ask(client, "claude/claude-too-short")
    assert long.value.code == "context_length_exceeded"


@pytest.mark.case(21, "openai")
def test_retries_and_fallbacks_reach_across_providers(client, claude, row):
    claude.calls.clear()
    with pytest.raises(RateLimitError):
        ask(client, "claude-patient")
    assert len(claude.calls) == 3
    reply = ask(client, "any-claude")
    assert (reply.choices[0].message.content, row(reply._request_id)["attempts"]) == (TEXT, 2)
    reply = ask(client, "gpt-or-claude")
    assert (reply.choices[0].message.content, row(reply._request_id)["provider"]) == (TEXT, "claude")
    words = [chunk.choices[0].delta.content or "" for chunk in ask(client, "claude-or-gpt", stream=True)]
    assert "".join(words) == TEXT


@pytest.mark.case(5, "openai")
def test_an_upstream_cut_in_the_middle_is_an_error_in_the_stream(client, row):
    stream = ask(client, "claude/claude-cut", stream=True)
    heard = []
    with pytest.raises(APIError, match="broke off"):
        heard.extend(chunk.choices[0].delta.content for chunk in stream)

    found = row(stream.response.headers["x-request-id"])
    assert "".join(heard) == "x" * 10
    assert (found["status"], found["error_code"], found["input_tokens"]) == (502, "upstream_interrupted", 8)
    assert found["output_tokens"] >= 10


@pytest.mark.case(6, "openai")
def test_an_error_inside_the_stream_keeps_its_words(client):
    with pytest.raises(APIError, match="Overloaded") as caught:
        list(ask(client, "claude/claude-error-within", stream=True))
    assert caught.value.type == "overloaded_error"


@pytest.mark.case(12, "openai")
def test_who_leaves_stops_claude_too(client, claude, home, row):
    claude.calls.clear()
    stream = ask(client, "claude/claude-endless", stream=True)
    for _ in range(5):
        next(stream)
    stream.close()

    home.wait_for(lambda: claude.calls[0].was_left)
    found = row(stream.response.headers["x-request-id"])
    assert claude.calls[0].events_sent < 100
    assert (found["status"], found["error_code"]) == (499, "client_closed_request")
    assert 0 < found["output_tokens"] < 100
