"""From OpenAI's words to Anthropic's, each request judged by the types of Anthropic's SDK."""

import contextlib
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.routing.edge.conversation import (
    Conversation,
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
from apps.routing.edge.dialects.anthropic.conversations import write_request
from apps.routing.edge.dialects.anthropic.requests import read_request
from apps.routing.edge.dialects.openai.requests import read_request as read_chat
from apps.routing.edge.dialects.openai.requests import write_request as write_chat
from apps.routing.edge.dialects.speech import CannotExpress
from brokle.kernel.errors import BadRequest
from tests.fakes.anthropic_provider import check
from tests.fakes.model_provider import Call

CLAUDE = "claude-sonnet-4-5"
OPUS = "claude-opus-5-5"
PNG = "iVBORw0KGgo="
HI = [{"role": "user", "content": "hi"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def judged(raw):
    """As Anthropic would take it, or the test fails with what it says."""
    body = json.loads(raw)
    check(Call("/v1/messages", {"anthropic-version": "2023-06-01"}, body, raw))
    return body


def written(model=CLAUDE, *, drops=False, stream=False, messages=HI, **members):
    body = json.dumps({"model": "any", "messages": messages, **members}).encode()
    conversation = read_chat(body, is_stream=stream, drops_unsupported=drops)
    return judged(write_request(conversation, model, title="Anthropic"))


def refused(model=CLAUDE, **members):
    with pytest.raises(CannotExpress) as caught:
        written(model, **members)
    return caught.value.field


def test_a_word_becomes_a_message_with_a_bound():
    assert written() == {"model": CLAUDE, "max_tokens": 16_384, "messages": HI}


@pytest.mark.parametrize(
    ("model", "bound"),
    [
        ("claude-opus-4-8", 16_384),
        ("claude-3-5-haiku-20241022", 8_192),
        ("claude-3-haiku-20240307", 4_096),
        ("m2", 4_096),
    ],
)
def test_the_bound_is_what_a_model_can_or_a_budget_holds(model, bound):
    assert written(model)["max_tokens"] == bound
    assert written(model, max_completion_tokens=7)["max_tokens"] == 7


def test_what_the_system_says_is_hoisted_with_its_marks():
    marked = {"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    messages = [{"role": "system", "content": "Be short."}, {"role": "developer", "content": [marked]}, *HI]
    assert written(messages=messages)["system"] == [{"type": "text", "text": "Be short."}, marked]
    assert written(messages=[messages[0], *HI])["system"] == "Be short."


@pytest.mark.parametrize(
    ("url", "source"),
    [
        (f"data:image/png;base64,{PNG}", {"type": "base64", "media_type": "image/png", "data": PNG}),
        ("https://pictures.example/a.jpg", {"type": "url", "url": "https://pictures.example/a.jpg"}),
        (PNG, {"type": "base64", "media_type": "image/png", "data": PNG}),
    ],
)
def test_pictures_come_inside_or_by_address(url, source):
    parts = [{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": url, "detail": "low"}}]
    [message] = written(messages=[{"role": "user", "content": parts}])["messages"]
    assert message["content"][1] == {"type": "image", "source": source}


def test_files_are_documents():
    pdf = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}}
    note = {"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain;base64,2LPZhNin2YU="}}
    kept = {"type": "file", "file": {"file_id": "file_011"}}
    [message] = written(messages=[{"role": "user", "content": [pdf, note, kept]}])["messages"]
    assert [block["source"] for block in message["content"]] == [
        {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
        {"type": "text", "media_type": "text/plain", "data": "سلام"},
        {"type": "file", "file_id": "file_011"},
    ]
    assert [block.get("title") for block in message["content"]] == ["a.pdf", "a.txt", None]


def test_results_are_merged_at_the_head_of_the_users_turn():
    calls = [
        {"id": f"call:{n}", "type": "function", "function": {"name": "weather", "arguments": arguments}}
        for n, arguments in enumerate(['{"city": "Cairo"}', "", "{broken"])
    ]
    picture = {"type": "image_url", "image_url": {"url": "https://pictures.example/a.jpg"}}
    messages = [
        *HI,
        {"role": "assistant", "content": "let me see", "tool_calls": calls},
        *({"role": "tool", "tool_call_id": f"call:{n}", "content": f"sun {n}"} for n in range(2)),
        {"role": "tool", "tool_call_id": "call:2", "content": [picture]},
        {"role": "user", "content": "and?"},
    ]
    _, answer, results = written(messages=messages, tools=[WEATHER])["messages"]

    assert answer["content"] == [
        {"type": "text", "text": "let me see"},
        {"type": "tool_use", "id": "call_0", "name": "weather", "input": {"city": "Cairo"}},
        {"type": "tool_use", "id": "call_1", "name": "weather", "input": {}},
        {"type": "tool_use", "id": "call_2", "name": "weather", "input": {"arguments": "{broken"}},
    ]
    assert results["content"] == [
        {"type": "tool_result", "tool_use_id": "call_0", "content": "sun 0"},
        {"type": "tool_result", "tool_use_id": "call_1", "content": "sun 1"},
        {
            "type": "tool_result",
            "tool_use_id": "call_2",
            "content": [{"type": "image", "source": {"type": "url", "url": "https://pictures.example/a.jpg"}}],
        },
        {"type": "text", "text": "and?"},
    ]


@pytest.mark.parametrize(
    ("choice", "parallel", "said"),
    [
        ("auto", None, {"type": "auto"}),
        ("none", None, {"type": "none"}),
        ("required", False, {"type": "any", "disable_parallel_tool_use": True}),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        ({"type": "function", "function": {"name": "weather"}}, None, {"type": "tool", "name": "weather"}),
    ],
)
def test_each_way_to_choose_a_tool_is_said(choice, parallel, said):
    members = {
        name: value for name, value in (("tool_choice", choice), ("parallel_tool_calls", parallel)) if value is not None
    }
    assert written(tools=[WEATHER], **members)["tool_choice"] == said


def test_tools_keep_schema_strictness_and_mark():
    strict = {**WEATHER, "cache_control": {"type": "ephemeral"}, "function": {**WEATHER["function"], "strict": True}}
    bare = {"type": "function", "function": {"name": "now"}}
    assert written(tools=[strict, bare])["tools"] == [
        {
            "name": "weather",
            "description": "The weather of a city",
            "input_schema": WEATHER["function"]["parameters"],
            "strict": True,
            "cache_control": {"type": "ephemeral"},
        },
        {"name": "now", "input_schema": {"type": "object", "properties": {}}},
    ]


def response_format(schema=CITY):
    return {"type": "json_schema", "json_schema": {"name": "city", "schema": schema, "strict": True}}


def test_a_shape_is_the_output_format_and_leaves_nothing_open():
    nested = {"type": "object", "properties": {"a": {"anyOf": [{"type": "object", "properties": {"type": CITY}}]}}}
    inner = {"type": "object", "properties": {"type": {**CITY, "additionalProperties": False}}}
    assert written(response_format=response_format(nested))["output_config"]["format"] == {
        "type": "json_schema",
        "schema": {
            "type": "object",
            "properties": {"a": {"anyOf": [{**inner, "additionalProperties": False}]}},
            "additionalProperties": False,
        },
    }


def test_an_older_model_answers_in_a_tools_input():
    body = written("claude-sonnet-4-20250514", response_format=response_format())
    assert [tool["name"] for tool in body["tools"]] == ["answer_as_json"]
    assert (body["tools"][0]["input_schema"], body["tool_choice"]) == (CITY, {"type": "tool", "name": "answer_as_json"})
    body = written(response_format={"type": "json_object"}, tools=[WEATHER])
    assert [tool["name"] for tool in body["tools"]] == ["weather", "answer_as_json"]
    assert body["tool_choice"] == {"type": "any"}


def test_effort_is_a_number_to_older_models_and_a_word_to_newer_ones():
    body = written(reasoning_effort="low")
    assert (body["thinking"], body["max_tokens"]) == ({"type": "enabled", "budget_tokens": 2048}, 18_432)
    assert written(reasoning_effort="high", max_tokens=3000)["thinking"]["budget_tokens"] == 1500
    assert "thinking" not in written(reasoning_effort="high", max_tokens=1500)
    body = written(OPUS, reasoning_effort="minimal")
    assert (body["thinking"], body["output_config"]) == ({"type": "adaptive"}, {"effort": "low"})
    assert written("claude-sonnet-5", reasoning_effort="none")["thinking"] == {"type": "disabled"}
    assert "thinking" not in written(reasoning_effort="none")


def test_thoughts_of_claude_go_back_to_it_sealed_as_they_were_and_others_do_not():
    blocks = [
        {"type": "thinking", "thinking": "so", "signature": "c2VhbGVkIGJ5IENsYXVkZQ=="},
        {"type": "redacted_thinking", "data": "x"},
    ]
    messages = [*HI, {"role": "assistant", "content": "a", "thinking_blocks": blocks}, *HI]
    assert written(messages=messages)["messages"][1]["content"] == [*blocks, {"type": "text", "text": "a"}]
    apart = [{**blocks[0], "thinking": ""}]
    messages[1] = {"role": "assistant", "content": "a", "reasoning_content": "so", "thinking_blocks": apart}
    assert written(messages=messages)["messages"][1]["content"][0] == blocks[0]
    messages[1] = {"role": "assistant", "content": "a", "reasoning_content": "so"}
    assert written(messages=messages)["messages"][1]["content"] == "a"


def test_callers_may_use_anthropics_own_words():
    native = {"type": "enabled", "budget_tokens": 5000}
    body = written(thinking=native, response_format=response_format(), output_config={"effort": "low"})
    assert (body["thinking"], body["max_tokens"]) == (native, 21_384)
    assert (body["output_config"]["effort"], body["output_config"]["format"]["type"]) == ("low", "json_schema")


def test_small_wishes_find_their_place():
    body = written(user="u1", stop="END", service_tier="default", top_p=0.5, stream=True)
    said = {name: body[name] for name in ("metadata", "stop_sequences", "service_tier", "top_p", "stream")}
    assert said == {
        "metadata": {"user_id": "u1"},
        "stop_sequences": ["END"],
        "service_tier": "standard_only",
        "top_p": 0.5,
        "stream": True,
    }


@pytest.mark.parametrize(
    ("field", "members"),
    [
        ("temperature", {"temperature": 1.2}),
        ("top_p", {"temperature": 0.5, "top_p": 0.5}),
        ("n", {"n": 2}),
        ("logprobs", {"logprobs": True}),
        ("seed", {"seed": 7}),
        ("frequency_penalty", {"frequency_penalty": 0.5}),
        ("presence_penalty", {"presence_penalty": 0.5}),
        ("logit_bias", {"logit_bias": {"1": 5}}),
        ("metadata", {"metadata": {"team": "a"}}),
        ("service_tier", {"service_tier": "flex"}),
        ("modalities", {"modalities": ["text", "audio"]}),
        ("x_vendor", {"x_vendor": 1}),
        ("temperature", {"temperature": 0.5, "reasoning_effort": "high"}),
        ("tool_choice", {"tools": [WEATHER], "tool_choice": "required", "reasoning_effort": "high"}),
    ],
)
def test_what_claude_cannot_be_told_is_refused_by_name_or_left_out(field, members):
    assert refused(**members) == field
    assert written(drops=True, **members)["messages"] == HI


@pytest.mark.parametrize(
    ("field", "members"),
    [
        ("temperature", {"temperature": 0.2}),
        ("top_k", {"top_k": 4}),
        ("reasoning_effort", {"reasoning_effort": "none"}),
        ("tool_choice", {"tools": [WEATHER], "tool_choice": "required"}),
        ("response_format", {"response_format": {"type": "json_object"}}),
    ],
)
def test_the_newest_models_take_less(field, members):
    assert refused(OPUS, **members) == field
    assert written(OPUS, drops=True, **members)["messages"] == HI


def test_what_changes_nothing_is_no_reason_to_refuse():
    idle = {"temperature": 1, "top_p": 1, "n": 1, "frequency_penalty": 0, "logit_bias": {}, "modalities": ["text"]}
    assert written(OPUS, **idle) == {"model": OPUS, "max_tokens": 16_384, "messages": HI}


def test_hints_to_a_cache_and_the_other_name_of_a_user_are_no_reason_either():
    body = written(prompt_cache_key="k", prompt_cache_retention="24h", store=False, safety_identifier="u1")
    assert body == {"model": CLAUDE, "max_tokens": 16_384, "messages": HI, "metadata": {"user_id": "u1"}}
    assert refused(store=True) == "store"


def test_a_sound_cannot_be_heard():
    sound = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "hi"}, sound]}]
    assert refused(messages=messages) == "messages.content.audio"
    assert written(messages=messages, drops=True)["messages"] == HI


# ── What Anthropic's callers say ─────────────────────────────────────────────
def said(**members):
    body = {"model": "any", "max_tokens": 100, "messages": HI, **members}
    conversation = read_request(json.dumps(body).encode(), is_stream=False, drops_unsupported=False)
    return json.loads(write_chat(conversation, "gpt", title="OpenAI"))


def test_a_request_of_claude_code_is_understood_by_others():
    body = said(
        system=[{"type": "text", "text": "You write code.", "cache_control": {"type": "ephemeral"}}],
        tools=[{"name": "Read", "description": "d", "input_schema": CITY, "eager_input_streaming": True}],
        tool_choice={"type": "auto", "disable_parallel_tool_use": True},
        thinking={"type": "adaptive"},
        output_config={"effort": "high"},
        metadata={"user_id": "user_1"},
        context_management={"edits": []},
        messages=[
            {"role": "user", "content": [{"type": "text", "text": "fix it"}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "s"},
                    {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"city": "x"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "ok"}]},
                    {"type": "text", "text": "go on"},
                ],
            },
        ],
    )
    assert body == {
        "model": "gpt",
        "max_completion_tokens": 100,
        "messages": [
            {"role": "system", "content": "You write code."},
            {"role": "user", "content": "fix it"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "toolu_1", "type": "function", "function": {"name": "Read", "arguments": '{"city":"x"}'}}
                ],
            },
            {"role": "tool", "tool_call_id": "toolu_1", "content": "ok"},
            {"role": "user", "content": "go on"},
        ],
        "tools": [{"type": "function", "function": {"name": "Read", "description": "d", "parameters": CITY}}],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "reasoning_effort": "high",
        "user": "user_1",
    }


@pytest.mark.parametrize(
    ("field", "members"),
    [
        ("tools.web_search_20260209", {"tools": [{"type": "web_search_20260209", "name": "web_search"}]}),
        ("container", {"container": "c_1"}),
        ("inference_geo", {"inference_geo": "eu"}),
        (
            "messages.content.server_tool_use",
            {"messages": [*HI, {"role": "assistant", "content": [{"type": "server_tool_use", "id": "a"}]}, *HI]},
        ),
    ],
)
def test_what_only_anthropic_has_is_refused_by_name(field, members):
    with pytest.raises(CannotExpress) as caught:
        said(**members)
    assert caught.value.field == field


def test_a_conversation_held_by_anthropic_is_asked_for_whole():
    body = {"model": "a", "messages": HI, "thread": {"type": "create"}}
    for drops in (False, True):
        with pytest.raises(CannotExpress) as caught:
            read_request(json.dumps(body).encode(), is_stream=False, drops_unsupported=drops)
        assert (caught.value.code, caught.value.field) == ("thread_unsupported_request", "thread")
    assert said(thread=None)["messages"] == HI


@pytest.mark.parametrize(
    ("field", "members"),
    [
        ("messages.0.role", {"messages": [{"role": "robot", "content": "hi"}]}),
        ("messages.0.content", {"messages": [{"role": "user", "content": 7}]}),
        ("messages.0.content.0.type", {"messages": [{"role": "user", "content": [{}]}]}),
        ("messages.0.content.0.text", {"messages": [{"role": "user", "content": [{"type": "text"}]}]}),
        ("messages.0.content.0.source", {"messages": [{"role": "user", "content": [{"type": "image"}]}]}),
        ("tool_choice", {"tool_choice": {"type": "maybe"}}),
        ("tools.0", {"tools": [{"name": "a"}]}),
        ("thinking.budget_tokens", {"thinking": {"type": "enabled"}}),
        ("output_config", {"output_config": {"effort": "huge"}}),
        ("output_config.format", {"output_config": {"format": {"type": "yaml"}}}),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(field, members):
    with pytest.raises(BadRequest) as caught:
        said(**members)
    assert caught.value.field == field


anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=5), st.floats(allow_nan=False)),
    lambda held: st.one_of(
        st.lists(held, max_size=3),
        st.dictionaries(
            st.sampled_from(["type", "text", "content", "source", "name", "id", "input", "format", "effort", "schema"]),
            st.one_of(held, st.sampled_from(["text", "image", "tool_use", "tool_result", "document", "json_schema"])),
            max_size=4,
        ),
    ),
    max_leaves=12,
)
members = st.sampled_from(
    [
        *("messages", "system", "tools", "tool_choice", "thinking", "output_config", "output_format", "metadata"),
        *("max_tokens", "temperature", "stop_sequences", "service_tier", "top_k", "x_vendor"),
    ]
)


@given(st.dictionaries(members, anything, max_size=3), st.lists(anything, max_size=2))
def test_nonsense_is_refused_and_never_an_accident(found, contents):
    messages = [{"role": "user", "content": content} for content in contents]
    body = json.dumps({"model": "any", "max_tokens": 5, "messages": messages, **found}).encode()
    for write in (write_chat, write_request):
        with contextlib.suppress(BadRequest):
            write(read_request(body, is_stream=False, drops_unsupported=True), CLAUDE, title="any")


@pytest.mark.parametrize("member", ["messages", "output_config"])
def test_what_is_nested_too_deeply_is_refused(member):
    deep = '{"type":"search_result","content":[' * 900 + "]}" * 900
    schema = '{"type":"object","properties":' * 900 + "{}" + "}" * 900
    said = {
        "messages": f'[{{"role":"user","content":[{deep}]}}]',
        "output_config": f'{{"format":{{"type":"json_schema","schema":{schema}}}}}',
    }
    members = {"messages": '[{"role":"user","content":"hi"}]', member: said[member]}
    body = "{" + ",".join(f'"{name}":{value}' for name, value in members.items()) + "}"
    with pytest.raises(BadRequest):
        write_request(read_request(body.encode(), is_stream=False, drops_unsupported=True), CLAUDE, title="any")


# ── There and back ───────────────────────────────────────────────────────────
words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
names = st.from_regex(r"\A[a-z]{1,8}\Z")
ttls = st.sampled_from(["", "5m", "1h"])
objects = st.dictionaries(names, st.one_of(st.integers(-9, 9), words, st.booleans(), st.none()), max_size=3)
raws = objects.map(lambda held: msgspec.Raw(msgspec.json.encode({"type": "object", "properties": held})))
texts = st.builds(Text, words, ttls)
data = st.binary(min_size=1, max_size=9).map(lambda raw: "iVBOR" + raw.hex())
media = st.one_of(
    st.builds(Media, st.just("image"), st.sampled_from(["image/png", "image/webp"]), data, cache_ttl=ttls),
    st.builds(Media, st.just("image"), url=st.just("https://pictures.example/a"), cache_ttl=ttls),
    st.builds(Media, st.just("file"), st.just("application/pdf"), data, name=words, cache_ttl=ttls),
    st.builds(Media, st.just("file"), file_id=names, cache_ttl=ttls),
)
thoughts = st.one_of(st.builds(Thought, words, signature=words), st.builds(Thought, sealed=words))
calls = st.builds(ToolCall, names, names, objects.map(lambda held: msgspec.json.encode(held).decode()), cache_ttl=ttls)
plain = st.one_of(st.builds(Text, words), media.map(lambda held: msgspec.structs.replace(held, cache_ttl="")))


@st.composite
def turns(draw):
    """Alternating; each call is answered in the next turn, before anything else is said."""
    found = [Turn("user", draw(st.lists(st.one_of(texts, media), min_size=1, max_size=3)))]
    for _ in range(draw(st.integers(0, 2))):
        asked = {call.id: call for call in draw(st.lists(calls, max_size=2))}
        found.append(
            Turn(
                "assistant",
                [
                    *draw(st.lists(thoughts, max_size=2)),
                    *draw(st.lists(texts, min_size=1, max_size=2)),
                    *asked.values(),
                ],
            )
        )
        results = [
            ToolResult(call.id, call.name, draw(st.lists(plain, max_size=2)), draw(st.booleans()), draw(ttls))
            for call in asked.values()
        ]
        found.append(Turn("user", [*results, *draw(st.lists(texts, min_size=1, max_size=2))]))
    return found


conversations = st.builds(
    Conversation,
    turns(),
    st.lists(texts, max_size=2),
    st.lists(st.builds(Tool, names, words, raws, st.sampled_from([None, True, False]), ttls), min_size=1, max_size=3),
    st.sampled_from(
        [
            None,
            ToolChoice(),
            ToolChoice("none"),
            ToolChoice("required", is_parallel=False),
            ToolChoice("named", ["a"], True),
        ]
    ),
    st.one_of(
        st.builds(Sampling, st.floats(0, 1), top_k=st.integers(1, 9), stop=st.lists(words, max_size=2)),
        st.builds(Sampling, top_p=st.floats(0.1, 0.9)),
    ),
    st.integers(1, 60_000),
    shape=st.one_of(
        st.none(),
        st.just(Shape("schema", schema=msgspec.Raw(b'{"type":"object","additionalProperties":false}'), is_strict=True)),
    ),
    user=st.one_of(st.just(""), names),
    service_tier=st.sampled_from(["", "auto", "default"]),
    is_stream=st.booleans(),
)


def back(conversation, model):
    raw = write_request(conversation, model, title="Anthropic")
    return read_request(raw, is_stream=conversation.is_stream, drops_unsupported=False)


def plainly(held):
    """Bytes of JSON by what they say."""
    if isinstance(held, msgspec.Raw):
        return json.loads(bytes(held)) if bytes(held) else None
    if isinstance(held, list):
        return [plainly(one) for one in held]
    if isinstance(held, ToolCall):
        return [held.id, held.name, json.loads(held.arguments), held.cache_ttl]
    if isinstance(held, msgspec.Struct):
        return {type(held).__name__: {name: plainly(getattr(held, name)) for name in held.__struct_fields__}}
    return held


@given(conversations)
def test_a_conversation_comes_back_as_it_went(conversation):
    assert plainly(back(conversation, CLAUDE)) == plainly(conversation)


@given(
    st.sampled_from(
        [
            (CLAUDE, Reasoning(budget_tokens=2000)),
            (CLAUDE, Reasoning(budget_tokens=1024, shows=True)),
            ("claude-sonnet-5", Reasoning("none")),
            ("claude-sonnet-5", Reasoning("xhigh", shows=False)),
            (OPUS, Reasoning()),
            (OPUS, Reasoning("low")),
        ]
    )
)
def test_how_much_to_think_comes_back_as_it_went(pair):
    model, reasoning = pair
    conversation = Conversation([Turn("user", [Text("hi")])], max_output=4000, reasoning=reasoning)
    assert plainly(back(conversation, model)) == plainly(conversation)
