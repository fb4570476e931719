"""LangChain's client of OpenAI, pointed at the gateway: what it says, what it asks for, and what is billed for it."""

import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from openai import APIError, AuthenticationError, BadRequestError, NotFoundError, RateLimitError
from pydantic import BaseModel

from tests.fakes.model_provider import CITIES, WORDS
from tests.house import BOOTSTRAP_KEY

pytestmark = [pytest.mark.engines]

TEXT = "".join(WORDS)
GPT = "mock/gpt-4o-mini"
SONNET = "claude/claude-sonnet-4-5"
FLASH = "google/gemini-2.5-flash"
NANOS = 8 * 150 + 3 * 75 + 7 * 600


class Place(BaseModel):
    """Where something is."""

    city: str


def weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


@pytest.fixture
def chat(home):
    def make(model=GPT, **more):
        base = {"base_url": f"{home.url}/v1", "api_key": BOOTSTRAP_KEY, "max_retries": 0}
        return ChatOpenAI(model=model, **base, include_response_headers=True, **more)

    return make


def id_in(message):
    return message.response_metadata["headers"]["x-request-id"]


@pytest.mark.case(4, "langchain")
def test_a_stream_has_the_same_text_and_is_billed_though_it_asks_for_no_usage(chat, provider, row):
    provider.calls.clear()
    chunks = list(chat().stream("hi"))

    assert [chunk.content for chunk in chunks if chunk.content] == WORDS
    assert [chunk.usage_metadata for chunk in chunks if chunk.usage_metadata] == []
    found = row(id_in(sum(chunks[1:], chunks[0])))
    assert (found["cost_usd_nanos"], found["stream"], found["output_tokens"]) == (NANOS, True, 5)
    [call] = provider.calls
    assert call.body["stream_options"] == {"include_usage": True}


@pytest.mark.case(3, "langchain")
def test_who_asks_for_usage_is_told_it(chat):
    chunks = list(chat(stream_usage=True).stream("hi"))
    whole = sum(chunks[1:], chunks[0])
    assert (whole.content, whole.usage_metadata["total_tokens"]) == (TEXT, 18)


@pytest.mark.case(1, "langchain")
@pytest.mark.parametrize("model", [GPT, SONNET, FLASH])
def test_an_answer_has_text_and_usage(chat, row, model):
    message = chat(model).invoke("hi")
    assert (message.content, message.response_metadata["finish_reason"]) == (TEXT, "stop")
    found = row(id_in(message))
    assert found["status"] == 200
    assert message.usage_metadata["output_tokens"] == found["output_tokens"] + found["reasoning_tokens"]


@pytest.mark.case(14, "langchain")
@pytest.mark.parametrize("model", ["mock/tool-caller", SONNET, FLASH])
@pytest.mark.parametrize("is_stream", [False, True])
def test_a_loop_of_two_tools_at_once_ends_in_words(chat, model, is_stream):
    agent = chat(model).bind_tools([weather])

    def said(messages):
        if not is_stream:
            return agent.invoke(messages)
        chunks = list(agent.stream(messages))
        return sum(chunks[1:], chunks[0])

    question = HumanMessage("How is the weather?")
    message = said([question])
    assert [(call["name"], call["args"]) for call in message.tool_calls] == [("weather", {"city": c}) for c in CITIES]
    results = [ToolMessage(weather(**call["args"]), tool_call_id=call["id"]) for call in message.tool_calls]
    assert said([question, message, *results]).content == TEXT


@pytest.mark.case(17, "langchain")
@pytest.mark.parametrize("model", [SONNET, "claude/claude-sonnet-4-20250514", FLASH])
def test_a_shape_is_answered(chat, model):
    assert chat(model).with_structured_output(Place).invoke("where?") == Place(city="Cairo")


@pytest.mark.case(17, "langchain")
@pytest.mark.parametrize(("model", "more"), [(SONNET, {}), (FLASH, {"extra_body": {"drop_unsupported": True}})])
def test_a_shape_asked_for_as_a_tool_is_answered(chat, model, more):
    """It forbids a second call beside the first, which Gemini cannot be told."""
    shaped = chat(model, **more).with_structured_output(Place, method="function_calling")
    assert shaped.invoke("where?") == Place(city="Cairo")


async def test_it_streams_asynchronously_too(chat):
    assert "".join([chunk.content async for chunk in chat().astream("hi")]) == TEXT


@pytest.mark.parametrize("model", ["gpt/gpt-5", SONNET])
def test_its_responses_have_the_same_text(chat, model):
    responses = chat(model, use_responses_api=True)
    assert responses.invoke("hi").text == TEXT
    chunks = list(responses.stream("hi"))
    assert sum(chunks[1:], chunks[0]).text == TEXT


@pytest.mark.case(23, "langchain")
def test_vectors_come_in_the_encoding_it_asks_for(home, provider):
    """The switch turns off counting by a tokenizer that it would fetch from the network."""
    embeddings = OpenAIEmbeddings(
        model="mock/embedder", base_url=f"{home.url}/v1", api_key=BOOTSTRAP_KEY, check_embedding_ctx_length=False
    )
    assert embeddings.embed_documents(["a", "b"]) == [[0.25, -0.5, 1.0]] * 2
    assert embeddings.embed_query("a") == [0.25, -0.5, 1.0]


@pytest.mark.case(5, "langchain")
@pytest.mark.case(7, "langchain")
@pytest.mark.case(9, "langchain")
def test_refusals_are_the_right_exceptions(chat):
    with pytest.raises(RateLimitError) as limited:
        chat("mock/rate-limited").invoke("hi")
    assert limited.value.response.headers["retry-after"] == "7"
    with pytest.raises(NotFoundError) as unknown:
        chat("mock/nope").invoke("hi")
    assert unknown.value.code == "model_not_found"
    with pytest.raises(APIError, match="broke off"):
        list(chat("mock/cut").stream("hi"))


@pytest.mark.case(6, "langchain")
def test_an_error_inside_the_stream_keeps_its_code(chat):
    with pytest.raises(APIError) as caught:
        list(chat("mock/error-within").stream("hi"))
    assert (caught.value.code, caught.value.type) == ("overloaded", "server_error")


@pytest.mark.case(8, "langchain")
@pytest.mark.case(10, "langchain")
def test_a_wrong_request_and_a_wrong_key_are_told_apart(home, chat):
    with pytest.raises(BadRequestError) as hot:
        chat("mock/too-hot").invoke("hi")
    assert (hot.value.param, hot.value.code) == ("temperature", "bad_value")
    stranger = ChatOpenAI(model=GPT, base_url=f"{home.url}/v1", api_key="bk_test_wrong_0123456789abcdef", max_retries=0)
    with pytest.raises(AuthenticationError) as caught:
        stranger.invoke("hi")
    assert caught.value.code == "invalid_api_key"


@pytest.mark.case(12, "langchain")
def test_who_stops_reading_stops_the_upstream(chat, home, provider, row):
    provider.calls.clear()
    stream = chat("mock/endless").stream("hi")
    request_id = id_in(next(stream))
    for _ in range(4):
        next(stream)
    stream.close()
    home.wait_for(lambda: provider.calls[0].was_left)
    found = row(request_id)
    assert (found["status"], found["error_code"]) == (499, "client_closed_request")
    assert 0 < found["output_tokens"] < 100


@pytest.mark.case(18, "langchain")
def test_members_that_only_the_provider_knows_reach_it(chat, provider):
    provider.calls.clear()
    chat(extra_body={"x_vendor": 1}, seed=7, metadata={"not": "said"}).invoke("hi", user="u3")
    [call] = provider.calls
    assert {name: call.body[name] for name in ("x_vendor", "seed", "user")} == {"x_vendor": 1, "seed": 7, "user": "u3"}


@pytest.mark.case(21, "langchain")
def test_a_route_goes_on_to_who_answers(chat):
    assert chat("safe").invoke("hi").content == TEXT
    assert "".join(chunk.content for chunk in chat("safe-stream").stream("hi")) == TEXT
    with pytest.raises(APIError, match="broke off"):
        list(chat("late").stream("hi"))
