"""OpenAI's library for JavaScript, run by node, pointed at the gateway."""

import base64

import pytest

from brokle.web.build_assets import build, find_node
from tests.conformance.gateway.test_limits import issue
from tests.fakes.model_provider import CITIES, SOUND, WORDS
from tests.house import BOOTSTRAP_KEY
from tests.judge import SDK, Refused, judge

pytestmark = [pytest.mark.engines]

TEXT = "".join(WORDS)
GPT = "mock/gpt-4o-mini"
SONNET = "claude/claude-sonnet-4-5"
FLASH = "google/gemini-2.5-flash"
HI = [{"role": "user", "content": "hi"}]
NANOS = 8 * 150 + 3 * 75 + 7 * 600
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"name": "weather", "description": "The weather of a city", "parameters": CITY}
SHAPE = {
    "type": "json_schema",
    "json_schema": {"name": "place", "strict": True, "schema": {**CITY, "additionalProperties": False}},
}
VECTOR = [0.25, -0.5, 1.0]


@pytest.fixture(scope="module")
def node(home):
    build()  # installs the npm packages where nobody has yet
    script = str(SDK / "openai_node" / "judge.mjs")
    with judge(find_node().node, script, JUDGE_URL=f"{home.url}/v1", JUDGE_KEY=BOOTSTRAP_KEY) as found:
        yield found


def ask(node, model=GPT, messages=HI, *, key=None, stop_after=None, **more):
    given = {"body": {"model": model, "messages": messages, **more}, "key": key}
    return node.ask("chat.completions.create", **given, **({"stop_after": stop_after} if stop_after else {}))


def refusal(node, model, **more):
    with pytest.raises(Refused) as caught:
        ask(node, model, **more)
    return caught.value


@pytest.mark.case(1, "openai-node")
@pytest.mark.parametrize("model", [GPT, "fast", SONNET, FLASH])
def test_an_answer_has_text_usage_and_an_id(node, row, model):
    answer = ask(node, model)
    reply = answer["value"]
    assert (reply["choices"][0]["message"]["content"], reply["model"]) == (TEXT, model)
    assert reply["usage"]["total_tokens"] > 0
    found = row(answer["headers"]["x-request-id"])
    assert (found["status"], found["user_agent"][:9]) == (200, "OpenAI/JS")


@pytest.mark.case(2, "openai-node")
@pytest.mark.parametrize("model", [GPT, SONNET, FLASH])
def test_a_stream_shows_no_usage_to_who_did_not_ask_and_is_billed(node, row, model):
    answer = ask(node, model, stream=True)
    chunks = answer["value"]
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks) == TEXT
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert not [chunk for chunk in chunks if chunk.get("usage")]
    found = row(answer["headers"]["x-request-id"])
    assert (found["cost_usd_nanos"] > 0, found["stream"]) == (True, True)
    if model == GPT:
        assert found["cost_usd_nanos"] == NANOS


@pytest.mark.case(3, "openai-node")
@pytest.mark.parametrize("model", [GPT, SONNET])
def test_who_asks_for_usage_gets_exactly_one_more_chunk(node, model):
    chunks = ask(node, model, stream=True, stream_options={"include_usage": True})["value"]
    assert [chunk for chunk in chunks[:-1] if chunk.get("usage")] == []
    assert (chunks[-1]["choices"], chunks[-1]["usage"]["total_tokens"] > 0) == ([], True)


@pytest.mark.case(14, "openai-node")
@pytest.mark.parametrize("model", ["mock/tool-caller", SONNET, FLASH])
@pytest.mark.parametrize("is_stream", [False, True])
def test_its_own_runner_of_tools_ends_in_words(node, model, is_stream):
    body = {"model": model, "messages": HI, "tools": [WEATHER], "stream": is_stream}
    answer = node.ask("run tools", body=body, results="sunny")
    assert answer["value"] == {"asked": [{"city": city} for city in CITIES], "said": TEXT}


@pytest.mark.case(17, "openai-node")
@pytest.mark.parametrize("model", [SONNET, FLASH])
def test_a_shape_is_parsed(node, model):
    body = {"model": model, "messages": HI, "response_format": SHAPE}
    reply = node.ask("chat.completions.parse", body=body)["value"]
    assert reply["choices"][0]["message"]["parsed"] == {"city": "Cairo"}


@pytest.mark.parametrize("model", ["gpt/gpt-5", SONNET])
def test_responses_are_answered_and_streamed(node, model):
    whole = node.ask("responses.create", body={"model": model, "input": "hi"})["value"]
    assert (whole["output_text"], whole["status"], whole["model"]) == (TEXT, "completed", model)
    events = node.ask("responses.create", body={"model": model, "input": "hi", "stream": True})["value"]
    assert "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta") == TEXT
    assert events[-1]["type"] == "response.completed"


@pytest.mark.case(23, "openai-node")
def test_vectors_are_asked_for_packed_and_equal_the_plain_ones(node, provider):
    packed = node.ask("embeddings.create", body={"model": "mock/embedder", "input": "hello"})["value"]
    assert provider.calls[-1].body["encoding_format"] == "base64"
    body = {"model": "mock/embedder", "input": ["a", "b"], "encoding_format": "float"}
    plain = node.ask("embeddings.create", body=body)["value"]
    assert packed["data"][0]["embedding"] == plain["data"][1]["embedding"] == VECTOR
    node.ask("embeddings.create", body={"model": "mock/embedder", "input": [[1, 2, 3], [4]]})
    assert provider.calls[-1].body["input"] == [[1, 2, 3], [4]]


@pytest.mark.case(23, "openai-node")
def test_sound_is_heard_and_spoken(node, provider, row):
    body = {"model": GPT, "file": {"name": "a.wav", "text": "s" * 5000}, "language": "ar"}
    heard = node.ask("audio.transcriptions.create", body=body)
    assert heard["value"]["text"] == "5000 bytes"
    assert (provider.calls[-1].body["model"], provider.calls[-1].body["language"]) == ("gpt-4o-mini", "ar")
    assert row(heard["headers"]["x-request-id"])["endpoint"] == "audio.transcriptions"
    spoken = node.ask("audio.speech.create", body={"model": GPT, "voice": "alloy", "input": "سلام"})
    assert base64.b64decode(spoken["value"]) == SOUND


@pytest.mark.case(23, "openai-node")
def test_pictures_are_painted(node):
    painted = node.ask("images.generate", body={"model": "mock/painter", "prompt": "a mosque at dawn"})["value"]
    assert painted["data"][0]["b64_json"] == "cGljdHVyZQ=="


def test_models_are_listed_and_found_by_a_name_with_a_slash(node):
    assert node.ask("models.retrieve", body=GPT)["value"]["id"] == GPT
    with pytest.raises(Refused) as caught:
        node.ask("models.retrieve", body="mock/nope")
    assert (caught.value.kind, caught.value.told["code"]) == ("NotFoundError", "model_not_found")


@pytest.mark.case(9, "openai-node")
def test_an_unknown_model_is_not_found_and_nobody_is_asked(node, provider):
    provider.calls.clear()
    found = refusal(node, "mock/nope")
    assert (found.kind, found.told["status"], found.told["code"]) == ("NotFoundError", 404, "model_not_found")
    assert found.told["request_id"].startswith("req_")
    assert provider.calls == []


@pytest.mark.case(10, "openai-node")
def test_a_wrong_key_is_an_authentication_error(node):
    found = refusal(node, GPT, key="bk_test_wrong_0123456789abcdef")
    assert (found.kind, found.told["status"], found.told["code"]) == ("AuthenticationError", 401, "invalid_api_key")


@pytest.mark.case(7, "openai-node")
@pytest.mark.case(8, "openai-node")
def test_the_providers_refusals_keep_code_parameter_and_advice(node, provider):
    provider.calls.clear()
    limited = refusal(node, "mock/rate-limited")
    assert (limited.kind, limited.told["code"], limited.told["type"]) == (
        "RateLimitError",
        "rate_limit_exceeded",
        "requests",
    )
    assert limited.told["headers"]["retry-after"] == "7"
    assert len(provider.calls) == 1
    hot = refusal(node, "mock/too-hot")
    assert (hot.kind, hot.told["param"], hot.told["code"]) == ("BadRequestError", "temperature", "bad_value")


@pytest.mark.case(20, "openai-node")
def test_a_key_that_has_used_up_its_rate_is_told_when_to_come_again(node, home):
    """The rate is known to both processes, which took requests of it to say so."""
    key = issue(home, requests_per_minute=8)
    found = refusal(node, GPT, key=key)
    assert (found.kind, found.told["status"], found.told["code"]) == ("RateLimitError", 429, "rate_limit_exceeded")
    assert 0 < int(found.told["headers"]["retry-after"]) <= 120
    assert found.told["headers"]["x-ratelimit-remaining-requests"] == "0"


@pytest.mark.case(5, "openai-node")
@pytest.mark.parametrize("model", ["mock/cut", "claude/claude-cut"])
def test_a_stream_that_breaks_off_raises(node, model):
    assert "broke off" in refusal(node, model, stream=True).told["message"]


@pytest.mark.case(6, "openai-node")
def test_an_error_inside_the_stream_keeps_its_code(node):
    found = refusal(node, "mock/error-within", stream=True)
    assert (found.told["code"], found.told["type"]) == ("overloaded", "server_error")


@pytest.mark.case(12, "openai-node")
def test_who_stops_reading_stops_the_upstream(node, home, provider, row):
    provider.calls.clear()
    answer = ask(node, "mock/endless", stream=True, stop_after=5)
    assert len(answer["value"]) == 5
    home.wait_for(lambda: provider.calls[0].was_left)
    found = row(answer["headers"]["x-request-id"])
    assert (found["status"], found["error_code"]) == (499, "client_closed_request")
    assert 0 < found["output_tokens"] < 100


@pytest.mark.case(18, "openai-node")
def test_members_that_only_the_provider_knows_reach_it(node, provider):
    provider.calls.clear()
    ask(node, x_vendor=1, metadata={"a": "b"}, user="u1", seed=7)
    [call] = provider.calls
    assert {name: call.body[name] for name in ("x_vendor", "metadata", "user", "seed")} == {
        "x_vendor": 1,
        "metadata": {"a": "b"},
        "user": "u1",
        "seed": 7,
    }


@pytest.mark.case(21, "openai-node")
def test_a_route_goes_on_to_who_answers(node, row):
    answer = ask(node, "safe")
    assert answer["value"]["choices"][0]["message"]["content"] == TEXT
    assert row(answer["headers"]["x-request-id"])["attempts"] == 3
    chunks = ask(node, "safe-stream", stream=True)["value"]
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks) == TEXT
    assert "broke off" in refusal(node, "late", stream=True).told["message"]
