"""Anthropic's SDK, answered by a provider that speaks OpenAI: in Anthropic's order, shapes and errors."""

import json

import pytest
from anthropic import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    InternalServerError,
    NotFoundError,
    RateLimitError,
    beta_tool,
)
from pydantic import BaseModel

from tests.conformance.gateway.test_limits import LOOKS, issue
from tests.fakes.model_provider import CITIES, WORDS
from tests.house import BOOTSTRAP_KEY

pytestmark = [pytest.mark.engines]

TEXT = "".join(WORDS)
GPT = "mock/gpt-4o-mini"
HI = [{"role": "user", "content": "hi"}]
NANOS = 8 * 150 + 3 * 75 + 7 * 600
WEATHER = {
    "name": "weather",
    "description": "The weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def ask(client, model=GPT, messages=HI, **more):
    return client.messages.create(model=model, messages=messages, max_tokens=100, **more)


def events_of(client, model=GPT, **more):
    """Name and data of every event, as the wire has them."""
    with client.messages.with_streaming_response.create(
        model=model, messages=HI, max_tokens=100, stream=True, **more
    ) as response:
        raw = b"".join(response.iter_bytes())
    blocks = [block.split(b"\n") for block in raw.split(b"\n\n") if block]
    return [(name.removeprefix(b"event: ").decode(), json.loads(data.removeprefix(b"data: "))) for name, data in blocks]


@pytest.mark.case(1, "anthropic")
@pytest.mark.case(15, "anthropic")
@pytest.mark.parametrize("model", [GPT, "gpt-4o-mini", "fast", "echo/fast"])
def test_an_answer_is_a_message_with_usage_and_the_name_asked_for(anthropic, row, model):
    message = ask(anthropic, model)

    text = "hi" if model == "echo/fast" else TEXT
    assert [(block.type, block.text) for block in message.content] == [("text", text)]
    assert (message.type, message.role, message.model) == ("message", "assistant", model)
    assert (message.stop_reason, message.stop_sequence) == ("end_turn", None)
    assert message._request_id.startswith("req_")
    assert message.usage.output_tokens > 0
    assert row(message._request_id)["endpoint"] == "messages"


@pytest.mark.case(15, "anthropic")
def test_usage_is_counted_anthropics_way_and_the_cost_is_exact(anthropic, row):
    message = ask(anthropic)
    usage = message.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (8, 3, 7)
    assert (usage.cache_creation_input_tokens, usage.output_tokens_details.thinking_tokens) == (0, 2)
    assert message.model_extra["brokle"]["cost_usd"] == pytest.approx(NANOS / 1e9, abs=1e-12)
    assert row(message._request_id)["cost_usd_nanos"] == NANOS


@pytest.mark.case(15, "anthropic")
def test_a_stream_has_the_documented_order(anthropic):
    events = events_of(anthropic)
    assert [name for name, _ in events] == [
        "message_start",
        "ping",
        "content_block_start",
        *["content_block_delta"] * len(WORDS),
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert all(name == data["type"] for name, data in events)
    assert events[0][1]["message"]["usage"]["input_tokens"] > 0
    late = events[-2][1]
    assert late["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert (late["usage"]["input_tokens"], late["usage"]["output_tokens"]) == (8, 7)
    assert late["brokle"]["cost_usd"] == pytest.approx(NANOS / 1e9, abs=1e-12)


@pytest.mark.case(15, "anthropic")
def test_the_sdk_adds_a_stream_up_to_the_message(anthropic, row):
    with anthropic.messages.stream(model=GPT, messages=HI, max_tokens=100) as stream:
        assert list(stream.text_stream) == WORDS
        message = stream.get_final_message()
        request_id = stream.response.headers["request-id"]
    assert (message.model, message.stop_reason) == (GPT, "end_turn")
    assert (message.usage.input_tokens, message.usage.cache_read_input_tokens) == (8, 3)
    assert message.usage.output_tokens == 7
    assert row(request_id)["cost_usd_nanos"] == NANOS


def test_metadata_can_be_left_out(anthropic):
    off = {"extra_headers": {"x-brokle-metadata": "off"}}
    assert "brokle" not in ask(anthropic, **off).model_extra
    assert not [data for _, data in events_of(anthropic, **off) if "brokle" in data]


@pytest.mark.case(15, "anthropic")
def test_every_reason_to_stop_is_anthropics(anthropic):
    assert ask(anthropic, "mock/wordy").stop_reason == "max_tokens"


@pytest.mark.case(14, "anthropic")
@pytest.mark.case(15, "anthropic")
@pytest.mark.parametrize("is_stream", [False, True])
def test_a_tool_loop_of_two_calls_at_once_completes(anthropic, provider, is_stream):
    def answer(messages):
        asked = {"model": "mock/tool-caller", "messages": messages, "max_tokens": 100, "tools": [WEATHER]}
        if not is_stream:
            return anthropic.messages.create(**asked)
        with anthropic.messages.stream(**asked) as stream:
            return stream.get_final_message()

    message = answer(HI)
    assert message.stop_reason == "tool_use"
    assert [(block.type, block.name, block.input) for block in message.content] == [
        ("tool_use", "weather", {"city": city}) for city in CITIES
    ]
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": [{"type": "text", "text": "sunny"}]}
        for block in message.content
    ]
    provider.calls.clear()
    final = answer([*HI, {"role": "assistant", "content": message.content}, {"role": "user", "content": results}])
    assert (final.content[0].text, final.stop_reason) == (TEXT, "end_turn")
    assert [turn["role"] for turn in provider.calls[0].body["messages"]] == ["user", "assistant", "tool", "tool"]


@pytest.mark.case(14, "anthropic")
@pytest.mark.case(15, "anthropic")
def test_calls_are_streamed_piece_by_piece(anthropic):
    events = events_of(anthropic, "mock/tool-caller", tools=[WEATHER])
    starts = [data["content_block"] for name, data in events if name == "content_block_start"]
    assert starts == [{"type": "tool_use", "id": f"call_{n}", "name": "weather", "input": {}} for n in range(2)]
    pieces = [data for name, data in events if name == "content_block_delta"]
    assert {piece["delta"]["type"] for piece in pieces} == {"input_json_delta"}
    assert len(pieces) == sum(len(json.dumps({"city": city})) for city in CITIES)
    assert [data["index"] for name, data in events if name == "content_block_stop"] == [0, 1]


@pytest.mark.case(25, "anthropic")
def test_a_coding_agents_request_reaches_the_provider_in_its_words(anthropic, provider):
    """System prompt in blocks with marks, beta features, thinking, hints about the context."""
    provider.calls.clear()
    message = anthropic.beta.messages.create(
        model=GPT,
        max_tokens=100,
        betas=["interleaved-thinking-2025-05-14", "context-management-2025-06-27"],
        system=[{"type": "text", "text": "You write code.", "cache_control": {"type": "ephemeral"}}],
        thinking={"type": "adaptive"},
        context_management={"edits": []},
        metadata={"user_id": "user_1"},
        tools=[WEATHER],
        messages=HI,
    )
    assert message.content[0].text == TEXT
    [call] = provider.calls
    assert call.body["messages"][0] == {"role": "system", "content": "You write code."}
    assert (call.body["user"], call.body["max_completion_tokens"]) == ("user_1", 100)
    assert not [name for name in call.headers if name.startswith("anthropic")]


@pytest.mark.case(15, "anthropic")
@pytest.mark.parametrize(
    ("model", "kind", "status", "said"),
    [
        pytest.param(
            "mock/rate-limited", RateLimitError, 429, "rate_limit_error", marks=pytest.mark.case(7, "anthropic")
        ),
        ("mock/broken", InternalServerError, 500, "api_error"),
        ("mock/too-hot", BadRequestError, 400, "invalid_request_error"),
        pytest.param("mock/nope", NotFoundError, 404, "not_found_error", marks=pytest.mark.case(9, "anthropic")),
    ],
)
def test_a_refusal_is_the_right_exception(anthropic, model, kind, status, said):
    for is_stream in (False, True):
        with pytest.raises(kind) as caught:
            ask(anthropic, model, stream=is_stream)
        error = caught.value
        assert (error.status_code, error.type, error.body["type"]) == (status, said, "error")
        assert error.request_id == error.response.headers["x-request-id"] == error.body["request_id"]


@pytest.mark.case(7, "anthropic")
def test_advice_and_codes_are_kept(anthropic):
    with pytest.raises(RateLimitError) as caught:
        ask(anthropic, "mock/rate-limited")
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.error_code == "rate_limit_exceeded"
    with pytest.raises(BadRequestError) as long:
        ask(anthropic, "mock/too-short")
    assert long.value.error_code == "context_length_exceeded"


@pytest.mark.case(10, "raw")
@pytest.mark.parametrize("header", ["x-api-key", "authorization"])
def test_a_wrong_key_is_an_authentication_error(home, header):
    value = "bk_test_wrong_0123456789abcdef"
    sent = {header: f"Bearer {value}" if header == "authorization" else value, "content-type": "application/json"}
    answer = home.request("POST", "/v1/messages", b"{}", sent)
    assert (answer.status, answer.json()["error"]["type"]) == (401, "authentication_error")
    assert answer.headers["request-id"] == answer.headers["x-request-id"]


@pytest.mark.case(10, "anthropic")
def test_the_sdk_knows_a_wrong_key(anthropic):
    with pytest.raises(AuthenticationError):
        ask(anthropic.with_options(api_key="bk_test_wrong_0123456789abcdef"))


@pytest.mark.case(11, "raw")
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"model": "gpt-4o-mini"}',
        b'{"model": "gpt-4o-mini", "max_tokens": 5, "messages": []}',
        b'{"model": "gpt-4o-mini", "max_tokens": "many", "messages": [{"role": "user", "content": "hi"}]}',
        b'{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}',
        b'{"model": "gpt-4o-mini", "max_tokens": 5, "messages": [{"role": "robot", "content": "hi"}]}',
        b'{"model": "gpt-4o-mini", "max_tokens": 5, "messages": [{"role": "user", "content": [{"type": 7}]}]}',
        b'{"model": "gpt-4o-mini", "max_tokens": 5, "tools": 3, "messages": [{"role": "user", "content": "hi"}]}',
        b"\xff\xfe{}",
        b"[" * 100_000,
    ],
)
def test_a_malformed_body_is_refused_in_anthropics_shape_and_nobody_is_asked(home, provider, body):
    provider.calls.clear()
    answer = home.request("POST", "/v1/messages", body, {"x-api-key": BOOTSTRAP_KEY})
    assert (answer.status, answer.json()["type"]) == (400, "error")
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert provider.calls == []


def test_what_only_anthropic_has_is_refused_by_name_or_left_out(anthropic, provider):
    provider.calls.clear()
    search = {"type": "web_search_20250305", "name": "web_search"}
    with pytest.raises(BadRequestError, match="web_search_20250305"):
        ask(anthropic, tools=[search])
    assert provider.calls == []
    assert ask(anthropic, tools=[search], extra_body={"drop_unsupported": True}).content[0].text == TEXT


@pytest.mark.case(5, "anthropic")
@pytest.mark.case(15, "anthropic")
def test_an_upstream_cut_in_the_middle_is_an_error_event_and_nothing_after(anthropic, row):
    heard = []
    with (
        pytest.raises(APIStatusError, match="broke off") as caught,
        anthropic.messages.stream(model="mock/cut", messages=HI, max_tokens=100) as stream,
    ):
        heard.extend(stream.text_stream)
    assert (heard, caught.value.type) == (["x"] * 10, "api_error")
    found = row(caught.value.request_id)
    assert (found["status"], found["error_code"]) == (502, "upstream_interrupted")
    assert found["output_tokens"] >= 10
    assert [name for name, _ in events_of(anthropic, "mock/cut")][-1] == "error"


@pytest.mark.case(6, "anthropic")
@pytest.mark.case(15, "anthropic")
def test_an_error_inside_the_stream_is_said_and_ends_it(anthropic):
    events = events_of(anthropic, "mock/error-within")
    assert [name for name, _ in events].count("message_stop") == 0
    assert events[-1][0] == "error"
    assert events[-1][1]["error"]["message"] == "overloaded inside"
    assert events[-1][1]["error"]["details"] == {"error_code": "overloaded"}


@pytest.mark.case(21, "anthropic")
def test_a_route_goes_on_to_who_answers(anthropic, row):
    message = ask(anthropic, "safe")
    assert (message.model, message.content[0].text, row(message._request_id)["attempts"]) == ("safe", TEXT, 3)
    with anthropic.messages.stream(model="safe-stream", messages=HI, max_tokens=100) as stream:
        assert "".join(stream.text_stream) == TEXT


@pytest.mark.case(12, "anthropic")
def test_who_leaves_stops_the_upstream_too(anthropic, provider, home, row):
    provider.calls.clear()
    with anthropic.messages.stream(model="mock/endless", messages=HI, max_tokens=100) as stream:
        request_id = stream.response.headers["request-id"]
        for _, _ in zip(range(5), stream, strict=False):
            pass
    home.wait_for(lambda: provider.calls[0].was_left)
    found = row(request_id)
    assert (found["status"], found["error_code"]) == (499, "client_closed_request")
    assert 0 < found["output_tokens"] < 100


def test_limits_are_told_in_anthropics_headers_too(home):
    key = issue(home, requests_per_minute=1000)
    asked = json.dumps({"model": GPT, "max_tokens": 9, "messages": HI}).encode()
    headers = home.request("POST", "/v1/messages", asked, {"x-api-key": key}).headers
    assert headers["anthropic-ratelimit-requests-limit"] == headers["x-ratelimit-limit-requests"] == "1000"
    assert headers["anthropic-ratelimit-requests-remaining"] == headers["x-ratelimit-remaining-requests"]
    assert headers["anthropic-ratelimit-requests-reset"].endswith("Z")


def test_tokens_are_estimated_where_nobody_counts_them(anthropic, provider):
    provider.calls.clear()
    raw = anthropic.messages.with_raw_response.count_tokens(
        model=GPT, system="Be kind.", tools=[WEATHER], messages=[{"role": "user", "content": "مرحبا " * 100}]
    )
    assert raw.headers["x-brokle-estimated"] == "true"
    assert 200 < raw.parse().input_tokens < 500
    assert provider.calls == []
    with pytest.raises(NotFoundError):
        anthropic.messages.count_tokens(model="mock/nope", messages=HI)


@pytest.mark.parametrize("model", [GPT, "claude/claude-sonnet-4-6"])
def test_a_count_is_one_request_and_costs_nothing(home, model):
    key = issue(home, requests_per_minute=50, budget_usd_micros=1_000_000, budget_window="day")
    asked = json.dumps({"model": model, "messages": HI}).encode()
    left = [
        home.request("POST", "/v1/messages/count_tokens", asked, {"x-api-key": key}).headers[name]
        for name in ("anthropic-ratelimit-requests-remaining", "x-ratelimit-remaining-requests")
    ]
    assert [int(number) for number in left] == [50 - LOOKS - 1, 50 - LOOKS - 2]


@pytest.mark.case(14, "anthropic")
@pytest.mark.parametrize("model", ["mock/tool-caller", "claude/claude-sonnet-4-6"])
@pytest.mark.parametrize("is_stream", [False, True])
def test_the_sdks_own_agent_runs_its_loop(anthropic, model, is_stream):
    asked = []

    @beta_tool
    def weather(city: str) -> str:
        """The weather of a city."""
        asked.append(city)
        return "sunny"

    runner = anthropic.beta.messages.tool_runner(
        model=model, max_tokens=100, tools=[weather], messages=HI, stream=is_stream
    )
    final = runner.until_done()
    assert (asked, final.content[-1].text, final.stop_reason) == (CITIES, TEXT, "end_turn")


class Place(BaseModel):
    city: str


@pytest.mark.case(17, "anthropic")
@pytest.mark.parametrize("model", ["claude/claude-sonnet-4-5", "google/gemini-2.5-flash"])
def test_a_shape_is_parsed(anthropic, model):
    message = anthropic.messages.parse(model=model, max_tokens=100, messages=HI, output_format=Place)
    assert message.parsed_output == Place(city="Cairo")
