"""From OpenAI's words to Ollama's and back, judged by the types of Ollama's client."""

import json

import pytest
from ollama._types import ChatRequest, ChatResponse, EmbedRequest, Message, Options, Tool

from apps.routing.edge.dialects.catalog import dialect_of
from apps.routing.edge.dialects.ollama.embeddings import OllamaEmbedder
from apps.routing.edge.dialects.openai.requests import read_request as read_chat
from apps.routing.edge.dialects.purposes import Text
from apps.routing.edge.dialects.speech import CannotExpress
from apps.routing.edge.reply import (
    ArgumentsPiece,
    Begun,
    Failed,
    Finished,
    TextPiece,
    ThoughtPiece,
    ToolBegun,
    Used,
)
from apps.routing.edge.usage import Usage
from brokle.kernel.errors import BadRequest

OLLAMA = dialect_of("ollama")
MODEL = "qwen3:8b"
HI = [{"role": "user", "content": "hi"}]
PNG = "iVBORw0KGgo="
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION = {"name": "weather", "description": "of a city", "parameters": CITY}
WEATHER = {"type": "function", "function": FUNCTION}


def known(kind):
    return set(kind.model_fields)


def written(model=MODEL, *, drops=False, messages=HI, **members):
    said = json.dumps({"model": "any", "messages": messages, **members}).encode()
    conversation = read_chat(said, is_stream=bool(members.get("stream")), drops_unsupported=drops)
    body = json.loads(OLLAMA.write_request(conversation, model))
    ChatRequest.model_validate(body)
    assert body.keys() <= known(ChatRequest)
    assert body.get("options", {}).keys() <= known(Options) | {"min_p"}
    for message in body["messages"]:
        assert message.keys() <= known(Message)
    for tool in body.get("tools", ()):
        Tool.model_validate(tool)
    assert body.pop("model") == model
    return body


def refused(model=MODEL, **members):
    with pytest.raises(CannotExpress) as caught:
        written(model, **members)
    return caught.value.field


def test_a_word_becomes_a_message_and_streams_are_asked_for_or_not():
    assert written() == {"messages": HI, "stream": False}
    assert written(stream=True)["stream"] is True
    messages = [{"role": "system", "content": "Be short."}, *HI]
    assert written(messages=messages)["messages"] == messages


def test_drawing_and_bounds_are_options():
    asked = {"temperature": 0.5, "top_p": 0.25, "seed": 3, "stop": ["END"], "max_tokens": 9, "presence_penalty": 0.5}
    expected = {name: value for name, value in asked.items() if name != "max_tokens"}
    assert written(**asked, user="u1", store=False) == {
        "messages": HI,
        "stream": False,
        "options": {**expected, "num_predict": 9},
    }


def test_what_ollama_alone_has_may_be_said_outright():
    found = written(num_ctx=8192, keep_alive="5m", think=True, options={"mirostat": 1}, min_p=0.1)
    assert found["options"] == {"num_ctx": 8192, "mirostat": 1, "min_p": 0.1}
    assert (found["keep_alive"], found["think"]) == ("5m", True)
    with pytest.raises(BadRequest, match="options"):
        written(options=[])


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"n": 2}, "n"),
        ({"logit_bias": {"1": 2}}, "logit_bias"),
        ({"metadata": {"a": "b"}}, "metadata"),
        ({"x_vendor": 1}, "x_vendor"),
        ({"tools": [WEATHER], "tool_choice": "required"}, "tool_choice"),
        ({"tools": [WEATHER], "parallel_tool_calls": False}, "parallel_tool_calls"),
    ],
)
def test_what_ollama_cannot_be_told_is_refused_by_its_name_or_left_out(members, field):
    assert refused(**members) == field
    assert field not in written(drops=True, **members)


def test_pictures_go_along_and_are_not_fetched():
    see = {"type": "text", "text": "see"}
    inside = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    found = written(messages=[{"role": "user", "content": [see, inside]}])["messages"]
    assert found == [{"role": "user", "content": "see", "images": [PNG]}]
    outside = {"type": "image_url", "image_url": {"url": "https://pictures.example/a.png"}}
    assert refused(messages=[{"role": "user", "content": [see, outside]}]) == "messages.content.image"


def test_calls_and_their_results():
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Cairo"}'}}
    messages = [
        *HI,
        {"role": "assistant", "reasoning_content": "Look.", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "warm"},
    ]
    found = written(messages=messages, tools=[WEATHER])
    assert found["messages"][1:] == [
        {
            "role": "assistant",
            "content": "",
            "thinking": "Look.",
            "tool_calls": [{"function": {"name": "weather", "arguments": {"city": "Cairo"}}}],
        },
        {"role": "tool", "content": "warm", "tool_name": "weather"},
    ]
    assert found["tools"] == [WEATHER]
    assert "tools" not in written(tools=[WEATHER], tool_choice="none")


def test_shapes_thoughts_and_probabilities():
    shaped = {"type": "json_schema", "json_schema": {"name": "city", "schema": CITY}}
    assert written(response_format=shaped)["format"] == CITY
    assert written(response_format={"type": "json_object"})["format"] == "json"
    assert written(reasoning_effort="low")["think"] is True
    assert written(reasoning_effort="none")["think"] is False
    assert written("gpt-oss:20b", reasoning_effort="high")["think"] == "high"
    assert refused("gpt-oss:20b", reasoning_effort="none") == "reasoning_effort"
    found = written(logprobs=True, top_logprobs=2)
    assert (found["logprobs"], found["top_logprobs"]) == (True, 2)


# ── Answers ──────────────────────────────────────────────────────────────────
HEAD = {"model": MODEL, "created_at": "2026-11-27T10:00:00Z"}
COUNTS = {"prompt_eval_count": 11, "eval_count": 7, "total_duration": 1}
CALL = {"function": {"name": "weather", "arguments": {"city": "مكة"}}}


def line(message=None, **members):
    said = {**HEAD, "message": {"role": "assistant", "content": "", **(message or {})}, "done": False, **members}
    ChatResponse.model_validate(said)
    return json.dumps(said, ensure_ascii=False).encode() + b"\n"


STREAM = [
    line({"thinking": "Look."}),
    line({"content": "Peace"}, logprobs=[{"token": "Peace", "logprob": -0.25}]),
    line({"tool_calls": [CALL]}),
    line(done=True, done_reason="stop", **COUNTS),
]


def read(lines, size=None):
    reader = OLLAMA.reader()
    data = b"".join(lines)
    size = size or len(data)
    events = [found for start in range(0, len(data), size) for found in reader.feed(data[start : start + size])]
    return reader, events + reader.finish()


@pytest.mark.parametrize("size", [1, 50, None])
def test_a_stream_is_lines(size):
    reader, events = read(STREAM, size)
    call_id = next(event.id for event in events if isinstance(event, ToolBegun))
    assert events == [
        Begun(model=MODEL),
        ThoughtPiece("Look."),
        TextPiece("Peace", logprobs=[{"token": "Peace", "logprob": -0.25}]),
        ToolBegun(0, call_id, "weather"),
        ArgumentsPiece(0, '{"city": "مكة"}'),
        Finished("tool_calls"),
        Used(Usage(input=11, output=7)),
    ]
    assert call_id.startswith("call_")
    assert reader.is_complete


def test_a_whole_answer_is_one_line():
    body = line({"content": "Peace"}, done=True, done_reason="length", **COUNTS)
    used = Used(Usage(input=11, output=7))
    assert OLLAMA.read_whole(body).events == [Begun(model=MODEL), TextPiece("Peace"), Finished("length"), used]
    with pytest.raises(ValueError, match="done"):
        OLLAMA.read_whole(b"{}")


def test_a_stream_that_breaks_off_or_fails():
    assert not read(STREAM[:-1])[0].is_complete
    assert not read([STREAM[0], STREAM[-1][:-20]][:1])[0].is_complete
    assert read([STREAM[0], b'{"error": "the model went away"}\n'])[1][-1] == Failed("the model went away")


def test_refusals_are_sentences():
    missing = OLLAMA.read_refusal(404, b'{"error": "model \'x\' not found"}')
    assert missing == Failed("model 'x' not found", "not_found_error", status=404)
    assert OLLAMA.read_refusal(500, b'{"error": "boom"}').type == "server_error"


def test_embeddings():
    body = json.loads(OllamaEmbedder().write([Text("a"), Text("b")], 2, "nomic-embed-text"))
    assert body == {"model": "nomic-embed-text", "input": ["a", "b"], "dimensions": 2}
    EmbedRequest.model_validate(body)
    reply = b'{"model": "m", "embeddings": [[0.5]], "prompt_eval_count": 3}'
    assert OllamaEmbedder().read(reply) == ([[0.5]], Usage(input=3))


def test_addresses_with_and_without_the_version():
    for base in ("http://127.0.0.1:11434", "http://127.0.0.1:11434/v1", "http://127.0.0.1:11434/api"):
        assert OLLAMA.address(base, "chat", MODEL, {}, is_stream=True) == "http://127.0.0.1:11434/api/chat"
    assert OLLAMA.address("http://h", "completions", MODEL, {}, is_stream=False) == "http://h/v1/completions"
    assert OLLAMA.headers("", {"auth": "none"}) == {}
    assert OLLAMA.headers("k", {"auth": "bearer"}) == {"authorization": "Bearer k"}
