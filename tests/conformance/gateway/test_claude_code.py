"""Claude Code itself, as its maker ships it: it runs what the model calls, whoever the model is."""

import json
import secrets

import pytest

from tests.coding_agents import run_claude_code
from tests.fakes.anthropic_provider import COUNTED, TEXT
from tests.fakes.coding import LINE, MADE, NOTE
from tests.house import BOOTSTRAP_KEY

pytestmark = [pytest.mark.engines]

SONNET = "claude/claude-sonnet-4-5"
CODERS = ["claude/claude-coder", "mock/coder"]


@pytest.fixture
def folder(tmp_path):
    found = tmp_path / "work"
    found.mkdir()
    return found


@pytest.fixture
def ask(home, folder):
    """The lines it tells its course by; the last is the result."""

    def run(model, *words, **settings):
        told = ["-p", *words, "--output-format", "stream-json", "--verbose"]
        said = run_claude_code(home.url, model, folder, *told, **settings)
        lines = [json.loads(line) for line in said.out.splitlines()]
        assert lines, said.error
        return lines

    return run


def requests_in(lines):
    """The ids of the calls it made, in order."""
    return list(dict.fromkeys(line["request_id"] for line in lines if line.get("request_id")))


@pytest.mark.case(1, "claude-code")
@pytest.mark.parametrize("model", [SONNET, "fast"])
def test_an_answer_has_the_providers_words_and_a_row(ask, row, model):
    lines = ask(model, "say hi", "--tools", "")
    result = lines[-1]
    assert (result["is_error"], result["result"]) == (False, TEXT)
    found = row(requests_in(lines)[-1])
    assert (found["status"], found["user_agent"][:10]) == (200, "claude-cli")
    assert found["session_id"] == result["session_id"]
    assert result["session_id"] not in found["user_id"]


@pytest.mark.case(14, "claude-code")
@pytest.mark.case(25, "claude-code")
@pytest.mark.parametrize("model", CODERS)
def test_a_loop_of_tools_really_runs_and_ends_in_words(ask, folder, row, claude, provider, model):
    """It looks for a deferred tool, runs two commands at once, and tells the model what they said."""
    secret = secrets.token_hex(8)
    (folder / NOTE).write_text(f"The password is {secret}.\n")
    claude.calls.clear()
    provider.calls.clear()
    lines = ask(model, "Copy the note", "--allowedTools", "Bash")

    assert (lines[-1]["is_error"], lines[-1]["result"]) == (False, f"The password is {secret}, and {MADE} is written.")
    assert (folder / MADE).read_text() == f"{LINE}\n"
    calls = [*claude.calls, *provider.calls]
    assert len(calls) == 3
    assert not [call for call in calls if BOOTSTRAP_KEY in str(call.headers)]
    rows = [row(request_id) for request_id in requests_in(lines)]
    assert len({found["user_id"] for found in rows}) == 1
    assert all(found["cost_usd_nanos"] > 0 for found in rows)


@pytest.mark.case(18, "claude-code")
def test_claude_hears_its_words_and_features_unchanged(ask, claude):
    claude.calls.clear()
    ask(SONNET, "say hi", "--tools", "")
    call = claude.calls[-1]
    assert {"claude-code-20250219", "context-management-2025-06-27"} <= set(call.headers["anthropic-beta"].split(","))
    assert {"context_management", "metadata", "thinking"} <= call.body.keys()


def test_others_are_asked_within_their_bounds(ask, folder, provider):
    """No longer an answer, no longer a name, and no tool that nobody may call."""
    (folder / NOTE).write_text("The password is x.\n")
    provider.calls.clear()
    ask("mock/coder", "Copy the note", "--allowedTools", "Bash")
    told = [{tool["function"]["name"] for tool in call.body["tools"]} for call in provider.calls]
    assert ["NotebookEdit" in names for names in told] == [False, True, True]
    assert not [names for names in told if "DeferredToolPlaceholder" in names]
    assert {call.body["max_completion_tokens"] for call in provider.calls} == {16_384}
    assert {len(call.body["user"]) for call in provider.calls} == {64}


@pytest.mark.parametrize("model", CODERS)
def test_its_context_is_counted(ask, claude, model):
    """`/context` counts each part of what would be sent, and asks nobody who cannot count."""
    claude.calls.clear()
    lines = ask(model, "/context")
    assert not lines[-1]["is_error"]
    counts = [call for call in claude.calls if call.path.endswith("/count_tokens")]
    assert bool(counts) == model.startswith("claude/")
    if counts:
        assert f"{COUNTED / 1000:.1f}k" in json.dumps(lines)


@pytest.mark.case(9, "claude-code")
def test_an_unknown_model_is_said_to_be_one(ask):
    result = ask("nowhere/model", "hi")[-1]
    assert (result["is_error"], result["api_error_status"]) == (True, 404)


@pytest.mark.case(10, "claude-code")
def test_a_wrong_key_is_said_to_be_one(ask):
    settings = {"ANTHROPIC_AUTH_TOKEN": "bk_test_wrong_0123456789abcdef", "CLAUDE_CODE_MAX_RETRIES": "0"}
    result = ask(SONNET, "hi", **settings)[-1]
    assert (result["is_error"], result["api_error_status"]) == (True, 401)


def test_the_models_it_may_choose_are_those_of_the_key(ask, folder):
    ask(SONNET, "hi", CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY="1")
    kept = folder.parent / f"{folder.name}-home" / ".claude" / "cache" / "gateway-models.json"
    found = {model["id"] for model in json.loads(kept.read_text())["models"]}
    assert {SONNET, "any-claude"} <= found
    assert not [model for model in found if "claude" not in model]
