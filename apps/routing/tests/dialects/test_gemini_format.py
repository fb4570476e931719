"""Callers who speak Gemini: their requests read, their answers written and relayed, judged by Google's SDK."""

import json

import pytest
from google.genai.types import GenerateContentResponse

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
from apps.routing.edge.dialects.gemini.candidates import GenerateWriter, write_whole
from apps.routing.edge.dialects.gemini.generate import GenerateFormat, called
from apps.routing.edge.dialects.gemini.passage import Passage
from apps.routing.edge.dialects.gemini.requests import read_request
from apps.routing.edge.dialects.sse import Events
from apps.routing.edge.reply import (
    ArgumentsPiece,
    Begun,
    Finished,
    TextPiece,
    ThoughtPiece,
    ToolBegun,
    Used,
    WholeReply,
)
from apps.routing.edge.usage import Usage
from brokle.edge.http import Request
from brokle.kernel.errors import BadRequest, NotFound
from tests.fakes.gemini_provider import SEAL, answer, chunks, event

SIGNATURE = "c2VhbGVkIGJ5IENsYXVkZQ=="
SAID_HI = [{"role": "user", "parts": [{"text": "hi"}]}]


def read(**members):
    body = json.dumps({"contents": SAID_HI, **members}).encode()
    return read_request(body, is_stream=False, drops_unsupported=False)


def schema(raw):
    return json.loads(bytes(raw))


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/v1beta/models/gemini-2.5-flash:generateContent", ("gemini-2.5-flash", "generateContent")),
        ("/v1beta/models/ollama/qwen/qwen3:8b:countTokens", ("ollama/qwen/qwen3:8b", "countTokens")),
    ],
)
def test_a_models_name_may_hold_strokes_and_colons(path, found):
    assert called(path) == found


@pytest.mark.parametrize("path", ["/v1beta/models/gemini-2.5-flash", "/v1beta/models/", "/v1beta/models/:x"])
def test_an_address_without_model_or_verb_is_not_found(path):
    with pytest.raises(NotFound):
        called(path)


@pytest.mark.parametrize(
    ("members", "needs"),
    [
        ({}, set()),
        ({"contents": [{"parts": [{"inline_data": {"mime_type": "image/png", "data": ""}}]}]}, {"image-input"}),
        ({"tools": [{"functionDeclarations": [{"name": "a"}]}]}, {"tools"}),
        ({"generationConfig": {"responseJsonSchema": {"type": "object"}}}, {"structured-output"}),
        ({"generationConfig": {"response_schema": {"type": "OBJECT"}}}, {"structured-output"}),
    ],
)
def test_what_a_model_must_be_able_to_do_is_seen(members, needs):
    request = Request({"method": "POST", "path": "/v1beta/models/m:generateContent", "headers": []}, None, None)
    body = json.dumps({"contents": SAID_HI, **members}).encode()
    assert GenerateFormat().read_ask(request, body).needs(body) == needs


def test_contents_are_turns_in_either_spelling():
    found = read(
        system_instruction={"parts": {"text": "Be kind."}},
        contents=[
            {"parts": [{"text": "what?"}, {"inline_data": {"mime_type": "image/png", "data": "iVBORw0KGgo="}}]},
            {"role": "model", "parts": [{"text": "hm", "thought": True}, {"text": "A cat"}]},
            {
                "role": "user",
                "parts": [{"fileData": {"mimeType": "application/pdf", "fileUri": "https://a.example/b"}}],
            },
        ],
    )
    assert found.system == [Text("Be kind.")]
    assert found.turns == [
        Turn("user", [Text("what?"), Media("image", "image/png", "iVBORw0KGgo=")]),
        Turn("assistant", [Thought("hm"), Text("A cat")]),
        Turn("user", [Media("file", "application/pdf", url="https://a.example/b")]),
    ]


def test_calls_without_ids_are_answered_in_order():
    call = {"functionCall": {"name": "weather", "args": {"city": "Cairo"}}}
    contents = [
        *SAID_HI,
        {"role": "model", "parts": [{**call, "thoughtSignature": SEAL}, call]},
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"name": "weather", "response": {"result": "sunny"}}},
                {"functionResponse": {"name": "weather", "response": {"error": "no such city"}}},
            ],
        },
    ]
    calls, results = (turn.parts for turn in read(contents=contents).turns[1:])
    arguments = '{"city":"Cairo"}'
    assert calls == [
        ToolCall("call_1", "weather", arguments, SEAL),
        ToolCall("call_2", "weather", arguments),
    ]
    assert results == [
        ToolResult("call_1", "weather", [Text("sunny")]),
        ToolResult("call_2", "weather", [Text("no such city")], is_error=True),
    ]


def test_googles_schemas_become_json_schemas():
    parameters = {
        "type": "OBJECT",
        "properties": {
            "type": {"type": "STRING", "nullable": True, "minLength": "1"},
            "days": {"type": "ARRAY", "items": {"anyOf": [{"type": "INTEGER"}, {"type": "STRING"}]}},
        },
        "propertyOrdering": ["type", "days"],
        "required": ["type"],
    }
    [tool] = read(tools=[{"functionDeclarations": [{"name": "weather", "parameters": parameters}]}]).tools
    assert (tool.name, schema(tool.schema)) == (
        "weather",
        {
            "type": "object",
            "properties": {
                "type": {"type": ["string", "null"], "minLength": 1},
                "days": {"type": "array", "items": {"anyOf": [{"type": "integer"}, {"type": "string"}]}},
            },
            "required": ["type"],
        },
    )
    assert read(tools=[{"functionDeclarations": [{"name": "clock"}]}]).tools == [Tool("clock")]


@pytest.mark.parametrize(
    ("config", "choice"),
    [
        ({"mode": "AUTO"}, ToolChoice()),
        ({"mode": "NONE"}, ToolChoice("none")),
        ({"mode": "ANY"}, ToolChoice("required")),
        ({"mode": "any", "allowedFunctionNames": ["a"]}, ToolChoice("named", ["a"])),
    ],
)
def test_modes_are_choices(config, choice):
    assert read(toolConfig={"functionCallingConfig": config}).tool_choice == choice


def test_the_configuration_has_its_places():
    found = read(
        generationConfig={
            "temperature": 0.5,
            "topP": 0.9,
            "top_k": 40.0,
            "seed": 7,
            "stopSequences": ["END"],
            "maxOutputTokens": 9,
            "candidateCount": 2,
            "responseLogprobs": True,
            "logprobs": 3,
            "responseMimeType": "application/json",
            "responseSchema": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}},
            "speechConfig": {"voice": "a"},
        },
        safetySettings=[],
        labels={"team": "a"},
        serviceTier="standard",
    )
    assert found.sampling == Sampling(0.5, 0.9, 40, 7, stop=["END"])
    assert (found.max_output, found.count, found.top_logprobs) == (9, 2, 3)
    assert isinstance(found.shape, Shape)
    assert schema(found.shape.schema) == {"type": "object", "properties": {"a": {"type": "string"}}}
    assert (found.metadata, found.service_tier) == ({"team": "a"}, "default")
    assert found.rest.keys() == {"generationConfig.speechConfig", "safetySettings"}


@pytest.mark.parametrize(
    ("thinking", "reasoning"),
    [
        ({"thinkingBudget": 0}, Reasoning("none")),
        ({"thinkingBudget": 2000}, Reasoning(None, 2000, shows=False)),
        ({"thinkingLevel": "HIGH", "includeThoughts": True}, Reasoning("high", shows=True)),
        ({"thinkingBudget": -1}, Reasoning(shows=False)),
        ({"includeThoughts": False}, None),
    ],
)
def test_thinking_is_reasoning(thinking, reasoning):
    assert read(generationConfig={"thinkingConfig": thinking}).reasoning == reasoning


def test_what_only_google_has_keeps_its_name():
    part = {"executableCode": {"language": "PYTHON", "code": "1"}}
    found = read(contents=[{"parts": [part]}, *SAID_HI], tools=[{"googleSearch": {}}], cachedContent="cachedContents/1")
    assert found.rest.keys() == {"contents.parts.executableCode", "tools.googleSearch", "cachedContent"}


@pytest.mark.parametrize(
    "members",
    [
        {"contents": ["hi"]},
        {"contents": [{"role": "system", "parts": [{"text": "hi"}]}]},
        {"generationConfig": {"temperature": "hot"}},
        {"generationConfig": {"responseMimeType": "text/x.enum"}},
        {"tools": [{"functionDeclarations": [{"description": "nameless"}]}]},
        {"contents": [{"parts": [{"functionCall": {}}]}]},
        {"toolConfig": -1},
        {"toolConfig": {"functionCallingConfig": -1}},
        {"toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": 1.5}}},
        {"labels": 1.5},
        {"labels": [[]]},
    ],
)
def test_nonsense_is_a_bad_request(members):
    with pytest.raises(BadRequest):
        read(**members)


EVENTS = [
    Begun("r1", "claude"),
    ThoughtPiece("Hm"),
    ThoughtPiece(signature=SIGNATURE),
    TextPiece("Peace"),
    TextPiece(" be"),
    ToolBegun(0, "c1", "weather", signature=SEAL),
    ArgumentsPiece(0, '{"city":'),
    ArgumentsPiece(0, '"مكة"}'),
    ToolBegun(1, "c2", "clock"),
    Finished("tool_calls"),
]
USAGE = Usage(input=5, cache_read=3, output=4, reasoning=2)


def test_a_whole_answer_is_a_candidate():
    raw = write_whole(WholeReply([*EVENTS, Used(USAGE)]), "claude/claude-sonnet-4-5")
    judged = GenerateContentResponse.model_validate_json(raw)
    assert [call.name for call in judged.function_calls] == ["weather", "clock"]
    body = json.loads(raw)
    [candidate] = body["candidates"]
    thought, text, *calls = candidate["content"]["parts"]
    assert (thought["text"], thought["thought"]) == ("Hm", True)
    assert text == {"text": "Peace be"}
    assert calls == [
        {"functionCall": {"id": "c1", "name": "weather", "args": {"city": "مكة"}}, "thoughtSignature": SEAL},
        {"functionCall": {"id": "c2", "name": "clock", "args": {}}},
    ]
    assert (candidate["finishReason"], body["modelVersion"]) == ("STOP", "claude/claude-sonnet-4-5")
    assert body["usageMetadata"] == {
        "promptTokenCount": 8,
        "candidatesTokenCount": 4,
        "totalTokenCount": 14,
        "cachedContentTokenCount": 3,
        "thoughtsTokenCount": 2,
    }


def test_a_thought_that_another_provider_sealed_comes_back_as_it_was():
    raw = write_whole(WholeReply([*EVENTS[:3], ThoughtPiece(sealed="hidden"), *EVENTS[3:]]), "claude")
    told = GenerateContentResponse.model_validate_json(raw).candidates[0].content.model_dump_json(exclude_none=True)
    parts = read(contents=[json.loads(told)]).turns[0].parts
    assert parts[:2] == [Thought("Hm", SIGNATURE), Thought(sealed="hidden")]
    assert parts[3].signature == SEAL.replace("/", "_").replace("+", "-")


def test_a_stream_says_calls_whole_and_its_usage_at_the_end():
    writer = GenerateWriter("claude")
    raw = b"".join(writer.write(one) for one in EVENTS[:-1]) + writer.end([Finished("tool_calls")], USAGE, b'{"a":1}')
    said = [data for _, data in Events().feed(raw)]
    judged = [GenerateContentResponse.model_validate_json(data.replace(b',"brokle":{"a":1}', b"")) for data in said]
    assert [chunk.text for chunk in judged[2:4]] == ["Peace", " be"]
    assert [call.args for call in judged[-1].function_calls] == [{"city": "مكة"}, {}]
    last = json.loads(said[-1])
    assert (last["brokle"], last["usageMetadata"]["totalTokenCount"]) == ({"a": 1}, 14)
    assert all("usageMetadata" not in json.loads(data) for data in said[:-1])


def stream(**config):
    found = answer("gemini-2.5-flash", {"contents": SAID_HI, "generationConfig": config})
    return b"".join(event(chunk) for chunk in chunks(found))


def test_a_stream_is_relayed_byte_for_byte_whatever_way_it_is_cut():
    raw = stream()
    for size in (1, 7, 100, len(raw)):
        passage = Passage(1, None)
        cut = [raw[start : start + size] for start in range(0, len(raw), size)]
        assert b"".join(passage.feed(piece) for piece in cut) + passage.finish() == raw
        assert passage.usage == Usage(input=24, cache_read=3, audio_input=4, output=5, reasoning=2)
        assert passage.is_done


def test_metadata_rides_in_the_chunk_that_ends_the_last_candidate():
    raw = stream(candidateCount=2)
    passage = Passage(2, lambda: b'{"a":1}')
    out = passage.feed(raw) + passage.finish()
    assert out.replace(b',"brokle":{"a":1}', b"") == raw
    assert [b"brokle" in data for _, data in Events().feed(out)] == [False] * 17 + [True]


def test_a_chunk_that_ends_without_usage_waits_for_who_says_it():
    end = event({"candidates": [{"finishReason": "STOP", "index": 0}]})
    late = event({"usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 2}})
    passage = Passage(1, lambda: b'{"a":1}')
    assert passage.feed(end) == b""
    assert passage.feed(late) == end.replace(b"}\r\n", b',"brokle":{"a":1}}\r\n') + late
    assert passage.usage == Usage(input=7, output=2)


def test_nothing_follows_an_error_and_a_stream_without_a_reason_is_not_done():
    error = event({"error": {"code": 503, "message": "no", "status": "UNAVAILABLE"}})
    passage = Passage(1, lambda: b"{}")
    assert passage.feed(error + stream()) == error
    assert passage.is_failed
    unsaid = Passage(1, lambda: b"{}")
    unsaid.feed(event({"candidates": [{"content": {"parts": [{"text": "a"}]}}], "usageMetadata": {}}) * 3)
    unsaid.finish()
    assert not unsaid.is_done
    assert unsaid.usage == Usage(output=3, is_estimated=True)
