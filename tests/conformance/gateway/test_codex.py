"""Codex itself, as its maker ships it: it runs what the model calls, whoever the model is.

A name that Codex knows decides which tools it offers, and in which form; a route may bear such a name.
"""

import json
import secrets

import pytest

from tests.coding_agents import run_codex
from tests.fakes.anthropic_provider import TEXT
from tests.fakes.coding import LINE, MADE, NOTE
from tests.fakes.responses_provider import ENCRYPTED
from tests.house import BOOTSTRAP_KEY

pytestmark = [pytest.mark.engines, pytest.mark.coding_agents]

GPT = "gpt/gpt-coder"
CODERS = [GPT, "claude/claude-coder", "mock/coder"]
# By the way Codex works with a model of that name: a search for tools and patches, or code that calls tools.
ROUTES = ["gpt-5.5", "gpt-6-luna", "gpt-6.2-sol", "gpt-6-sol"]


@pytest.fixture
def folder(tmp_path):
    found = tmp_path / "work"
    found.mkdir()
    return found


@pytest.fixture
def ask(home, folder):
    """What it told, line by line."""

    def run(model, *words):
        said = run_codex(home.url, model, folder, *words)
        lines = [json.loads(line) for line in said.out.splitlines()]
        assert lines, said.error
        return lines

    return run


def last_words(lines):
    return [line["item"]["text"] for line in lines if line.get("item", {}).get("type") == "agent_message"][-1]


@pytest.mark.case(1, "codex")
@pytest.mark.parametrize("model", ["gpt/gpt-5", "claude/claude-sonnet-4-5", "fast"])
def test_an_answer_has_the_providers_words_and_usage(ask, model):
    """Also where the model first calls a tool as nobody may, and is told so."""
    lines = ask(model, "say hi")
    assert (last_words(lines), lines[-1]["type"]) == (TEXT, "turn.completed")
    assert lines[-1]["usage"]["output_tokens"] > 0


@pytest.mark.case(25, "codex")
@pytest.mark.parametrize("model", [*CODERS, *ROUTES])
def test_a_loop_of_tools_really_runs_and_ends_in_words(ask, folder, claude, provider, gpt, model):
    secret = secrets.token_hex(8)
    (folder / NOTE).write_text(f"The password is {secret}.\n")
    everyone = (claude, provider, gpt)
    for one in everyone:
        one.calls.clear()
    lines = ask(model, "Copy the note")
    assert lines[-1]["type"] == "turn.completed"
    assert last_words(lines) == f"The password is {secret}, and {MADE} is written."
    assert (folder / MADE).read_text() == f"{LINE}\n"
    assert not [call for one in everyone for call in one.calls if BOOTSTRAP_KEY in str(call.headers)]


@pytest.mark.case(18, "codex")
def test_openai_hears_its_words_unchanged(ask, folder, gpt):
    (folder / NOTE).write_text("The password is x.\n")
    gpt.calls.clear()
    lines = ask(GPT, "Copy the note")
    first, *_, last = gpt.calls
    assert {"client_metadata", "include", "prompt_cache_key", "store"} <= first.body.keys()
    assert first.body["prompt_cache_key"] == lines[0]["thread_id"]
    reasoning = [item for item in last.body["input"] if item["type"] == "reasoning"]
    assert {item["encrypted_content"] for item in reasoning} == {ENCRYPTED}


def test_what_it_searched_for_is_told_to_a_model_elsewhere(ask, folder, provider):
    (folder / NOTE).write_text("The password is x.\n")
    provider.calls.clear()
    ask("gpt-5.5", "Copy the note")
    told = [
        {tool["function"]["name"] for tool in call.body["tools"]}
        for call in provider.of("coder")
        if "messages" in call.body
    ]
    assert ["multi_agent_v1__spawn_agent" in names for names in told] == [False, True, True, True]


def test_its_own_provider_at_this_address_goes_on_over_http_at_once(home, ask, folder):
    """It would rather speak WebSocket, and is told in one answer that nobody does."""
    (folder / NOTE).write_text("The password is x.\n")
    address = f'openai_base_url="{home.url}/v1"'
    lines = ask("gpt-6-luna", "Copy the note", "-c", 'model_provider="openai"', "-c", address)
    assert last_words(lines) == f"The password is x, and {MADE} is written."
    assert not [line for line in lines if "Reconnecting" in str(line.get("message"))]


@pytest.mark.case(9, "codex")
def test_an_unknown_model_is_said_to_be_one(ask):
    last = ask("nowhere/model", "hi")[-1]
    assert (last["type"], "does not exist" in last["error"]["message"]) == ("turn.failed", True)


@pytest.mark.case(10, "codex")
def test_a_wrong_key_is_said_to_be_one(home, folder):
    said = run_codex(home.url, GPT, folder, "hi", key="bk_test_wrong_0123456789abcdef")
    last = json.loads(said.out.splitlines()[-1])
    assert (last["type"], "401 Unauthorized" in last["error"]["message"]) == ("turn.failed", True)
