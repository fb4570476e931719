"""What Claude Code and Codex put on the wire, sent by the official SDKs: their loop of tools, whoever the model is."""

import json
import uuid

import pytest
from anthropic import Anthropic
from openai import OpenAI

from tests.fakes.anthropic_provider import COUNTED, SIGNATURE, TEXT, THOUGHT
from tests.fakes.model_provider import CITIES
from tests.house import BOOTSTRAP_KEY

pytestmark = [pytest.mark.engines]

SONNET = "claude/claude-sonnet-4-5"
FLASH = "google/gemini-2.5-flash"
CALLER = "mock/tool-caller"
SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {"city": {"type": "string", "description": "Which"}},
    "required": ["city"],
    "additionalProperties": False,
}
EPHEMERAL = {"type": "ephemeral"}
BETAS = "claude-code-20250219,interleaved-thinking-2025-05-14,fine-grained-tool-streaming-2025-05-14"
SYSTEM = [
    {"type": "text", "text": "You are an agent at the command line.", "cache_control": EPHEMERAL},
    {"type": "text", "text": "Be brief.", "cache_control": EPHEMERAL},
]
ASKED = "How is the weather?"


@pytest.fixture
def claude_code(home):
    """Bearer token, its own user agent, and the marks of its beta features on every call."""
    said = {"anthropic-beta": BETAS, "x-app": "cli", "user-agent": "claude-cli/2.0 (external, cli)"}
    with Anthropic(base_url=home.url, auth_token=BOOTSTRAP_KEY, max_retries=0, default_headers=said) as found:
        yield found


def turn(model, messages):
    return {
        "model": model,
        "max_tokens": 8_000,
        "system": SYSTEM,
        "tools": [{"name": "weather", "description": "Of a city", "input_schema": SCHEMA}],
        "messages": messages,
        "metadata": {"user_id": f"user_{uuid.uuid4().hex}_account__session"},
        "thinking": {"type": "enabled", "budget_tokens": 7_999},
        "extra_query": {"beta": "true"},
    }


def with_results(message, messages):
    """What was answered goes back as it came, and the end of what is to be kept moves on to the last result."""
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": "sunny", "is_error": False}
        for block in message.content
        if block.type == "tool_use"
    ]
    results[-1]["cache_control"] = EPHEMERAL
    said = [block.model_dump(exclude_none=True) for block in message.content]
    return [*messages, {"role": "assistant", "content": said}, {"role": "user", "content": results}]


def streamed(client, asked):
    """The message, and the pieces of each call's input."""
    pieces: dict[int, str] = {}
    names = []
    with client.messages.stream(**asked) as stream:
        for event in stream:
            names.append(event.type)
            if event.type == "content_block_delta" and event.delta.type == "input_json_delta":
                pieces[event.index] = pieces.get(event.index, "") + event.delta.partial_json
        return stream.get_final_message(), list(pieces.values()), names


@pytest.mark.case(25, "anthropic")
@pytest.mark.parametrize("model", [SONNET, CALLER, FLASH, "echo/tool"])
def test_claude_codes_loop_of_tools_ends_in_words(claude_code, model, row):
    messages = [{"role": "user", "content": [{"type": "text", "text": ASKED, "cache_control": EPHEMERAL}]}]
    message, inputs, names = streamed(claude_code, turn(model, messages))

    assert (message.stop_reason, names.count("message_start"), names.count("message_stop")) == ("tool_use", 1, 1)
    assert names[-2:] == ["message_delta", "message_stop"]
    if model != "echo/tool":
        assert [json.loads(text) for text in inputs] == [{"city": city} for city in CITIES]
    final, _, _ = streamed(claude_code, turn(model, with_results(message, messages)))
    assert (final.content[-1].text, final.stop_reason) == ("sunny" if model == "echo/tool" else TEXT, "end_turn")
    assert final.usage.output_tokens > 0
    asked = turn(model, messages)
    found = row(claude_code.messages.with_raw_response.create(**asked).headers["request-id"])
    assert (found["user_id"], found["user_agent"][:10]) == (asked["metadata"]["user_id"], "claude-cli")


@pytest.mark.case(25, "anthropic")
def test_claude_hears_claude_codes_own_words(claude_code, claude):
    """Its features, what it wants kept, and thoughts under Claude's own seal."""
    messages = [{"role": "user", "content": [{"type": "text", "text": ASKED, "cache_control": EPHEMERAL}]}]
    message, _, _ = streamed(claude_code, turn(SONNET, messages))
    claude.calls.clear()
    streamed(claude_code, turn(SONNET, with_results(message, messages)))
    [call] = claude.calls
    assert set(call.headers["anthropic-beta"].split(",")) == set(BETAS.split(","))
    assert call.body["system"] == SYSTEM
    assert call.body["messages"][1]["content"][0] == {"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE}
    assert call.body["messages"][2]["content"][-1]["cache_control"] == EPHEMERAL
    assert BOOTSTRAP_KEY not in str(call.headers)


@pytest.mark.case(25, "anthropic")
@pytest.mark.parametrize("model", [SONNET, CALLER, FLASH])
def test_claude_codes_counting_and_its_first_small_call_are_answered(claude_code, model):
    asked = turn(model, [{"role": "user", "content": ASKED}])
    del asked["max_tokens"], asked["metadata"]
    counted = claude_code.messages.count_tokens(**asked).input_tokens
    assert counted == COUNTED if model == SONNET else 20 < counted < 400
    quota = [{"role": "user", "content": "quota"}]
    assert claude_code.messages.create(model=model, max_tokens=1, messages=quota).usage.output_tokens > 0


def test_the_models_are_listed_in_claudes_form_for_its_callers(claude_code, client):
    found = {model.id: model for model in claude_code.models.list(limit=1000)}
    assert list(found) == [model.id for model in client.models.list()]
    listed = found["mock/gpt-4o-mini"]
    assert (listed.type, listed.display_name, listed.max_input_tokens) == ("model", "mock/gpt-4o-mini", 128_000)
    assert claude_code.models.retrieve("mock/gpt-4o-mini").id == "mock/gpt-4o-mini"


@pytest.fixture
def codex(home):
    session = str(uuid.uuid4())
    said = {"originator": "codex_cli_rs", "session_id": session, "user-agent": "codex_cli_rs/0.60.0 (Debian; x86_64)"}
    told = {**said, "x-brokle-drop-unsupported": "true"}
    with OpenAI(base_url=f"{home.url}/v1", api_key=BOOTSTRAP_KEY, max_retries=0, default_headers=told) as found:
        yield found


def said_by(role, text):
    return {"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]}


def codex_turn(model, items):
    """A search that runs at OpenAI and a tool without a schema stand among the tools, for whoever knows them."""
    tools = [
        {"type": "function", "name": "weather", "description": "Of a city", "strict": False, "parameters": SCHEMA},
        {"type": "web_search", "external_web_access": False},
    ]
    return {
        "model": model,
        "instructions": "You are a coding agent.",
        "input": items,
        "tools": tools,
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "reasoning": {"effort": "medium", "summary": "auto"},
        "store": False,
        "stream": True,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "0199",
    }


def done_items(codex, model, items):
    """As Codex reads a stream: the items that are done, until the response is completed."""
    done, last = [], None
    for event in codex.responses.create(**codex_turn(model, items)):
        last = event
        if event.type == "response.output_item.done":
            done.append(event.item.model_dump(exclude_none=True))
    assert last is not None
    assert last.type == "response.completed"
    assert last.response.usage.total_tokens > 0
    return done


@pytest.mark.case(25, "openai")
@pytest.mark.parametrize("model", [SONNET, CALLER, FLASH, "echo/tool"])
@pytest.mark.parametrize("keeps_ids", [True, False])
def test_codex_loop_of_tools_ends_in_words(codex, model, keeps_ids):
    begun = [said_by("developer", "Ask before you write."), said_by("user", "<cwd>/src</cwd>"), said_by("user", ASKED)]
    done = done_items(codex, model, begun)
    calls = [item for item in done if item["type"] == "function_call"]
    if model != "echo/tool":
        assert [json.loads(call["arguments"]) for call in calls] == [{"city": city} for city in CITIES]
    if not keeps_ids:
        done = [{name: held for name, held in item.items() if name != "id"} for item in done]
    results = [{"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"} for call in calls]
    final = done_items(codex, model, [*begun, *done, *results])
    assert final[-1]["type"] == "message"
    assert final[-1]["content"][0]["text"] == ("sunny" if model == "echo/tool" else TEXT)
