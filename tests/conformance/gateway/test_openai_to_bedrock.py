"""SDKs of OpenAI, Anthropic and Google, answered by Bedrock: the provider checks each call by botocore."""

import json

import pytest
from google import genai
from google.genai import types
from openai import APIError, BadRequestError, InternalServerError, PermissionDeniedError, RateLimitError
from pydantic import BaseModel

from tests.fakes.bedrock_provider import ACCESS_KEY, CLAUDE, COHERE, NOVA, SIGNATURE, TEXT, THOUGHT, TITAN, VECTOR
from tests.fakes.model_provider import CITIES, WORDS
from tests.house import BOOTSTRAP_KEY

pytestmark = [pytest.mark.engines]

SONNET = f"aws/{CLAUDE}"
HI = [{"role": "user", "content": "hi"}]
# 8 of input at 3, 3 of the cache at 0.3, 12 kept for five minutes at 3.75, 8 for an hour at 6, 7 of output at 15.
NANOS = 8 * 3_000 + 3 * 300 + 12 * 3_750 + 8 * 6_000 + 7 * 15_000
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def ask(client, model=SONNET, messages=HI, **more):
    return client.chat.completions.create(model=model, messages=messages, **more)


def test_an_answer_has_bedrocks_words_usage_and_the_exact_cost(client, row):
    reply = ask(client)

    assert (reply.choices[0].message.content, reply.model) == (TEXT, SONNET)
    assert reply.choices[0].finish_reason == "stop"
    usage = reply.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (31, 7, 38)
    assert usage.prompt_tokens_details.cached_tokens == 3
    found = row(reply._request_id)
    assert [found[name] for name in ("input_tokens", "cache_read_tokens", "output_tokens")] == [8, 3, 7]
    assert (found["provider"], found["cost_usd_nanos"]) == ("aws", NANOS)
    assert reply.model_extra["brokle"]["cost_usd"] == pytest.approx(NANOS / 1e9, abs=1e-12)


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


def test_what_reaches_bedrock_is_its_own_request_signed_and_without_a_key(client, bedrock):
    bedrock.calls.clear()
    ask(client, f"aws/{NOVA}", messages=[{"role": "system", "content": "Be kind."}, *HI], user="u1", temperature=0.5)
    [call] = bedrock.calls
    assert call.path == "/model/us.amazon.nova-2-lite-v1%3A0/converse"
    assert call.headers["authorization"].startswith(f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/")
    assert BOOTSTRAP_KEY not in str(call.headers)
    assert call.body == {
        "messages": [{"role": "user", "content": [{"text": "hi"}]}],
        "system": [{"text": "Be kind."}],
        "inferenceConfig": {"temperature": 0.5},
    }


def test_a_bedrock_api_key_is_enough_and_a_wrong_secret_is_refused(client, bedrock):
    assert ask(client, f"aws-bearer/{CLAUDE}").choices[0].message.content == TEXT
    assert bedrock.calls[-1].headers["authorization"].startswith("Bearer ")
    with pytest.raises(PermissionDeniedError, match="signature"):
        ask(client, f"aws-elsewhere/{CLAUDE}")


@pytest.mark.case(14, "openai")
def test_two_calls_at_once_and_their_results(client, bedrock):
    message = ask(client, tools=[WEATHER]).choices[0].message
    assert [json.loads(call.function.arguments) for call in message.tool_calls] == [{"city": city} for city in CITIES]
    answers = [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in message.tool_calls]
    final = ask(client, messages=[*HI, message, *answers], tools=[WEATHER])
    assert final.choices[0].message.content == TEXT
    assert [turn["role"] for turn in bedrock.calls[-1].body["messages"]] == ["user", "assistant", "user"]


@pytest.mark.case(14, "openai")
def test_two_calls_streamed_say_id_and_name_once(client):
    chunks = list(ask(client, tools=[WEATHER], stream=True))
    pieces = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]
    begun = [(p.index, p.id, p.function.name) for p in pieces if p.id]
    assert begun == [(0, "tooluse_0", "weather"), (1, "tooluse_1", "weather")]
    for index, city in enumerate(CITIES):
        arguments = "".join(piece.function.arguments for piece in pieces if piece.index == index)
        assert json.loads(arguments) == {"city": city}
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


class Place(BaseModel):
    city: str


@pytest.mark.case(17, "openai")
@pytest.mark.parametrize("model", [CLAUDE, NOVA])
def test_a_shape_is_parsed(client, model):
    reply = client.chat.completions.parse(model=f"aws/{model}", messages=HI, response_format=Place)
    assert reply.choices[0].message.parsed == Place(city="Cairo")
    with client.chat.completions.stream(model=f"aws/{model}", messages=HI, response_format=Place) as stream:
        assert stream.get_final_completion().choices[0].message.parsed == Place(city="Cairo")


def test_anthropics_sdk_gets_thoughts_that_go_back_as_they_came(anthropic):
    thinking = {"type": "enabled", "budget_tokens": 2000}
    asked = {"model": SONNET, "max_tokens": 5000, "thinking": thinking}
    message = anthropic.messages.create(messages=HI, **asked)
    assert [block.type for block in message.content] == ["thinking", "text"]
    assert (message.content[0].thinking, message.content[0].signature) == (THOUGHT, SIGNATURE)
    assert (message.usage.input_tokens, message.usage.cache_creation.ephemeral_1h_input_tokens) == (8, 8)
    again = [*HI, {"role": "assistant", "content": message.content}, *HI]
    with anthropic.messages.stream(messages=again, **asked) as stream:
        final = stream.get_final_message()
    assert (final.content[0].thinking, final.content[1].text, final.stop_reason) == (THOUGHT, TEXT, "end_turn")


def test_anthropics_sdk_is_told_what_words_ended_the_answer(anthropic):
    message = anthropic.messages.create(model=SONNET, max_tokens=50, messages=HI, stop_sequences=["END"])
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "END")


def test_googles_sdk_is_answered_too(home):
    with genai.Client(api_key=BOOTSTRAP_KEY, http_options=types.HttpOptions(base_url=home.url)) as google:
        assert google.models.generate_content(model=SONNET, contents="hi").text == TEXT


def test_what_bedrock_cannot_be_told_is_400_with_its_name_and_nobody_is_asked(client, bedrock):
    bedrock.calls.clear()
    for name, value in {"logit_bias": {"1": 2}, "seed": 1, "n": 2}.items():
        with pytest.raises(BadRequestError) as caught:
            ask(client, **{name: value})
        assert (caught.value.param, caught.value.code) == (name, "unsupported_parameter")
    assert bedrock.calls == []
    assert ask(client, seed=1, extra_body={"drop_unsupported": True}).choices


@pytest.mark.case(7, "openai")
def test_a_refusal_keeps_its_words_and_its_advice(client, bedrock):
    bedrock.calls.clear()
    with pytest.raises(RateLimitError, match="Too many requests") as caught:
        ask(client, "aws/limited")
    assert (caught.value.type, caught.value.code) == ("rate_limit_error", "ThrottlingException")
    assert caught.value.response.headers["retry-after"] == "7"
    assert len(bedrock.calls) == 1
    with pytest.raises(InternalServerError, match="unable to process"):
        ask(client, "aws/overloaded")
    with pytest.raises(BadRequestError, match="Input is too long") as long:
        ask(client, "aws/too-short")
    assert long.value.code == "context_length_exceeded"


@pytest.mark.case(21, "openai")
def test_fallbacks_reach_across_providers(client, row):
    reply = ask(client, "bedrock-or-gpt")
    assert (reply.choices[0].message.content, row(reply._request_id)["provider"]) == (TEXT, "mock")


@pytest.mark.case(5, "openai")
@pytest.mark.parametrize("model", ["cut", "ended-unsaid", "damaged"])
def test_an_upstream_that_breaks_off_is_an_error_in_the_stream(client, row, model):
    stream = ask(client, f"aws/{model}", stream=True)
    heard = []
    with pytest.raises(APIError, match="broke off"):
        heard.extend(chunk.choices[0].delta.content for chunk in stream if chunk.choices[0].delta.content)

    found = row(stream.response.headers["x-request-id"])
    assert "".join(heard) in {"x" * 10, "so far"}
    assert (found["status"], found["error_code"]) == (502, "upstream_interrupted")
    assert found["output_tokens"] > 0


@pytest.mark.case(6, "openai")
def test_an_exception_inside_the_stream_keeps_its_words(client):
    with pytest.raises(APIError, match="Too many tokens today") as caught:
        list(ask(client, "aws/error-within", stream=True))
    assert (caught.value.type, caught.value.code) == ("rate_limit_error", "throttlingException")


@pytest.mark.case(12, "openai")
def test_who_leaves_stops_bedrock_too(client, bedrock, home, row):
    bedrock.calls.clear()
    stream = ask(client, "aws/endless", stream=True)
    for _ in range(5):
        next(stream)
    stream.close()

    home.wait_for(lambda: bedrock.calls[0].was_left)
    found = row(stream.response.headers["x-request-id"])
    assert bedrock.calls[0].events_sent < 100
    assert (found["status"], found["error_code"]) == (499, "client_closed_request")


@pytest.mark.case(23, "openai")
def test_embeddings_are_invoked(client, row):
    reply = client.embeddings.with_raw_response.create(model=f"aws/{TITAN}", input="a", dimensions=2)
    assert reply.parse().data[0].embedding == VECTOR[:2]
    assert row(reply.headers["x-request-id"])["cost_usd_nanos"] == 5 * 3_000
    both = client.embeddings.create(model=f"aws/{COHERE}", input=["a", "b"])
    assert [entry.embedding for entry in both.data] == [VECTOR, VECTOR]
    with pytest.raises(BadRequestError) as caught:
        client.embeddings.create(model=f"aws/{TITAN}", input=["a", "b"])
    assert caught.value.param == "input"
