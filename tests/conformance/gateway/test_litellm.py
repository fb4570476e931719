"""LiteLLM as a client, pointed at the gateway by both of its ways: `openai/…` and `litellm_proxy/…`."""

import json

import pytest

import brokle
from tests.fakes.model_provider import CITIES, WORDS
from tests.house import BOOTSTRAP_KEY
from tests.judge import SDK, Refused, judge

pytestmark = [pytest.mark.engines]

TEXT = "".join(WORDS)
GPT = "mock/gpt-4o-mini"
SONNET = "claude/claude-sonnet-4-5"
FLASH = "google/gemini-2.5-flash"
HI = [{"role": "user", "content": "hi"}]
NANOS = 8 * 150 + 3 * 75 + 7 * 600
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
SHAPE = {
    "type": "json_schema",
    "json_schema": {"name": "place", "strict": True, "schema": {**WEATHER["function"]["parameters"]}},
}
WAYS = ["openai", "litellm_proxy"]


@pytest.fixture(scope="module")
def client():
    python = brokle.HOUSE / ".tools" / "litellm" / "bin" / "python"
    assert python.exists(), "LiteLLM has an environment of its own: run `make judges`"
    with judge(str(python), str(SDK / "litellm" / "judge.py")) as found:
        yield found


@pytest.fixture
def ask(client, home):
    def call(model, verb="completion", **more):
        base = {"api_base": f"{home.url}/v1", "api_key": BOOTSTRAP_KEY, "max_retries": 0}
        return client.ask(verb, model=model, **base, **more)

    return call


@pytest.mark.case(1, "litellm")
@pytest.mark.case(25, "litellm")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("model", [GPT, "fast", SONNET, FLASH])
def test_an_answer_has_text_usage_and_an_id(ask, row, way, model):
    answer = ask(f"{way}/{model}", messages=HI)
    reply = answer["value"]
    assert reply["choices"][0]["message"]["content"] == TEXT
    found = row(answer["headers"]["llm_provider-x-request-id"])
    buckets = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
    assert reply["usage"]["total_tokens"] == sum(found[name] for name in buckets)
    assert found["model_requested"] == model


@pytest.mark.case(2, "litellm")
@pytest.mark.case(25, "litellm")
@pytest.mark.parametrize("way", WAYS)
def test_a_stream_has_the_same_text_and_is_billed(ask, home, provider, way):
    provider.calls.clear()
    chunks = ask(f"{way}/{GPT}", messages=HI, stream=True)["value"]
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks) == TEXT
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    [call] = provider.calls
    assert call.body["stream_options"] == {"include_usage": True}


@pytest.mark.case(3, "litellm")
@pytest.mark.parametrize("way", WAYS)
def test_who_asks_for_usage_is_told_it(ask, way):
    more = {"stream": True, "stream_options": {"include_usage": True}}
    chunks = ask(f"{way}/{GPT}", messages=HI, **more)["value"]
    assert chunks[-1]["usage"]["total_tokens"] == 18


@pytest.mark.case(14, "litellm")
@pytest.mark.case(25, "litellm")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("model", ["mock/tool-caller", SONNET, FLASH])
def test_a_loop_of_two_tools_at_once_ends_in_words(ask, way, model):
    first = ask(f"{way}/{model}", messages=HI, tools=[WEATHER])["value"]["choices"][0]
    calls = first["message"]["tool_calls"]
    assert first["finish_reason"] == "tool_calls"
    assert [json.loads(call["function"]["arguments"]) for call in calls] == [{"city": city} for city in CITIES]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "sunny"} for call in calls]
    again = [*HI, first["message"], *results]
    assert ask(f"{way}/{model}", messages=again, tools=[WEATHER])["value"]["choices"][0]["message"]["content"] == TEXT


@pytest.mark.case(14, "litellm")
@pytest.mark.parametrize("model", ["mock/tool-caller", SONNET, FLASH])
def test_calls_are_streamed_with_whole_arguments(ask, model):
    chunks = ask(f"openai/{model}", messages=HI, tools=[WEATHER], stream=True)["value"]
    pieces = [call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls") or ()]
    for index, city in enumerate(CITIES):
        arguments = "".join(piece["function"]["arguments"] or "" for piece in pieces if piece["index"] == index)
        assert json.loads(arguments) == {"city": city}


@pytest.mark.case(17, "litellm")
@pytest.mark.parametrize("model", [SONNET, FLASH])
def test_a_shape_is_answered(ask, model):
    reply = ask(f"litellm_proxy/{model}", messages=HI, response_format=SHAPE)["value"]
    assert json.loads(reply["choices"][0]["message"]["content"]) == {"city": "Cairo"}


@pytest.mark.case(23, "litellm")
@pytest.mark.parametrize("way", WAYS)
def test_vectors_are_plain_numbers(ask, way):
    reply = ask(f"{way}/mock/embedder", "embedding", input=["a", "b"])["value"]
    assert [entry["embedding"] for entry in reply["data"]] == [[0.25, -0.5, 1.0]] * 2


@pytest.mark.parametrize("model", ["gpt/gpt-5", SONNET])
def test_responses_are_answered(ask, model):
    reply = ask(f"openai/{model}", "responses", input="hi")["value"]
    [message] = [item for item in reply["output"] if item["type"] == "message"]
    assert (message["content"][0]["text"], reply["status"]) == (TEXT, "completed")


@pytest.mark.case(23, "litellm")
def test_sound_is_heard(ask):
    heard = ask(f"openai/{GPT}", "transcription", file={"name": "a.wav", "text": "s" * 500})["value"]
    assert heard["text"] == "500 bytes"


@pytest.mark.case(25, "litellm")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("model", "kind", "status"),
    [
        pytest.param("mock/rate-limited", "RateLimitError", 429, marks=pytest.mark.case(7, "litellm")),
        pytest.param("mock/too-hot", "BadRequestError", 400, marks=pytest.mark.case(8, "litellm")),
        ("mock/too-short", "ContextWindowExceededError", 400),
        ("claude/claude-too-short", "ContextWindowExceededError", 400),
        ("mock/broken", "InternalServerError", 500),
        pytest.param("mock/nope", "NotFoundError", 404, marks=pytest.mark.case(9, "litellm")),
    ],
)
def test_refusals_are_the_right_exceptions(ask, way, model, kind, status):
    with pytest.raises(Refused) as caught:
        ask(f"{way}/{model}", messages=HI)
    assert (caught.value.kind, caught.value.told["status"]) == (kind, status)


@pytest.mark.case(10, "litellm")
@pytest.mark.parametrize("way", WAYS)
def test_a_wrong_key_is_an_authentication_error(client, home, way):
    wrong = {"api_base": f"{home.url}/v1", "api_key": "bk_test_wrong_0123456789abcdef", "max_retries": 0}
    with pytest.raises(Refused) as caught:
        client.ask("completion", model=f"{way}/{GPT}", messages=HI, **wrong)
    assert (caught.value.kind, caught.value.told["status"]) == ("AuthenticationError", 401)


@pytest.mark.case(7, "litellm")
def test_a_limit_tells_when_to_come_again(ask):
    with pytest.raises(Refused) as caught:
        ask("openai/mock/rate-limited", messages=HI)
    assert caught.value.told["headers"]["retry-after"] == "7"


@pytest.mark.case(5, "litellm")
def test_a_stream_that_breaks_off_raises(ask):
    with pytest.raises(Refused, match="broke off"):
        ask("openai/mock/cut", messages=HI, stream=True)


@pytest.mark.case(6, "litellm")
def test_an_error_inside_the_stream_raises_with_its_words(ask):
    with pytest.raises(Refused, match="overloaded inside"):
        ask("openai/mock/error-within", messages=HI, stream=True)


@pytest.mark.case(18, "litellm")
@pytest.mark.parametrize("way", WAYS)
def test_members_that_only_the_provider_knows_reach_it(ask, provider, way):
    provider.calls.clear()
    ask(f"{way}/{GPT}", messages=HI, extra_body={"x_vendor": 1}, seed=7)
    [call] = provider.calls
    assert (call.body["x_vendor"], call.body["seed"]) == (1, 7)


@pytest.mark.case(21, "litellm")
def test_a_route_goes_on_to_who_answers(ask):
    assert ask("openai/safe", messages=HI)["value"]["choices"][0]["message"]["content"] == TEXT
    chunks = ask("openai/safe-stream", messages=HI, stream=True)["value"]
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks) == TEXT
    with pytest.raises(Refused, match="broke off"):
        ask("openai/late", messages=HI, stream=True)
