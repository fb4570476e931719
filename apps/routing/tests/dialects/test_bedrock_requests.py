"""From OpenAI's and Anthropic's words to Converse's, each request judged by botocore's own model of the service."""

import json

import msgspec
import pytest

from apps.routing.edge.conversation import Conversation, Shape, Text, Turn
from apps.routing.edge.dialects import purposes
from apps.routing.edge.dialects.anthropic.requests import read_request as read_messages
from apps.routing.edge.dialects.bedrock.conversations import write_request
from apps.routing.edge.dialects.bedrock.embeddings import InvokeEmbedder
from apps.routing.edge.dialects.gemini.requests import read_request as read_contents
from apps.routing.edge.dialects.openai.requests import read_request as read_chat
from apps.routing.edge.dialects.speech import CannotExpress
from apps.routing.edge.usage import Usage
from brokle.kernel.errors import BadRequest
from tests.fakes.bedrock_provider import CLAUDE, COHERE, GPT, NOVA, OLD_CLAUDE, SIGNATURE, TITAN, check

NEWEST = "global.anthropic.claude-opus-5-5-v1:0"
MISTRAL = "mistral.mistral-large-2407-v1:0"
PNG = "iVBORw0KGgo="
HI = [{"role": "user", "content": "hi"}]
SAID_HI = [{"role": "user", "content": [{"text": "hi"}]}]
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"type": "function", "function": {"name": "weather", "description": "of a city", "parameters": CITY}}
SPEC = {"toolSpec": {"name": "weather", "description": "of a city", "inputSchema": {"json": CITY}}}
KEPT = {"type": "ephemeral"}


def written(model=NOVA, *, drops=False, messages=HI, **members):
    body = json.dumps({"model": "any", "messages": messages, **members}).encode()
    conversation = read_chat(body, is_stream=False, drops_unsupported=drops)
    return check(model, json.loads(write_request(conversation, model, title="Amazon Bedrock")))


def written_from_anthropic(model=CLAUDE, **members):
    body = json.dumps({"model": "any", "max_tokens": 5000, **members}).encode()
    conversation = read_messages(body, is_stream=False, drops_unsupported=False)
    return check(model, json.loads(write_request(conversation, model, title="Amazon Bedrock")))


def refused(model=NOVA, **members):
    with pytest.raises(CannotExpress) as caught:
        written(model, **members)
    return caught.value.field


def content_of(part, **more):
    return written(messages=[{"role": "user", "content": [{"type": "text", "text": "see"}, part]}], **more)["messages"][
        0
    ]["content"][1:]


def test_a_word_becomes_a_block():
    assert written() == {"messages": SAID_HI}


def test_claude_gets_a_bound_where_the_caller_names_none():
    assert written(CLAUDE) == {"messages": SAID_HI, "inferenceConfig": {"maxTokens": 16384}}


def test_what_the_system_says_stands_apart_and_blanks_are_left_out():
    messages = [{"role": "system", "content": "Be short."}, {"role": "developer", "content": " "}, *HI]
    assert written(messages=messages)["system"] == [{"text": "Be short."}]
    blank = [{"type": "text", "text": "\n"}, {"type": "text", "text": "hi"}]
    assert written(messages=[{"role": "user", "content": blank}])["messages"] == SAID_HI


def test_drawing_and_bounds_have_bedrocks_names():
    asked = {"max_completion_tokens": 9, "temperature": 0.5, "top_p": 0.25, "stop": "END"}
    said = {"maxTokens": 9, "temperature": 0.5, "topP": 0.25, "stopSequences": ["END"]}
    assert written(**asked)["inferenceConfig"] == said
    assert "additionalModelResponseFieldPaths" not in written(**asked)
    asked.pop("top_p")
    claudes = written(CLAUDE, **asked)
    assert claudes["inferenceConfig"] == {"maxTokens": 9, "temperature": 0.5, "stopSequences": ["END"]}
    assert claudes["additionalModelResponseFieldPaths"] == ["/stop_sequence"]


def test_top_k_is_said_as_each_family_hears_it():
    ask = {"contents": [{"parts": [{"text": "hi"}]}], "generationConfig": {"topK": 5}}

    def fields(model):
        conversation = read_contents(json.dumps(ask).encode(), is_stream=False, drops_unsupported=False)
        body = json.loads(write_request(conversation, model, title="Amazon Bedrock"))
        return check(model, body)["additionalModelRequestFields"]

    assert fields(NOVA) == {"inferenceConfig": {"topK": 5}}
    assert fields(CLAUDE) == {"top_k": 5}
    with pytest.raises(CannotExpress, match="top_k"):
        fields(GPT)


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"n": 2}, "n"),
        ({"seed": 1}, "seed"),
        ({"logprobs": True}, "logprobs"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"temperature": 1.5}, "temperature"),
        ({"service_tier": "scale"}, "service_tier"),
        ({"x_vendor": 1}, "x_vendor"),
        ({"tools": [WEATHER], "parallel_tool_calls": False}, "parallel_tool_calls"),
    ],
)
def test_what_bedrock_cannot_be_told_is_refused_by_its_name_or_left_out(members, field):
    assert refused(**members) == field
    left = written(drops=True, **members)
    assert left["messages"] == SAID_HI
    assert f'"{field}"' not in json.dumps(left)


def test_hints_and_users_are_left_out_and_metadata_is_noted_at_bedrock():
    asked = {"user": "u1", "prompt_cache_key": "k", "safety_identifier": "s", "store": False, "service_tier": "auto"}
    assert written(**asked) == {"messages": SAID_HI}
    assert written(metadata={"team": "a"}, service_tier="flex") == {
        "messages": SAID_HI,
        "requestMetadata": {"team": "a"},
        "serviceTier": {"type": "flex"},
    }


def test_bedrocks_own_words_may_be_said_outright():
    guard = {"guardrailIdentifier": "abc", "guardrailVersion": "1"}
    found = written(guardrailConfig=guard, performanceConfig={"latency": "optimized"})
    assert (found["guardrailConfig"], found["performanceConfig"]) == (guard, {"latency": "optimized"})
    extra = {"anthropic_beta": ["context-1m-2025-08-07"]}
    assert written(CLAUDE, additionalModelRequestFields=extra)["additionalModelRequestFields"] == extra
    with pytest.raises(BadRequest, match="additionalModelRequestFields"):
        written(additionalModelRequestFields=[])


# ── What is sent along ───────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("url", "source"),
    [
        (f"data:image/webp;base64,{PNG}", {"format": "webp", "source": {"bytes": PNG}}),
        (f"data:image/jpg;base64,{PNG}", {"format": "jpeg", "source": {"bytes": PNG}}),
        (PNG, {"format": "png", "source": {"bytes": PNG}}),
        ("s3://bucket/a.GIF", {"format": "gif", "source": {"s3Location": {"uri": "s3://bucket/a.GIF"}}}),
    ],
)
def test_pictures(url, source):
    assert content_of({"type": "image_url", "image_url": {"url": url}}) == [{"image": source}]


@pytest.mark.parametrize("url", ["https://pictures.example/a.png", "data:image/bmp;base64,Qk0=", "s3://bucket/a"])
def test_pictures_that_bedrock_cannot_see(url):
    part = {"type": "image_url", "image_url": {"url": url}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "see"}, part]}]
    assert refused(messages=messages) == "messages.content.image"
    assert content_of(part, drops=True) == []


def test_what_is_no_base64_is_said_before_anybody_is_asked():
    with pytest.raises(BadRequest, match="base64"):
        content_of({"type": "image_url", "image_url": {"url": "data:image/png;base64,a*b"}})


def file(name, mime, data=PNG):
    return {"type": "file", "file": {"filename": name, "file_data": f"data:{mime};base64,{data}"}}


def test_documents_have_names_that_bedrock_takes_and_that_differ():
    files = [
        file("Q3_report (final).v2.pdf", "application/pdf"),
        file("Q3_report (final).v2.csv", "text/csv"),
        file("تقرير", "text/markdown"),
    ]
    content = written(messages=[{"role": "user", "content": [{"type": "text", "text": "see"}, *files]}])
    found = [block["document"] for block in content["messages"][0]["content"][1:]]
    assert [(one["format"], one["name"]) for one in found] == [
        ("pdf", "Q3-report (final)-v2"),
        ("csv", "Q3-report (final)-v2 (2)"),
        ("md", "-"),
    ]
    assert found[0]["source"] == {"bytes": PNG}


def test_sound_and_documents_of_strange_kinds():
    sound = {"type": "input_audio", "input_audio": {"data": PNG, "format": "mp3"}}
    assert content_of(sound) == [{"audio": {"format": "mp3", "source": {"bytes": PNG}}}]
    messages = [{"role": "user", "content": [file("a.zip", "application/zip")]}]
    assert refused(messages=messages) == "messages.content.file"


# ── Tools ────────────────────────────────────────────────────────────────────
CALLED = [
    *HI,
    {
        "role": "assistant",
        "tool_calls": [
            {"id": "call:1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Cairo"}'}},
            {"id": "c" * 80, "type": "function", "function": {"name": "weather", "arguments": "nonsense"}},
        ],
    },
    {"role": "tool", "tool_call_id": "call:1", "content": "warm"},
    {"role": "tool", "tool_call_id": "c" * 80, "content": ""},
    {"role": "user", "content": "and now?"},
]


def test_calls_and_their_results():
    found = written(messages=CALLED, tools=[WEATHER])
    called, results = found["messages"][1]["content"], found["messages"][2]["content"]
    assert called[0] == {"toolUse": {"toolUseId": "call_1", "name": "weather", "input": {"city": "Cairo"}}}
    assert called[1]["toolUse"]["input"] == {"arguments": "nonsense"}
    assert results[0] == {"toolResult": {"toolUseId": "call_1", "content": [{"text": "warm"}]}}
    assert results[1]["toolResult"]["toolUseId"] == called[1]["toolUse"]["toolUseId"]
    assert results[2] == {"text": "and now?"}
    assert found["toolConfig"] == {"tools": [SPEC]}


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ("auto", {"auto": {}}),
        ("required", {"any": {}}),
        ({"type": "function", "function": {"name": "weather"}}, {"tool": {"name": "weather"}}),
    ],
)
def test_choices_of_tools(choice, said):
    assert written(tools=[WEATHER], tool_choice=choice)["toolConfig"]["toolChoice"] == said


def test_tools_that_may_not_be_called_are_not_told_of():
    assert written(tools=[WEATHER], tool_choice="none") == {"messages": SAID_HI}
    assert refused(messages=CALLED, tools=[WEATHER], tool_choice="none") == "tool_choice"
    assert "toolChoice" not in written(messages=CALLED, tools=[WEATHER], tool_choice="none", drops=True)["toolConfig"]


def test_a_tool_without_parameters_takes_an_object():
    tool = {"type": "function", "function": {"name": "now"}}
    spec = {"name": "now", "inputSchema": {"json": {"type": "object", "properties": {}}}}
    assert written(tools=[tool])["toolConfig"]["tools"] == [{"toolSpec": spec}]


def test_strict_tools_where_the_model_can():
    strict = {**WEATHER, "function": {**WEATHER["function"], "strict": True}}
    assert written(CLAUDE, tools=[strict])["toolConfig"]["tools"][0]["toolSpec"]["strict"] is True
    assert refused(OLD_CLAUDE, tools=[strict]) == "tools.function.strict"


def test_a_failed_tool_is_said_to_have_failed_where_the_model_hears_it():
    turns = [
        *HI,
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "weather", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "is_error": True, "content": "no"}]},
    ]
    tools = [{"name": "weather", "input_schema": CITY}]
    said = {"toolResult": {"toolUseId": "t1", "content": [{"text": "no"}], "status": "error"}}
    assert written_from_anthropic(messages=turns, tools=tools)["messages"][2]["content"] == [said]
    del said["toolResult"]["status"]
    assert written_from_anthropic(GPT, messages=turns, tools=tools)["messages"][2]["content"] == [said]


# ── Shapes, thoughts, what is kept ───────────────────────────────────────────
SHAPED = {"type": "json_schema", "json_schema": {"name": "city", "schema": CITY}}


@pytest.mark.parametrize("model", [CLAUDE, GPT])
def test_a_schema_is_said_where_the_model_can_be_held_to_it(model):
    form = written(model, response_format=SHAPED)["outputConfig"]["textFormat"]
    told = form["structure"]["jsonSchema"]
    assert (form["type"], told["name"]) == ("json_schema", "city")
    assert json.loads(told["schema"]) == {**CITY, "additionalProperties": False}


def test_elsewhere_the_answer_is_a_tools_input():
    config = written(NOVA, response_format=SHAPED)["toolConfig"]
    assert config["toolChoice"] == {"tool": {"name": "answer_as_json"}}
    assert config["tools"][0]["toolSpec"]["inputSchema"] == {"json": CITY}
    both = written(CLAUDE, response_format={"type": "json_object"}, tools=[WEATHER])["toolConfig"]
    assert both["toolChoice"] == {"any": {}}
    assert [tool["toolSpec"]["name"] for tool in both["tools"]] == ["weather", "answer_as_json"]


def test_who_always_thinks_cannot_be_made_to_answer_by_a_tool():
    assert refused(NEWEST, response_format={"type": "json_object"}) == "response_format"
    assert refused(NEWEST, tools=[WEATHER], tool_choice="required") == "tool_choice"


def test_how_much_is_thought():
    budget = written(CLAUDE, reasoning_effort="low")
    assert budget["additionalModelRequestFields"] == {"thinking": {"type": "enabled", "budget_tokens": 2048}}
    assert budget["inferenceConfig"] == {"maxTokens": 18432}
    effort = written(NEWEST, reasoning_effort="high")
    assert effort["outputConfig"] == {"effort": "high"}
    assert effort["additionalModelRequestFields"] == {"thinking": {"type": "adaptive"}}
    assert written(NOVA, reasoning_effort="high")["additionalModelRequestFields"] == {
        "reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}
    }
    assert written(NOVA, reasoning_effort="none")["additionalModelRequestFields"] == {
        "reasoningConfig": {"type": "disabled"}
    }
    assert written(GPT, reasoning_effort="minimal")["additionalModelRequestFields"] == {"reasoning_effort": "low"}
    assert refused(GPT, reasoning_effort="none") == "reasoning_effort"
    assert refused(MISTRAL, reasoning_effort="low") == "reasoning_effort"
    assert written(MISTRAL, reasoning_effort="none") == {"messages": SAID_HI}


def test_thinking_may_be_said_outright_to_claude_alone():
    thinking = {"type": "enabled", "budget_tokens": 2000}
    assert written(CLAUDE, thinking=thinking)["additionalModelRequestFields"] == {"thinking": thinking}
    assert refused(NOVA, thinking=thinking) == "thinking"


def test_thoughts_that_their_model_sealed_go_back_and_others_do_not():
    def thoughts(*blocks):
        turns = [*HI, {"role": "assistant", "content": [*blocks, {"type": "text", "text": "yes"}]}, *HI]
        return written_from_anthropic(messages=turns)["messages"][1]["content"][:-1]

    sealed = {"type": "thinking", "thinking": "so", "signature": SIGNATURE}
    assert thoughts(sealed) == [{"reasoningContent": {"reasoningText": {"text": "so", "signature": SIGNATURE}}}]
    hidden = {"type": "redacted_thinking", "data": "c2VhbGVk"}
    assert thoughts(hidden) == [{"reasoningContent": {"redactedContent": "c2VhbGVk"}}]
    assert thoughts({**sealed, "signature": ""}, {**sealed, "signature": "gemini:x"}) == []


def test_marks_of_the_cache_become_points_where_the_model_keeps_anything():
    hour = {"type": "ephemeral", "ttl": "1h"}
    asked = {
        "system": [{"type": "text", "text": "Be short.", "cache_control": hour}],
        "tools": [{"name": "weather", "input_schema": CITY, "cache_control": KEPT}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": KEPT}]}],
    }
    point, of_an_hour = {"cachePoint": {"type": "default"}}, {"cachePoint": {"type": "default", "ttl": "1h"}}
    claudes = written_from_anthropic(**asked)
    assert claudes["system"][1:] == [of_an_hour]
    assert claudes["toolConfig"]["tools"][1:] == [point]
    assert claudes["messages"][0]["content"][1:] == [point]
    novas = written_from_anthropic(NOVA, **asked)
    assert (novas["system"][1:], novas["toolConfig"]["tools"][1:]) == ([point], [])
    assert "cachePoint" not in json.dumps(written_from_anthropic(GPT, **asked))


def test_a_schema_nested_too_deeply_is_a_wrong_request():
    schema = msgspec.Raw(b'{"a":' * 700 + b"1" + b"}" * 700)
    conversation = Conversation([Turn("user", [Text("hi")])], shape=Shape("schema", schema=schema))
    with pytest.raises(BadRequest, match="nested"):
        write_request(conversation, CLAUDE, title="Amazon Bedrock")


# ── Embeddings ───────────────────────────────────────────────────────────────
def _texts(*texts):
    return [purposes.Text(text) for text in texts]


def test_embeddings_of_titan_and_cohere():
    embedder = InvokeEmbedder()
    assert json.loads(embedder.write(_texts("a"), 256, TITAN)) == {"inputText": "a", "dimensions": 256}
    assert json.loads(embedder.write(_texts("a", "b"), None, COHERE)) == {
        "texts": ["a", "b"],
        "input_type": "search_document",
    }
    assert json.loads(embedder.write(_texts("a"), 256, "us.cohere.embed-v4:0"))["output_dimension"] == 256
    assert json.loads(embedder.write(_texts("a"), 256, "amazon.titan-embed-image-v1"))["embeddingConfig"] == {
        "outputEmbeddingLength": 256
    }
    assert embedder.read(b'{"embedding": [0.5], "inputTextTokenCount": 3}') == ([[0.5]], Usage(input=3))
    assert embedder.read(b'{"embeddings": [[0.5]], "texts": []}') == ([[0.5]], None)
    assert embedder.read(b'{"embeddings": {"float": [[0.5]]}}') == ([[0.5]], None)
    with pytest.raises(ValueError, match="embeddings"):
        embedder.read(b"{}")


@pytest.mark.parametrize(
    ("model", "texts", "dimensions", "field"),
    [
        (TITAN, ["a", "b"], None, "input"),
        ("amazon.titan-embed-text-v1", ["a"], 5, "dimensions"),
        ("cohere.embed-english-v3", ["a"], 5, "dimensions"),
        ("amazon.nova-2-multimodal-embeddings-v1:0", ["a"], None, "model"),
    ],
)
def test_what_an_embedding_model_cannot_be_told(model, texts, dimensions, field):
    with pytest.raises(CannotExpress) as caught:
        InvokeEmbedder().write(_texts(*texts), dimensions, model)
    assert caught.value.field == field
