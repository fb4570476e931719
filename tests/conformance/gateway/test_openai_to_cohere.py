"""SDKs of OpenAI and Anthropic, answered by Cohere: the provider checks every request by the types of Cohere's SDK."""

import json

import pytest
from openai import APIError, BadRequestError, RateLimitError
from pydantic import BaseModel

from tests.fakes.cohere_provider import COMMAND as MODEL
from tests.fakes.cohere_provider import KEY, PLAN, TEXT, THOUGHT, VECTOR
from tests.fakes.model_provider import CITIES, WORDS
from tests.house import BOOTSTRAP_KEY

pytestmark = [pytest.mark.engines]

COMMAND = f"cohere/{MODEL}"
HI = [{"role": "user", "content": "hi"}]
# What is billed: 11 of input at 2.5, 7 of output at 10.
NANOS = 11 * 2_500 + 7 * 10_000
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def ask(client, model=COMMAND, messages=HI, **more):
    return client.chat.completions.create(model=model, messages=messages, **more)


def test_an_answer_has_coheres_words_and_what_it_bills(client, row):
    reply = ask(client)
    assert (reply.choices[0].message.content, reply.model) == (TEXT, COMMAND)
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (11, 7)
    assert row(reply._request_id)["cost_usd_nanos"] == NANOS


def test_a_stream_has_the_same_words_usage_and_cost(client, row):
    stream = ask(client, stream=True, stream_options={"include_usage": True})
    chunks = list(stream)
    assert [chunk.choices[0].delta.content for chunk in chunks[:-1] if chunk.choices[0].delta.content] == WORDS
    assert (chunks[-1].choices, chunks[-1].usage.total_tokens) == ([], 18)
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert row(stream.response.headers["x-request-id"])["cost_usd_nanos"] == NANOS


def test_what_reaches_cohere_has_the_providers_key(client, cohere):
    ask(client, user="u3", temperature=0.5)
    call = cohere.calls[-1]
    assert (call.path, call.headers["authorization"]) == ("/v2/chat", f"Bearer {KEY}")
    assert BOOTSTRAP_KEY not in str(call.headers)
    assert call.body == {"model": MODEL, "messages": HI, "temperature": 0.5}


@pytest.mark.case(14, "openai")
def test_two_calls_at_once_their_plan_and_their_results(client, cohere):
    message = ask(client, tools=[WEATHER]).choices[0].message
    assert [json.loads(call.function.arguments) for call in message.tool_calls] == [{"city": city} for city in CITIES]
    answers = [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in message.tool_calls]
    final = ask(client, messages=[*HI, message, *answers], tools=[WEATHER])
    assert final.choices[0].message.content == TEXT
    assert cohere.calls[-1].body["messages"][1]["tool_plan"] == PLAN


@pytest.mark.case(14, "openai")
def test_two_calls_streamed_say_id_and_name_once(client):
    chunks = list(ask(client, tools=[WEATHER], stream=True))
    pieces = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]
    begun = [(p.index, p.id, p.function.name) for p in pieces if p.id]
    assert begun == [(0, "weather_0", "weather"), (1, "weather_1", "weather")]
    for index, city in enumerate(CITIES):
        arguments = "".join(piece.function.arguments for piece in pieces if piece.index == index)
        assert json.loads(arguments) == {"city": city}
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


class Place(BaseModel):
    city: str


@pytest.mark.case(17, "openai")
def test_a_shape_is_parsed(client):
    reply = client.chat.completions.parse(model=COMMAND, messages=HI, response_format=Place)
    assert reply.choices[0].message.parsed == Place(city="Cairo")


def test_anthropics_sdk_gets_thoughts_and_words(anthropic):
    thinking = {"type": "enabled", "budget_tokens": 2000}
    message = anthropic.messages.create(model=COMMAND, max_tokens=5000, thinking=thinking, messages=HI)
    assert [getattr(block, block.type) for block in message.content] == [THOUGHT, TEXT]
    with anthropic.messages.stream(model=COMMAND, max_tokens=5000, messages=HI) as stream:
        assert stream.get_final_message().content[0].text == TEXT


def test_documents_are_told_and_citations_left_out(client, cohere):
    reply = ask(client, extra_body={"documents": ["It is warm."]})
    assert reply.choices[0].message.content == TEXT
    assert cohere.calls[-1].body["documents"] == ["It is warm."]
    chunks = list(ask(client, extra_body={"documents": ["It is warm."]}, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT


def test_what_cohere_cannot_be_told_is_400_with_its_name_and_nobody_is_asked(client, cohere):
    cohere.calls.clear()
    with pytest.raises(BadRequestError) as caught:
        ask(client, logit_bias={"1": 2})
    assert (caught.value.param, caught.value.code) == ("logit_bias", "unsupported_parameter")
    assert cohere.calls == []


@pytest.mark.case(7, "openai")
def test_a_refusal_keeps_its_words_and_its_advice(client):
    with pytest.raises(RateLimitError, match="per minute") as caught:
        ask(client, "cohere/limited")
    assert (caught.value.type, caught.value.response.headers["retry-after"]) == ("rate_limit_error", "7")
    with pytest.raises(BadRequestError, match="too many tokens") as long:
        ask(client, "cohere/too-short")
    assert long.value.code == "context_length_exceeded"


@pytest.mark.case(5, "openai")
@pytest.mark.parametrize("model", ["cut", "ended-unsaid"])
def test_an_upstream_that_breaks_off_is_an_error_in_the_stream(client, row, model):
    stream = ask(client, f"cohere/{model}", stream=True)
    with pytest.raises(APIError, match="broke off"):
        list(stream)
    found = row(stream.response.headers["x-request-id"])
    assert (found["status"], found["error_code"]) == (502, "upstream_interrupted")


@pytest.mark.case(6, "openai")
def test_an_error_inside_the_stream_keeps_its_words(client):
    with pytest.raises(APIError, match="the model went away"):
        list(ask(client, "cohere/error-within", stream=True))


@pytest.mark.case(12, "openai")
def test_who_leaves_stops_cohere_too(client, cohere, home):
    cohere.calls.clear()
    stream = ask(client, "cohere/endless", stream=True)
    for _ in range(5):
        next(stream)
    stream.close()
    home.wait_for(lambda: cohere.calls[0].was_left)
    assert cohere.calls[0].events_sent < 100


@pytest.mark.case(23, "openai")
def test_embeddings_are_embedded(client, row):
    reply = client.embeddings.with_raw_response.create(model="cohere/embed-v4.0", input=["a", "b"], dimensions=2)
    found = reply.parse()
    assert [entry.embedding for entry in found.data] == [VECTOR[:2], VECTOR[:2]]
    assert found.usage.prompt_tokens == 5
    assert row(reply.headers["x-request-id"])["cost_usd_nanos"] == 5 * 2_500


def test_what_texts_are_for_is_said_in_its_words(client, cohere):
    for said in ({"input_type": "search_query"}, {"task_type": "RETRIEVAL_QUERY"}):
        client.embeddings.create(model="cohere/embed-v4.0", input="a", extra_body=said)
        assert cohere.calls[-1].body["input_type"] == "search_query"
    with pytest.raises(BadRequestError) as caught:
        client.embeddings.create(model="cohere/embed-v4.0", input="a", extra_body={"task_type": "FACT_VERIFICATION"})
    assert caught.value.param == "task_type"


def test_ranking_is_relayed(home, cohere, row):
    body = {"model": "cohere/rerank-v3.5", "query": "q", "documents": ["a", "b"], "top_n": 1}
    sent = {"authorization": f"Bearer {BOOTSTRAP_KEY}", "content-type": "application/json"}
    answer = home.request("POST", "/v1/rerank", json.dumps(body).encode(), sent)
    assert json.loads(answer.body)["results"] == [{"index": 1, "relevance_score": 0.9}]
    assert cohere.calls[-1].body == {**body, "model": "rerank-v3.5"}
    assert row(answer.headers["x-request-id"])["cost_usd_nanos"] == 2_000_000
