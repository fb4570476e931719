"""What Claude Code asks of models that are not Claude: tools it defers, finds and takes away, and who it says it is."""

import hashlib
import json

import pytest

from apps.routing.edge.dialects.anthropic.messages import MessagesFormat
from apps.routing.edge.dialects.anthropic.requests import read_request
from apps.routing.edge.dialects.anthropic.wire import Caller, caller_of
from apps.routing.edge.dialects.openai.requests import write_request as write_chat
from apps.routing.edge.dialects.speech import CannotExpress
from brokle.edge.http import Request
from brokle.kernel.errors import BadRequest

HI = [{"role": "user", "content": "hi"}]
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def said(**members):
    body = {"model": "any", "max_tokens": 100, "messages": HI, **members}
    conversation = read_request(json.dumps(body).encode(), is_stream=False, drops_unsupported=False)
    return json.loads(write_chat(conversation, "gpt", title="OpenAI"))


def tool(name, **members):
    return {"name": name, "description": name, "input_schema": CITY, **members}


def changed(kind, **about):
    return {"role": "system", "content": [{"type": kind, "tool": about}]}


SHOWN = {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "tool_reference", "tool_name": "Fetch"}]}
SOUGHT = {"type": "tool_use", "id": "t1", "name": "Search", "input": {"query": "select:Fetch"}}


@pytest.mark.parametrize(
    ("later", "names"),
    [
        ([], ["Search"]),
        ([{"role": "assistant", "content": [SOUGHT]}, {"role": "user", "content": [SHOWN]}], ["Search", "Fetch"]),
        ([changed("tool_addition", type="tool_reference", name="Fetch")], ["Search", "Fetch"]),
        ([changed("tool_removal", type="tool_reference", name="Search")], []),
        ([changed("tool_addition", type="tool_definition", definition=tool("New"))], ["Search", "New"]),
        (
            [
                changed("tool_addition", type="tool_reference", name="Fetch"),
                changed("tool_removal", type="tool_reference", name="Fetch"),
            ],
            ["Search"],
        ),
    ],
)
def test_others_are_told_of_the_tools_that_claude_could_call_by_then(later, names):
    """Claude Code defers most tools until one that it runs itself has found them."""
    body = said(tools=[tool("Search"), tool("Fetch", defer_loading=True)], messages=[*HI, *later])
    assert [entry["function"]["name"] for entry in body.get("tools", ())] == names


def test_a_tool_that_was_found_is_named_in_the_result():
    body = said(
        tools=[tool("Search"), tool("Fetch", defer_loading=True)],
        messages=[*HI, {"role": "assistant", "content": [SOUGHT]}, {"role": "user", "content": [SHOWN]}],
    )
    assert body["messages"][-1] == {"role": "tool", "tool_call_id": "t1", "content": "Fetch"}


def test_where_anthropic_would_search_everything_is_on_offer():
    search = {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"}
    asked = {"model": "any", "messages": HI, "tools": [search, tool("Fetch", defer_loading=True)]}
    found = read_request(json.dumps(asked).encode(), is_stream=False, drops_unsupported=True)
    assert ([one.name for one in found.tools], list(found.rest)) == (
        ["Fetch"],
        ["tools.tool_search_tool_regex_20251119"],
    )


MACHINE = "bec3" * 16
ACCOUNT, SESSION = "7e8a2c8e-4b52-4f3e-9f6f-0a3a5a7f1c11", "11b48f96-a14f-4267-808b-dc0bf9b5371e"


def packed(account):
    return json.dumps({"device_id": MACHINE, "account_uuid": account, "session_id": SESSION})


@pytest.mark.parametrize(
    ("user_id", "caller"),
    [
        (packed(""), Caller(MACHINE, SESSION)),
        (packed(ACCOUNT), Caller(ACCOUNT, SESSION)),
        (f"user_{MACHINE}_account__session_{SESSION}", Caller(MACHINE, SESSION)),
        (f"user_{MACHINE}_account_{ACCOUNT}_session_{SESSION}", Caller(ACCOUNT, SESSION)),
        ("amal", Caller("amal")),
        ("user_1", Caller("user_1")),
        ('{"name":"amal"}', Caller('{"name":"amal"}')),
        ("{amal}", Caller("{amal}")),
    ],
)
def test_the_user_and_the_session_that_claude_code_packs_are_told_apart(user_id, caller):
    assert caller_of(user_id) == caller
    assert said(metadata={"user_id": user_id})["user"] == caller.user


@pytest.mark.parametrize(("headers", "who"), [([], MACHINE), ([(b"x-brokle-user", b"amal")], "amal")])
def test_a_name_that_was_said_counts_more_than_a_machine(headers, who):
    request = Request({"method": "POST", "path": "/v1/messages", "headers": headers}, None, None)
    body = {"model": "m", "max_tokens": 9, "messages": HI, "metadata": {"user_id": packed("")}}
    asked = MessagesFormat().read_ask(request, json.dumps(body).encode())
    assert (asked.user, asked.controls.session) == (who, SESSION)


def test_a_name_too_long_for_openai_is_told_by_its_sum():
    assert said(metadata={"user_id": "u" * 64})["user"] == "u" * 64
    told = said(metadata={"user_id": "u" * 65})["user"]
    assert (len(told), told) == (64, hashlib.sha256(b"u" * 65).hexdigest())


def test_a_server_of_tools_that_anthropic_asks_is_refused_by_name():
    messages = [*HI, changed("tool_addition", type="mcp_toolset_reference", mcp_server_name="a")]
    with pytest.raises(CannotExpress) as refused:
        said(messages=messages)
    assert refused.value.field == "messages.content.tool_addition"


@pytest.mark.parametrize(
    ("later", "field"),
    [
        ({"role": "system", "content": [{"type": "tool_removal"}]}, "tool"),
        (changed("tool_removal", type="tool_reference"), "tool.name"),
    ],
)
def test_a_change_of_no_tool_is_refused_with_its_place(later, field):
    with pytest.raises(BadRequest) as refused:
        said(messages=[*HI, later])
    assert refused.value.field == f"messages.1.content.0.{field}"
