"""Requests in OpenAI's Responses form: read into conversations, and refused where they make no sense."""

import json
from contextlib import suppress
from copy import deepcopy

import pytest
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from pydantic import TypeAdapter

from apps.routing.edge.conversation import (
    Media,
    Reasoning,
    Sampling,
    Shape,
    Text,
    Thought,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from apps.routing.edge.dialects.anthropic.dialect import Anthropic
from apps.routing.edge.dialects.gemini.dialect import Gemini
from apps.routing.edge.dialects.openai.dialect import OpenAI
from apps.routing.edge.dialects.openai.requests import read_request as read_chat
from apps.routing.edge.dialects.responses.items import KeptElsewhere
from apps.routing.edge.dialects.responses.requests import read_request
from apps.routing.edge.dialects.responses.responses import ResponsesFormat
from apps.routing.edge.dialects.seals import heard_from_openai, told_to_openai
from apps.routing.edge.dialects.speech import CannotExpress
from brokle.edge.http import Request
from brokle.kernel.errors import BadRequest

PNG = "iVBORw0KGgo="
WEATHER = {
    "type": "function",
    "name": "weather",
    "description": "Of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": True,
}
PATCH = {"type": "custom", "name": "apply_patch", "description": "Takes a patch"}
SEALED = told_to_openai("sig", "")
# As Codex sends it to a model it does not know.
CODEX = {
    "model": "claude/claude-sonnet-4-5",
    "instructions": "You are a coding agent.",
    "input": [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Sandbox: read-only"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "<cwd>/src</cwd>"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "list the files"}]},
        {"type": "reasoning", "summary": [], "content": None, "encrypted_content": SEALED},
        {
            "type": "function_call",
            "name": "shell",
            "arguments": '{"command":["ls"]}',
            "call_id": "call_1",
        },
        {"type": "function_call_output", "call_id": "call_1", "output": "a.py"},
    ],
    "tools": [
        {**WEATHER, "name": "shell", "strict": False},
        {"type": "namespace", "name": "agents", "description": "Helpers.", "tools": [{**WEATHER, "name": "spawn"}]},
    ],
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "reasoning": {"effort": "medium", "summary": "auto"},
    "store": False,
    "stream": True,
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "0199",
    "client_metadata": {"x-codex-installation-id": "1"},
}


def read(said="hi", *, drops_unsupported=False, **members):
    body = json.dumps({"model": "m", "input": said, **members}).encode()
    return read_request(body, is_stream=False, drops_unsupported=drops_unsupported)


def ask(**members):
    request = Request({"method": "POST", "path": "/v1/responses", "headers": []}, None, None)
    return ResponsesFormat().read_ask(request, json.dumps(members).encode())


def test_everything_that_has_a_place_is_read():
    body = {
        "instructions": "Be kind.",
        "tools": [WEATHER],
        "tool_choice": {"type": "function", "name": "weather"},
        "parallel_tool_calls": True,
        "text": {
            "format": {"type": "json_schema", "name": "answer", "schema": {"type": "object"}, "strict": True},
            "verbosity": "medium",
        },
        "reasoning": {"effort": "high", "summary": "auto"},
        "max_output_tokens": 99,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_logprobs": 3,
        "metadata": {"a": "b"},
        "user": "u1",
        "service_tier": "flex",
        "truncation": "disabled",
        "store": True,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "k",
        "stream_options": {"include_obfuscation": False},
    }
    TypeAdapter(ResponseCreateParamsNonStreaming).validate_python({"input": "hi", "model": "m", **body})
    found = read("hi", **body)

    assert found.turns == [Turn("user", [Text("hi", "5m")])]
    assert found.system == [Text("Be kind.", "5m")]
    [tool] = found.tools
    assert (tool.name, tool.description, tool.is_strict) == ("weather", "Of a city", True)
    assert json.loads(bytes(tool.schema)) == WEATHER["parameters"]
    assert found.tool_choice == ToolChoice("named", ["weather"], is_parallel=True)
    assert found.sampling == Sampling(0.5, 0.9)
    shape = found.shape
    assert isinstance(shape, Shape)
    assert (shape.kind, shape.name, shape.is_strict) == ("schema", "answer", True)
    assert found.reasoning == Reasoning("high", shows=True)
    assert (found.max_output, found.top_logprobs, found.user, found.service_tier) == (99, 3, "u1", "flex")
    assert (found.metadata, found.rest) == ({"a": "b"}, {})


def test_items_become_turns_that_alternate():
    found = read(
        [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "input_text", "text": "what?"}]},
            {"role": "user", "content": "and why?"},
            {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "Hm"}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
            {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"},
            {"type": "custom_tool_call", "call_id": "c2", "name": "apply_patch", "input": "*** Begin"},
            {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
            {"type": "custom_tool_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "done"}]},
            {"role": "system", "content": "Now in Arabic."},
        ],
        tools=[WEATHER, PATCH],
    )
    assert found.system == [Text("Be brief.")]
    assert found.turns == [
        Turn("user", [Text("what?"), Text("and why?")]),
        Turn(
            "assistant",
            [
                Thought("Hm"),
                Text("I look."),
                ToolCall("c1", "weather", "{}"),
                ToolCall("c2", "apply_patch", '{"input":"*** Begin"}'),
            ],
        ),
        Turn(
            "user",
            [
                ToolResult("c1", "weather", [Text("sunny")]),
                ToolResult("c2", "apply_patch", [Text("done")]),
                Text("Now in Arabic."),
            ],
        ),
    ]


def test_pictures_files_and_sound_are_read():
    parts = [
        {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "high"},
        {"type": "input_image", "image_url": "https://pictures.example/a.jpg", "detail": "auto"},
        {"type": "input_image", "file_id": "file-1", "detail": "low"},
        {"type": "input_file", "file_data": f"data:application/pdf;base64,{PNG}", "filename": "a.pdf"},
        {"type": "input_file", "file_url": "https://files.example/a.pdf"},
        {"type": "input_file", "file_id": "file-2"},
        {"type": "input_audio", "input_audio": {"data": PNG, "format": "mp3"}},
    ]
    assert read([{"role": "user", "content": parts}]).turns[0].parts == [
        Media("image", "image/png", PNG, detail="high"),
        Media("image", url="https://pictures.example/a.jpg"),
        Media("image", file_id="file-1", detail="low"),
        Media("file", "application/pdf", PNG, name="a.pdf"),
        Media("file", url="https://files.example/a.pdf"),
        Media("file", file_id="file-2"),
        Media("audio", "audio/mpeg", PNG),
    ]


@pytest.mark.parametrize(("signature", "sealed"), [("c2ln", ""), ("", "c2VhbA=="), ("gemini:abc", "")])
def test_seals_of_thoughts_travel_as_encrypted_content(signature, sealed):
    told = told_to_openai(signature, sealed)
    assert heard_from_openai(told) == (signature, sealed)
    item = {"type": "reasoning", "summary": [], "encrypted_content": told}
    assert read([{"role": "user", "content": "hi"}, item]).turns[1].parts == [Thought("", signature, sealed)]


def test_what_openai_encrypted_nobody_else_is_told():
    item = {"type": "reasoning", "summary": [], "encrypted_content": "gAAAAABo…"}
    assert len(read([{"role": "user", "content": "hi"}, item]).turns) == 1


def test_only_the_allowed_tools_are_shown():
    choice = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "clock"}]}
    found = read(tools=[WEATHER, {**WEATHER, "name": "clock"}], tool_choice=choice)
    assert ([tool.name for tool in found.tools], found.tool_choice) == (["clock"], ToolChoice("required"))


def test_a_choice_without_tools_is_no_wish():
    assert read(tool_choice="auto", parallel_tool_calls=False).tool_choice is None


@pytest.mark.parametrize(
    ("members", "name"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools.web_search"),
        ({"tools": [{"type": "mcp", "server_label": "x"}]}, "tools.mcp"),
        (
            {"tools": [{**PATCH, "format": {"type": "grammar", "syntax": "lark", "definition": "x"}}]},
            "tools.apply_patch.format",
        ),
        ({"tool_choice": {"type": "web_search_preview"}}, "tool_choice.web_search_preview"),
        ({"truncation": "auto"}, "truncation"),
        ({"text": {"verbosity": "low"}}, "text.verbosity"),
        ({"reasoning": {"mode": "pro"}}, "reasoning.mode"),
        ({"moderation": {"model": "x"}}, "moderation"),
        (
            {"said": [{"role": "user", "content": "hi"}, {"type": "web_search_call", "id": "w"}]},
            "input.web_search_call",
        ),
        ({"x_vendor": 1}, "x_vendor"),
    ],
)
@pytest.mark.parametrize(
    "dialect", [OpenAI("x", "X"), Anthropic("x", "X"), Gemini("x", "X")], ids=["chat", "claude", "gemini"]
)
def test_what_only_openai_has_is_refused_by_its_name_or_left_out(dialect, members, name):
    model = {"Anthropic": "claude-sonnet-4-5", "Gemini": "gemini-2.5-flash"}.get(type(dialect).__name__, "m")
    with pytest.raises(CannotExpress, match="cannot be said to X") as refused:
        dialect.write_request(read(**members), model)
    assert refused.value.field == name
    assert name not in dialect.write_request(read(**members, drops_unsupported=True), model).decode()


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"said": [{"type": "item_reference", "id": "rs_1"}]}, "input.0.id"),
    ],
)
def test_what_was_kept_elsewhere_is_never_left_out(members, field):
    with pytest.raises(KeptElsewhere) as refused:
        read(**members, drops_unsupported=True)
    assert (refused.value.field, refused.value.status) == (field, 400)


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ([], "input"),
        ("", "input"),
        (None, "input"),
        (["hi"], "input.0"),
        ([{}], "input.0.type"),
        ([{"type": 5}], "input.0.type"),
        ([{"role": "king", "content": "hi"}], "input.0.role"),
        ([{"role": "user"}], "input.0.content"),
        ([{"role": "user", "content": 5}], "input.0.content"),
        ([{"role": "user", "content": ["hi"]}], "input.0.content.0"),
        ([{"role": "user", "content": [{"type": "input_text"}]}], "input.0.content.0.text"),
        ([{"role": "user", "content": [{"type": "video"}]}], "input.0.content.0.type"),
        ([{"role": "user", "content": [{"type": ["input_text"]}]}], "input.0.content.0.type"),
        ([{"role": ["user"], "content": "hi"}], "input.0.role"),
        ([{"type": {"a": 1}, "role": "user", "content": "hi"}], "input.0.type"),
        ([{"role": "user", "content": [{"type": "input_image"}]}], "input.0.content.0.image_url"),
        ([{"role": "user", "content": [{"type": "input_file"}]}], "input.0.content.0.file_data"),
        ([{"role": "user", "content": [{"type": "input_audio", "input_audio": "x"}]}], "input.0.content.0.type"),
        (
            [{"role": "system", "content": [{"type": "input_image", "image_url": "https://a.example/a.png"}]}],
            "input.0.content",
        ),
        ([{"type": "function_call", "name": "a", "arguments": "{}"}], "input.0.call_id"),
        ([{"type": "function_call", "call_id": "c", "name": "a", "arguments": {}}], "input.0.arguments"),
        ([{"type": "custom_tool_call", "call_id": "c", "name": "a"}], "input.0.input"),
        ([{"type": "function_call_output", "call_id": "c"}], "input.0.output"),
        ([{"type": "function_call_output", "output": "x"}], "input.0.call_id"),
        ([{"type": "reasoning", "summary": 5}], "input.0"),
    ],
)
def test_input_that_makes_no_sense_is_refused_by_its_place(said, field):
    with pytest.raises(BadRequest) as refused:
        read(said)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"tools": ["x"]}, "tools.0.type"),
        ({"tools": [{"type": "function"}]}, "tools.0.name"),
        ({"tools": [{"type": "function", "name": "a", "parameters": "x"}]}, "tools.0.parameters"),
        ({"tools": [{"type": "namespace", "name": "a"}]}, "tools.0"),
        ({"tools": [{"type": "namespace", "tools": []}]}, "tools.0"),
        ({"tools": [{"type": "namespace", "name": "a", "tools": ["x"]}]}, "tools.0.tools.0.type"),
        ({"tools": [{"type": "namespace", "name": "a", "tools": [{"type": "function"}]}]}, "tools.0.tools.0.name"),
        ({"tool_choice": "any"}, "tool_choice"),
        ({"tool_choice": 5}, "tool_choice"),
        ({"tool_choice": {"name": "x"}}, "tool_choice"),
        ({"tool_choice": {"type": ["function"]}}, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": {"type": "allowed_tools", "tools": [], "mode": {}}}, "tool_choice"),
        ({"tools": [{"type": ["function"], "name": "a"}]}, "tools.0.type"),
        ({"tools": [WEATHER], "tool_choice": {"type": "function", "name": "clock"}}, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": {"type": "allowed_tools", "tools": "x"}}, "tool_choice"),
        ({"text": {"format": {"type": "xml"}}}, "text.format"),
        ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "text.format"),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort"),
        ({"reasoning": {"effort": ["low"]}}, "reasoning.effort"),
    ],
)
def test_wishes_that_make_no_sense_are_refused_by_their_name(members, field):
    with pytest.raises(BadRequest) as refused:
        read(**members)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "members",
    [{"temperature": "hot"}, {"max_output_tokens": 1.5}, {"instructions": 5}, {"metadata": []}, {"text": "x"}],
)
def test_members_of_a_wrong_type_are_refused(members):
    with pytest.raises(BadRequest, match=next(iter(members))):
        read(**members)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'{"input": "hi"}',
        b'{"model": 5, "input": "hi"}',
        b'{"model": "m", "input": 5}',
        b'{"model": "m", "input": {"role": "user"}}',
        b'{"model": "m", "input": "hi", "stream": "yes"}',
        b'{"model": "m", "input": "hi", "background": true}',
    ],
)
def test_a_body_that_is_no_request_is_refused_before_anyone_is_asked(body):
    request = Request({"method": "POST", "path": "/v1/responses", "headers": []}, None, None)
    with pytest.raises(BadRequest):
        ResponsesFormat().read_ask(request, body)


def test_input_nested_without_end_is_refused():
    body = b'{"model":"m","input":[{"role":"user","content":' + b"[" * 3000 + b"]" * 3000 + b"}]}"
    with pytest.raises(BadRequest):
        read_request(body, is_stream=False, drops_unsupported=False)


def test_what_codex_sends_is_taken_by_every_dialect():
    body = json.dumps(CODEX).encode()
    found = read_request(body, is_stream=True, drops_unsupported=False)
    assert found.rest == {}
    assert found.tool_choice == ToolChoice("auto", is_parallel=False, is_held=True)
    claude = json.loads(Anthropic("x", "X").write_request(found, "claude-sonnet-4-5"))
    gemini = json.loads(Gemini("x", "X").write_request(found, "gemini-2.5-flash"))
    chat = json.loads(OpenAI("x", "X").write_request(found, "m"))
    assert claude["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert claude["messages"][1]["content"][0] == {"type": "thinking", "thinking": "", "signature": "sig"}
    assert gemini["tools"][0]["functionDeclarations"][0]["name"] == "shell"
    assert [message["role"] for message in chat["messages"]] == ["system", "user", "assistant", "tool"]


def test_tools_in_a_namespace_are_functions_of_a_longer_name():
    agents = {"type": "namespace", "name": "agents", "description": "Helpers.", "tools": [WEATHER, PATCH]}
    call = {"type": "function_call", "call_id": "c1", "namespace": "agents", "name": "weather", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "c1", "output": "sunny"}
    choice = {"type": "function", "namespace": "agents", "name": "weather"}
    found = read([{"role": "user", "content": "hi"}, call, result], tools=[WEATHER, agents], tool_choice=choice)
    assert [tool.name for tool in found.tools] == ["weather", "agents__weather", "agents__apply_patch"]
    assert (found.tools[1].description, found.rest) == ("Helpers.\nOf a city", {})
    assert found.turns[1].parts == [ToolCall("c1", "agents__weather", "{}")]
    assert found.turns[2].parts == [ToolResult("c1", "agents__weather", [Text("sunny")])]
    assert found.tool_choice == ToolChoice("named", ["agents__weather"])


def test_claude_is_told_what_to_keep_where_openai_would_keep_it_unasked():
    """It keeps only what is marked; of a request without a key for its cache nobody knows that others will follow."""
    items = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "hi"},
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
    ]

    def told(**members):
        found = read(items, tools=[WEATHER], instructions="You write code.", **members)
        return json.loads(Anthropic("x", "X").write_request(found, "claude-sonnet-4-5"))

    kept, mark = told(prompt_cache_key="0199"), {"cache_control": {"type": "ephemeral"}}
    assert kept["system"] == [
        {"type": "text", "text": "You write code."},
        {"type": "text", "text": "Be brief.", **mark},
    ]
    assert kept["messages"][-1]["content"][-1]["cache_control"] == mark["cache_control"]
    assert json.dumps(kept).count("cache_control") == 2
    assert "cache_control" not in json.dumps(told())


def test_tools_that_items_bring_stand_beside_those_of_the_request():
    """As Codex sends them to models it lets write code."""
    functions = {"type": "namespace", "name": "functions", "description": "", "tools": [PATCH]}
    items = [
        {"type": "additional_tools", "id": "at_1", "role": "developer", "tools": [functions, WEATHER]},
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Be brief."}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        {"type": "additional_tools", "role": "developer", "tools": [{**WEATHER, "description": "Of a land"}]},
    ]
    found = read(items, tools=[{**WEATHER, "name": "clock"}], tool_choice="auto", parallel_tool_calls=False)
    told = [(tool.name, tool.description) for tool in found.tools]
    assert told == [("clock", "Of a city"), ("functions__apply_patch", "Takes a patch"), ("weather", "Of a land")]
    assert (found.rest, found.system, len(found.turns)) == ({}, [Text("Be brief.")], 1)


def test_a_search_for_tools_is_a_function_and_what_it_found_stands_beside_it():
    search = {"type": "tool_search", "execution": "client", "description": "Finds", "parameters": {"type": "object"}}
    mail = {"type": "namespace", "name": "mail", "tools": [{**WEATHER, "name": "send", "defer_loading": True}]}
    about = {"execution": "client", "call_id": "c1", "status": "completed"}
    items = [
        {"role": "user", "content": "hi"},
        {"type": "tool_search_call", "id": "t1", **about, "arguments": {"query": "mail"}},
        {"type": "tool_search_output", "id": "t2", **about, "tools": [mail, WEATHER]},
    ]
    found = read(items, tools=[search])
    assert [tool.name for tool in found.tools] == ["tool_search", "mail__send", "weather"]
    assert found.turns[1].parts == [ToolCall("c1", "tool_search", '{"query":"mail"}')]
    assert found.turns[2].parts == [ToolResult("c1", "tool_search", [Text("mail__send\nweather")])]
    assert found.rest == {}


def test_a_search_that_openai_runs_is_only_openais():
    call = {"type": "tool_search_call", "execution": "server", "arguments": {}}
    found = read([{"role": "user", "content": "hi"}, call], tools=[{"type": "tool_search"}])
    assert (found.tools, sorted(found.rest)) == ([], ["input.tool_search_call", "tools.tool_search"])


@pytest.mark.parametrize(("tools", "field"), [("x", "tools"), ([{"name": "a"}], "tools.0.type")])
def test_tools_that_items_bring_are_refused_by_where_they_stand(tools, field):
    with pytest.raises(BadRequest) as refused:
        read([{"role": "user", "content": "hi"}, {"type": "additional_tools", "tools": tools}])
    assert refused.value.field == f"input.1.{field}"


def test_a_tool_of_free_text_is_a_function_of_one_text():
    [tool] = read(tools=[PATCH]).tools
    assert isinstance(tool, Tool)
    assert json.loads(bytes(tool.schema))["required"] == ["input"]


def test_who_is_not_held_to_a_grammar_is_told_of_it():
    form = {"type": "grammar", "syntax": "lark", "definition": 'start: "x"'}
    found = read(tools=[{**PATCH, "format": form}])
    assert list(found.rest) == ["tools.apply_patch.format"]
    assert found.tools[0].description == 'Takes a patch\n\nThe input keeps to this grammar (lark):\nstart: "x"'


def test_a_relayed_request_keeps_every_byte_but_the_models_name_and_ours():
    asked = ask(
        model="openai/gpt-5", input="hi", x_vendor={"a": 1}, brokle={"tags": {"a": "b"}}, previous_response_id="r"
    )
    sent = json.loads(ResponsesFormat().relayed(asked, "gpt-5"))
    assert sent == {"model": "gpt-5", "input": "hi", "x_vendor": {"a": 1}, "previous_response_id": "r"}
    plain = ask(model="gpt-5", input="hi")
    assert ResponsesFormat().relayed(plain, "gpt-5") is plain.body


def test_what_a_call_needs_of_a_model_is_seen():
    picture = {"type": "input_image", "image_url": "https://a.example/a.png"}
    asked = ask(model="m", input=[{"role": "user", "content": [picture]}], tools=[WEATHER], max_output_tokens=7)
    assert asked.needs(asked.body) == {"image-input", "tools"}
    assert (asked.output_bound, asked.is_stream) == (7, False)


@pytest.mark.parametrize(("value", "drops"), [(b"true", True), (b"false", False), (b"", False), (b"yes", False)])
def test_what_cannot_be_said_may_be_left_out_by_header(value, drops):
    headers = [(b"x-brokle-drop-unsupported", value)]
    request = Request({"method": "POST", "path": "/v1/responses", "headers": headers}, None, None)
    asked = ResponsesFormat().read_ask(request, b'{"model":"m","input":"hi","tools":[{"type":"web_search"}]}')
    assert asked.controls.drops_unsupported is drops
    assert (asked.conversation().rest.keys(), asked.conversation().drops_unsupported) == ({"tools.web_search"}, drops)


NONSENSE = (None, True, -1, 10**30, 1.5, "", "x", "\0", [], {}, [None], [1, "a"], {"type": ["a"]}, {"type": "x"})


def places(held, place=()):
    if place:
        yield place
    inner = held.items() if isinstance(held, dict) else enumerate(held) if isinstance(held, list) else ()
    for key, value in inner:
        yield from places(value, (*place, key))


@pytest.mark.parametrize("place", list(places(CODEX)), ids=lambda place: ".".join(map(str, place)))
def test_nonsense_anywhere_is_refused_or_taken_and_never_an_accident(place):
    dialects = [
        (OpenAI("x", "X"), "m"),
        (Anthropic("x", "X"), "claude-sonnet-4-5"),
        (Gemini("x", "X"), "gemini-2.5-pro"),
    ]
    for nonsense in NONSENSE:
        body = deepcopy(CODEX)
        held = body
        for key in place[:-1]:
            held = held[key]
        held[place[-1]] = nonsense
        for dialect, model in dialects:
            with suppress(BadRequest):
                dialect.write_request(ask(**body).conversation(), model)


@pytest.mark.parametrize("kind", [["text"], {"type": "text"}, 5, None])
def test_a_part_of_a_chat_whose_kind_is_no_word_is_refused_too(kind):
    body = {"model": "m", "messages": [{"role": "user", "content": [{"type": kind, "text": "hi"}]}]}
    with pytest.raises(BadRequest, match="is not known"):
        read_chat(json.dumps(body).encode(), is_stream=False, drops_unsupported=False)
