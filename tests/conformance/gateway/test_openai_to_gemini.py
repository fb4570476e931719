"""OpenAI's SDK, answered by Gemini: the provider checks every request by Google's own types."""

import json
import struct
from base64 import b64decode

import pytest
from openai import APIError, BadRequestError, InternalServerError, RateLimitError
from pydantic import BaseModel

from tests.fakes.gemini_provider import KEY, SEAL, TEXT, THOUGHT, VECTOR
from tests.fakes.model_provider import CITIES, WORDS
from tests.house import BOOTSTRAP_KEY

pytestmark = [pytest.mark.engines]

FLASH = "google/gemini-2.5-flash"
NEWEST = "google/gemini-3-pro-preview"
HI = [{"role": "user", "content": "hi"}]
# 28 of input at 1.25, 4 of them sound, 3 read from the cache at 0.31, 5 of output and 2 of thoughts at 10.
NANOS = 28 * 1_250 + 3 * 310 + 7 * 10_000
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def ask(client, model=FLASH, messages=HI, **more):
    return client.chat.completions.create(model=model, messages=messages, **more)


def test_an_answer_has_geminis_words_usage_and_the_exact_cost(client, row):
    reply = ask(client)

    assert (reply.choices[0].message.content, reply.model) == (TEXT, FLASH)
    assert reply.choices[0].finish_reason == "stop"
    usage = reply.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (31, 7, 38)
    assert (usage.prompt_tokens_details.cached_tokens, usage.prompt_tokens_details.audio_tokens) == (3, 4)
    assert usage.completion_tokens_details.reasoning_tokens == 2
    found = row(reply._request_id)
    buckets = ("input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens")
    assert [found[name] for name in buckets] == [28, 3, 5, 2]
    assert (found["provider"], found["cost_usd_nanos"]) == ("google", NANOS)
    assert reply.model_extra["brokle"]["cost_usd"] == pytest.approx(NANOS / 1e9, abs=1e-12)


def test_a_stream_has_the_same_words_usage_and_cost(client, row):
    with client.chat.completions.with_streaming_response.create(
        model=FLASH, messages=HI, stream=True, stream_options={"include_usage": True}
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


def test_what_reaches_gemini_is_its_own_request_with_the_providers_key(client, gemini):
    gemini.calls.clear()
    ask(client, messages=[{"role": "system", "content": "Be kind."}, *HI], user="u1", stop=["END"], temperature=0.5)
    [call] = gemini.calls
    assert call.path == "/v1beta/models/gemini-2.5-flash:generateContent"
    assert call.headers["x-goog-api-key"] == KEY
    assert BOOTSTRAP_KEY not in str(call.headers)
    assert call.body == {
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
        "systemInstruction": {"parts": [{"text": "Be kind."}]},
        "generationConfig": {"stopSequences": ["END"], "temperature": 0.5},
    }


def test_the_address_may_be_given_with_the_version(client):
    assert ask(client, "google-v1beta/gemini-2.5-flash").choices[0].message.content == TEXT


def answers_of(calls):
    return [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in calls]


@pytest.mark.case(14, "openai")
@pytest.mark.parametrize("model", [FLASH, NEWEST])
def test_two_calls_at_once_and_their_results(client, gemini, model):
    """The newest generation refuses a call that comes back without its seal."""
    reply = ask(client, model, tools=[WEATHER])
    message = reply.choices[0].message
    assert reply.choices[0].finish_reason == "tool_calls"
    assert [json.loads(call.function.arguments) for call in message.tool_calls] == [{"city": city} for city in CITIES]
    extra = message.tool_calls[0].model_extra["extra_content"]
    assert extra == {"google": {"thought_signature": SEAL}}

    gemini.calls.clear()
    final = ask(client, model, messages=[*HI, message, *answers_of(message.tool_calls)], tools=[WEATHER])
    assert final.choices[0].message.content == TEXT
    [call] = gemini.calls
    assert [content["role"] for content in call.body["contents"]] == ["user", "model", "user"]
    assert [part["functionResponse"]["id"] for part in call.body["contents"][2]["parts"]] == ["fc_0", "fc_1"]
    assert call.body["contents"][1]["parts"][0]["thoughtSignature"] == SEAL


@pytest.mark.case(14, "openai")
def test_two_calls_streamed_say_id_and_name_once(client):
    chunks = list(ask(client, tools=[WEATHER], stream=True))
    pieces = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]

    assert [(p.index, p.id, p.function.name) for p in pieces if p.id] == [
        (0, "fc_0", "weather"),
        (1, "fc_1", "weather"),
    ]
    for index, city in enumerate(CITIES):
        arguments = "".join(piece.function.arguments for piece in pieces if piece.index == index)
        assert json.loads(arguments) == {"city": city}
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


@pytest.mark.case(14, "openai")
def test_a_tool_can_be_named_or_forbidden(client, gemini):
    named = {"type": "function", "function": {"name": "weather"}}
    calls = ask(client, tools=[WEATHER], tool_choice=named).choices[0].message.tool_calls
    assert calls[0].function.name == "weather"
    assert ask(client, tools=[WEATHER], tool_choice="none").choices[0].message.content == TEXT


def test_thoughts_are_shown_to_who_asks_for_them(client):
    message = ask(client, NEWEST, reasoning_effort="low").choices[0].message
    assert (message.model_extra["reasoning_content"], message.content) == (THOUGHT, TEXT)
    deltas = [chunk.choices[0].delta.model_extra for chunk in ask(client, NEWEST, reasoning_effort="low", stream=True)]
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == THOUGHT


class Place(BaseModel):
    city: str


@pytest.mark.case(17, "openai")
@pytest.mark.parametrize("model", [FLASH, NEWEST])
def test_a_shape_is_parsed(client, model):
    reply = client.chat.completions.parse(model=model, messages=HI, response_format=Place)
    assert reply.choices[0].message.parsed == Place(city="Cairo")
    with client.chat.completions.stream(model=model, messages=HI, response_format=Place) as stream:
        assert stream.get_final_completion().choices[0].message.parsed == Place(city="Cairo")


def test_several_answers_and_their_probabilities(client):
    reply = ask(client, n=2, logprobs=True, top_logprobs=1)
    assert [(choice.index, choice.message.content) for choice in reply.choices] == [(0, TEXT), (1, TEXT)]
    [token] = reply.choices[0].logprobs.content
    assert (token.token, token.logprob, token.top_logprobs[0].token) == ("Peace", -0.25, "Peace")


def test_what_gemini_cannot_be_told_is_400_with_its_name_and_nobody_is_asked(client, gemini):
    gemini.calls.clear()
    for name, value in {"logit_bias": {"1": 2}, "metadata": {"a": "b"}, "service_tier": "scale"}.items():
        with pytest.raises(BadRequestError) as caught:
            ask(client, **{name: value})
        assert (caught.value.param, caught.value.code) == (name, "unsupported_parameter")
    assert gemini.calls == []
    assert ask(client, metadata={"a": "b"}, extra_body={"drop_unsupported": True}).choices


def test_a_question_that_is_not_let_through_is_a_content_filter(client):
    [choice] = ask(client, "google/gemini-blocked").choices
    assert (choice.finish_reason, choice.message.refusal) == ("content_filter", "Not this.")
    chunks = list(ask(client, "google/gemini-blocked", stream=True))
    assert chunks[-1].choices[0].finish_reason == "content_filter"


@pytest.mark.case(7, "openai")
def test_a_refusal_keeps_its_words_and_its_advice(client, gemini):
    gemini.calls.clear()
    with pytest.raises(RateLimitError, match="Quota exceeded") as caught:
        ask(client, "google/gemini-limited")
    assert (caught.value.type, caught.value.code) == ("rate_limit_error", "RESOURCE_EXHAUSTED")
    assert caught.value.response.headers["retry-after"] == "7"
    assert len(gemini.calls) == 1
    with pytest.raises(InternalServerError, match="overloaded"):
        ask(client, "google/gemini-overloaded")
    with pytest.raises(BadRequestError, match="input token count") as long:
        ask(client, "google/gemini-too-short")
    assert long.value.code == "context_length_exceeded"


@pytest.mark.case(21, "openai")
def test_fallbacks_reach_across_providers(client, row):
    reply = ask(client, "gemini-or-gpt")
    assert (reply.choices[0].message.content, row(reply._request_id)["provider"]) == (TEXT, "mock")


@pytest.mark.case(5, "openai")
@pytest.mark.parametrize("model", ["google/gemini-cut", "google/gemini-ended-unsaid"])
def test_an_upstream_that_breaks_off_is_an_error_in_the_stream(client, row, model):
    stream = ask(client, model, stream=True)
    heard = []
    with pytest.raises(APIError, match="broke off"):
        heard.extend(chunk.choices[0].delta.content for chunk in stream)

    found = row(stream.response.headers["x-request-id"])
    assert "".join(heard) in {"x" * 10, "so far"}
    assert (found["status"], found["error_code"], found["input_tokens"]) == (502, "upstream_interrupted", 31)
    assert found["output_tokens"] > 0


@pytest.mark.case(6, "openai")
def test_an_error_inside_the_stream_keeps_its_words(client):
    with pytest.raises(APIError, match="overloaded") as caught:
        list(ask(client, "google/gemini-error-within", stream=True))
    assert caught.value.code == "UNAVAILABLE"


@pytest.mark.case(12, "openai")
def test_who_leaves_stops_gemini_too(client, gemini, home, row):
    gemini.calls.clear()
    stream = ask(client, "google/gemini-endless", stream=True)
    for _ in range(5):
        next(stream)
    stream.close()

    home.wait_for(lambda: gemini.calls[0].was_left)
    found = row(stream.response.headers["x-request-id"])
    assert gemini.calls[0].events_sent < 100
    assert (found["status"], found["error_code"]) == (499, "client_closed_request")
    assert 0 < found["output_tokens"] < 100


@pytest.mark.case(23, "openai")
@pytest.mark.parametrize("form", ["float", "base64"])
def test_embeddings_are_the_same_packed_or_not(client, gemini, row, form):
    gemini.calls.clear()
    reply = client.embeddings.with_raw_response.create(
        model="google/gemini-embedding-001", input=["a", "b"], dimensions=2, encoding_format=form
    )
    found = reply.parse()
    vectors = [entry.embedding for entry in found.data]
    if form == "base64":
        vectors = [list(struct.unpack("<2f", b64decode(held))) for held in vectors]
    assert vectors == [VECTOR[:2], VECTOR[:2]]
    assert client.embeddings.create(model="google/gemini-embedding-001", input="a").data[0].embedding == VECTOR
    assert (found.usage.prompt_tokens, found.model) == (5, "google/gemini-embedding-001")
    assert gemini.calls[0].path == "/v1beta/models/gemini-embedding-001:batchEmbedContents"
    assert row(reply.headers["x-request-id"])["cost_usd_nanos"] == 5 * 1_250
