"""OpenAI's SDK on its Responses API, answered by echo, Claude, Gemini and a server that knows only chat."""

import json

import pytest
from openai import APIError, BadRequestError, InternalServerError, RateLimitError
from pydantic import BaseModel

from tests.fakes.anthropic_provider import SIGNATURE, TEXT, THOUGHT
from tests.fakes.model_provider import CITIES, WORDS
from tests.house import BOOTSTRAP_KEY

pytestmark = [pytest.mark.engines]

SONNET = "claude/claude-sonnet-4-5"
FLASH = "google/gemini-2.5-flash"
GPT = "mock/gpt-4o-mini"
NANOS = 8 * 3_000 + 3 * 300 + 12 * 3_750 + 8 * 6_000 + 7 * 15_000
WEATHER = {
    "type": "function",
    "name": "weather",
    "description": "Of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": False,
}
PNG = "iVBORw0KGgo="


class City(BaseModel):
    city: str


@pytest.mark.parametrize("model", [SONNET, FLASH, GPT])
def test_an_answer_has_text_usage_and_cost(client, model, row):
    raw = client.responses.with_raw_response.create(model=model, input="hi", instructions="Be kind.", store=True)
    reply = raw.parse()
    assert (reply.output_text, reply.model, reply.status) == (TEXT, model, "completed")
    assert reply.id.startswith("resp_")
    assert list(json.loads(raw.content))[-1] == "brokle"
    found = row(raw.headers["x-request-id"])
    assert (found["endpoint"], found["status"]) == ("responses", 200)
    assert reply.usage.total_tokens == sum(
        found[name]
        for name in ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
    )
    if model == SONNET:
        assert found["cost_usd_nanos"] == NANOS
        assert (reply.usage.input_tokens, reply.usage.input_tokens_details.cached_tokens) == (31, 3)


def test_echo_needs_no_account(client):
    assert client.responses.create(model="echo/fast", input="Peace be upon you").output_text == "Peace be upon you"


@pytest.mark.parametrize("model", [SONNET, FLASH, GPT])
def test_the_sdks_own_stream_adds_it_up(client, model):
    with client.responses.stream(model=model, input="hi") as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == TEXT
    assert (final.output_text, final.status) == (TEXT, "completed")
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert final.usage.total_tokens > 0


def test_the_stream_of_echo_carries_our_member_in_its_last_event(client):
    events = list(client.responses.create(model="echo/fast", input="a b", stream=True))
    assert events[-1].type == "response.completed"
    assert events[-1].model_extra["brokle"]["provider"] == "echo"
    assert all("brokle" not in (event.model_extra or {}) for event in events[:-1])


@pytest.mark.case(14, "openai")
@pytest.mark.parametrize("model", [SONNET, FLASH, "mock/tool-caller"])
def test_calls_and_their_results_go_round(client, model):
    asked = [{"role": "user", "content": "How is the weather?"}]
    first = client.responses.create(model=model, input=asked, tools=[WEATHER])
    calls = [item for item in first.output if item.type == "function_call"]
    assert [json.loads(call.arguments) for call in calls] == [{"city": city} for city in CITIES]
    results = [{"type": "function_call_output", "call_id": call.call_id, "output": "sunny"} for call in calls]
    again = [*asked, *[item.model_dump(exclude_none=True) for item in first.output], *results]
    assert client.responses.create(model=model, input=again, tools=[WEATHER]).output_text == TEXT


@pytest.mark.case(14, "openai")
@pytest.mark.parametrize("model", [SONNET, FLASH, "mock/tool-caller"])
def test_calls_are_streamed_with_whole_arguments(client, model):
    with client.responses.stream(model=model, input="weather?", tools=[WEATHER]) as stream:
        done = [event.arguments for event in stream if event.type == "response.function_call_arguments.done"]
        final = stream.get_final_response()
    assert [json.loads(arguments) for arguments in done] == [{"city": city} for city in CITIES]
    assert [item.name for item in final.output if item.type == "function_call"] == ["weather", "weather"]


@pytest.mark.parametrize("model", [SONNET, FLASH])
def test_one_call_at_a_time_is_what_it_says(client, model):
    reply = client.responses.create(model=model, input="weather?", tools=[WEATHER], parallel_tool_calls=False)
    assert [item.type for item in reply.output].count("function_call") == 1


def test_claudes_thoughts_go_back_sealed_as_claude_gave_them(client, claude):
    """The provider refuses a thought whose seal is not its own."""
    asked = [{"role": "user", "content": "weather?"}]
    more = {"tools": [WEATHER], "reasoning": {"effort": "low", "summary": "auto"}, "store": False}
    first = client.responses.create(model=SONNET, input=asked, include=["reasoning.encrypted_content"], **more)
    assert first.output[0].summary[0].text == THOUGHT
    results = [
        {"type": "function_call_output", "call_id": item.call_id, "output": "sunny"}
        for item in first.output
        if item.type == "function_call"
    ]
    claude.calls.clear()
    again = [*asked, *[item.model_dump(exclude_none=True) for item in first.output], *results]
    assert client.responses.create(model=SONNET, input=again, **more).output_text == TEXT
    sent = claude.calls[0].body["messages"][1]["content"][0]
    assert sent == {"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE}


def test_what_reaches_claude_is_a_messages_request(client, claude):
    claude.calls.clear()
    picture = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"}
    paper = {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}
    client.responses.create(
        model=SONNET,
        instructions="Be kind.",
        input=[{"role": "user", "content": [{"type": "input_text", "text": "what?"}, picture, paper]}],
        max_output_tokens=50,
        temperature=0.5,
        safety_identifier="u2",
    )
    assert claude.calls[0].body == {
        "model": "claude-sonnet-4-5",
        "max_tokens": 50,
        "system": "Be kind.",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "what?"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
                    {
                        "type": "document",
                        "title": "a.pdf",
                        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
                    },
                ],
            }
        ],
        "metadata": {"user_id": "u2"},
        "temperature": 0.5,
    }


@pytest.mark.case(17, "openai")
@pytest.mark.parametrize("model", [SONNET, FLASH])
def test_a_shape_is_kept_and_parsed(client, model):
    assert client.responses.parse(model=model, input="where?", text_format=City).output_parsed == City(city="Cairo")


@pytest.mark.case(25, "openai")
def test_what_codex_sends_is_taken(home, client):
    body = {
        "model": SONNET,
        "instructions": "You are a coding agent.",
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "list"}]}],
        "tools": [{**WEATHER, "name": "shell"}],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "reasoning": {"effort": "medium", "summary": "auto"},
        "store": False,
        "stream": True,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "0199",
    }
    events = list(client.responses.create(**body))
    assert [event.item.type for event in events if event.type == "response.output_item.done"] == [
        "reasoning",
        "function_call",
    ]
    assert events[-1].type == "response.completed"
    searching = {**body, "tools": [*body["tools"], {"type": "web_search"}], "stream": False}
    with pytest.raises(BadRequestError) as refused:
        client.responses.create(**searching)
    assert (refused.value.param, refused.value.code) == ("tools.web_search", "unsupported_parameter")
    dropping = client.with_options(default_headers={"x-brokle-drop-unsupported": "true"})
    assert dropping.responses.create(**searching).output[-1].name == "shell"
    assert client.responses.create(**searching, extra_body={"drop_unsupported": True}).output[-1].name == "shell"


@pytest.mark.parametrize("model", [SONNET, FLASH, "echo/fast", GPT])
def test_what_was_kept_elsewhere_cannot_be_gone_on_with(client, model):
    with pytest.raises(BadRequestError) as refused:
        client.responses.create(model=model, input="and?", previous_response_id="resp_1")
    assert refused.value.param == "previous_response_id"


def test_a_server_without_responses_is_asked_once_and_then_in_its_own_dialect(client, provider):
    model = "mock/meta/llama-3"
    client.responses.create(model=model, input="hi")
    client.responses.create(model=model, input="hi")
    provider.calls.clear()
    assert client.responses.create(model=model, input="hi").output_text == "".join(WORDS)
    # Two processes serve; each finds out for itself.
    paths = [call.path for call in provider.calls]
    assert paths in (["/v1/chat/completions"], ["/v1/responses", "/v1/chat/completions"])


@pytest.mark.parametrize(
    ("model", "error", "code"),
    [
        ("claude/claude-limited", RateLimitError, None),
        ("claude/claude-broken", InternalServerError, None),
        ("mock/too-hot", BadRequestError, "bad_value"),
        ("claude/claude-too-short", BadRequestError, "context_length_exceeded"),
    ],
)
def test_a_refusal_is_said_in_openais_form(client, model, error, code):
    with pytest.raises(error) as refused:
        client.responses.create(model=model, input="hi")
    assert refused.value.code == code


@pytest.mark.case(5, "openai")
@pytest.mark.parametrize("model", ["claude/claude-cut", "claude/claude-error-within", "mock/cut", "mock/error-within"])
def test_a_stream_that_fails_raises(client, model):
    with pytest.raises(APIError):
        list(client.responses.create(model=model, input="hi", stream=True))


def test_a_cut_stream_is_failed_by_name_and_number(home):
    headers = {"authorization": f"Bearer {BOOTSTRAP_KEY}"}
    body = json.dumps({"model": "claude/claude-cut", "input": "hi", "stream": True}).encode()
    text = home.request("POST", "/v1/responses", body, headers).body.decode()
    events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    assert [event["type"] for event in events[-2:]] == ["response.failed", "error"]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[-2]["response"]["output"][0]["status"] == "incomplete"


def test_a_bound_that_is_met_is_an_incomplete_answer(client):
    reply = client.responses.create(model="mock/wordy", input="hi")
    assert (reply.status, reply.incomplete_details.reason) == ("incomplete", "max_output_tokens")
