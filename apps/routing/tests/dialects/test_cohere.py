"""From OpenAI's and Anthropic's words to Cohere's and back, judged by the types and the client of Cohere's SDK."""

import json

import cohere
import pytest

from apps.routing.edge.dialects.anthropic.requests import read_request as read_messages
from apps.routing.edge.dialects.cohere.conversations import write_request
from apps.routing.edge.dialects.cohere.dialect import Cohere
from apps.routing.edge.dialects.cohere.embeddings import CohereEmbedder
from apps.routing.edge.dialects.cohere.replies import read_whole
from apps.routing.edge.dialects.cohere.streams import ChatReader
from apps.routing.edge.dialects.cohere.wire import refusal_of
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
from tests.fakes.cohere_provider import COMMAND, KEY, PLAN, TEXT, THOUGHT, answer, check, cohere_provider, event, stream
from tests.fakes.model_provider import WORDS

HI = [{"role": "user", "content": "hi"}]
OLD = "command-r-08-2024"
PNG = "iVBORw0KGgo="
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION = {"name": "weather", "description": "of a city", "parameters": CITY}
WEATHER = {"type": "function", "function": FUNCTION}
COUNTED = Usage(input=11, output=7)


def written(model=COMMAND, *, drops=False, messages=HI, **members):
    body = json.dumps({"model": "any", "messages": messages, **members}).encode()
    conversation = read_chat(body, is_stream=bool(members.get("stream")), drops_unsupported=drops)
    return check("/v2/chat", json.loads(write_request(conversation, model, title="Cohere")))


def said(**members):
    found = written(**members)
    assert (found.pop("model"), found.pop("messages")) == (COMMAND, HI)
    return found


def refused(model=COMMAND, **members):
    with pytest.raises(CannotExpress) as caught:
        written(model, **members)
    return caught.value.field


# ── Requests ─────────────────────────────────────────────────────────────────
def test_a_word_becomes_a_message():
    assert written() == {"model": COMMAND, "messages": HI}
    assert written(stream=True)["stream"] is True


def test_the_system_speaks_first():
    messages = [{"role": "system", "content": "Be short."}, {"role": "developer", "content": "Be kind."}, *HI]
    assert written(messages=messages)["messages"] == [
        {"role": "system", "content": "Be short."},
        {"role": "system", "content": "Be kind."},
        *HI,
    ]


def test_drawing_and_bounds_have_coheres_names():
    asked = {"max_completion_tokens": 9, "temperature": 0.5, "top_p": 0.25, "stop": "END", "seed": 3}
    expected = {"max_tokens": 9, "temperature": 0.5, "p": 0.25, "stop_sequences": ["END"], "seed": 3}
    assert said(**asked, frequency_penalty=0.5) == {**expected, "frequency_penalty": 0.5}
    assert said(top_p=1) == {}


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"frequency_penalty": -0.5}, "frequency_penalty"),
        ({"presence_penalty": 1.5}, "presence_penalty"),
        ({"metadata": {"a": "b"}}, "metadata"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"x_vendor": 1}, "x_vendor"),
        ({"tools": [WEATHER], "parallel_tool_calls": False}, "parallel_tool_calls"),
        ({"tools": [WEATHER], "response_format": {"type": "json_object"}}, "response_format"),
    ],
)
def test_what_cohere_cannot_be_told_is_refused_by_its_name_or_left_out(members, field):
    assert refused(**members) == field
    assert field not in written(drops=True, **members)


def test_coheres_own_words_may_be_said_outright():
    native = {
        "documents": [{"data": {"text": "It is warm."}, "id": "d1"}],
        "citation_options": {"mode": "FAST"},
        "safety_mode": "OFF",
        "priority": 5,
    }
    assert said(**native) == native
    assert said(user="u1", prompt_cache_key="k", store=False) == {}


def test_pictures_are_seen_and_files_are_not():
    see = {"type": "text", "text": "see"}
    for url in (f"data:image/png;base64,{PNG}", "https://pictures.example/a.png"):
        part = {"type": "image_url", "image_url": {"url": url, "detail": "low"}}
        assert written(messages=[{"role": "user", "content": [see, part]}])["messages"][0]["content"] == [see, part]
    file = {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PNG}"}}
    assert refused(messages=[{"role": "user", "content": [see, file]}]) == "messages.content.file"


CALLED = {
    "role": "assistant",
    "content": "Looking.",
    "reasoning_content": PLAN,
    "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Cairo"}'}}],
}


def test_calls_and_their_results():
    messages = [*HI, CALLED, {"role": "tool", "tool_call_id": "c1", "content": "warm"}, *HI]
    assert written(messages=messages, tools=[WEATHER])["messages"][1:] == [
        {"role": "assistant", "content": "Looking.", "tool_calls": CALLED["tool_calls"], "tool_plan": PLAN},
        {"role": "tool", "tool_call_id": "c1", "content": "warm"},
        *HI,
    ]


def test_anthropics_words_become_coheres():
    turns = [
        *HI,
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "sealed elsewhere", "signature": "s"},
                {"type": "tool_use", "id": "t1", "name": "weather", "input": {}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "warm"}]},
    ]
    body = json.dumps({"model": "m", "max_tokens": 9, "messages": turns, "top_k": 5}).encode()
    conversation = read_messages(body, is_stream=False, drops_unsupported=False)
    found = check("/v2/chat", json.loads(write_request(conversation, COMMAND, title="Cohere")))
    call = {"id": "t1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    assert found["messages"][1:] == [
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "t1", "content": "warm"},
    ]
    assert (found["k"], found["max_tokens"]) == (5, 9)


def test_choices_of_tools():
    other = {"type": "function", "function": {"name": "now"}}
    assert said(tools=[WEATHER], tool_choice="auto") == {"tools": [WEATHER]}
    assert said(tools=[WEATHER], tool_choice="required")["tool_choice"] == "REQUIRED"
    assert said(tools=[WEATHER], tool_choice="none")["tool_choice"] == "NONE"
    named = {"type": "function", "function": {"name": "now"}}
    found = said(tools=[WEATHER, other], tool_choice=named)
    assert found["tool_choice"] == "REQUIRED"
    parameters = {"type": "object", "properties": {}}
    assert found["tools"] == [{"type": "function", "function": {"name": "now", "parameters": parameters}}]
    strict = {**WEATHER, "function": {**FUNCTION, "strict": True}}
    assert said(tools=[strict]) == {"tools": [WEATHER], "strict_tools": True}


def test_shapes():
    shaped = {"type": "json_schema", "json_schema": {"name": "city", "schema": CITY}}
    assert said(response_format=shaped) == {"response_format": {"type": "json_object", "json_schema": CITY}}
    assert said(response_format={"type": "json_object"}) == {"response_format": {"type": "json_object"}}


def test_how_much_is_thought():
    assert said(reasoning_effort="low") == {"thinking": {"type": "enabled", "token_budget": 1024}}
    assert said(reasoning_effort="high") == {"thinking": {"type": "enabled"}}
    assert said(reasoning_effort="none") == {"thinking": {"type": "disabled"}}
    assert refused(OLD, reasoning_effort="low") == "reasoning_effort"
    assert "thinking" not in written(OLD, reasoning_effort="none")


# ── Answers ──────────────────────────────────────────────────────────────────
ASKED = {"model": COMMAND, "messages": HI}
THINKING = {"thinking": {"type": "enabled"}}
TOOLS = {"tools": [WEATHER]}
DOCUMENTS = {"documents": ["It is warm."]}


def read(chunks, size=None):
    reader = ChatReader()
    data = b"".join(chunks)
    size = size or len(data)
    events = [found for start in range(0, len(data), size) for found in reader.feed(data[start : start + size])]
    return reader, events + reader.finish()


def joined(events):
    """Neighbours of one kind as one, since a whole answer has them so."""
    found = []
    for one in events:
        last = found[-1] if found else None
        is_same = isinstance(one, TextPiece | ThoughtPiece | ArgumentsPiece) and type(last) is type(one)
        if is_same and getattr(last, "index", 0) == getattr(one, "index", 0):
            last.text += one.text
        else:
            found.append(one)
    return found


@pytest.mark.parametrize("size", [1, 50, None])
@pytest.mark.parametrize("asked", [{}, THINKING, TOOLS, DOCUMENTS])
def test_a_stream_has_the_events_of_the_whole_answer(asked, size):
    found = answer(ASKED | asked)
    reader, events = read(stream(found), size)
    assert joined(events) == read_whole(json.dumps(found).encode()).events
    assert reader.is_complete


def test_plans_calls_and_usage_are_told():
    _, events = read(stream(answer(ASKED | TOOLS)))
    assert joined(events) == [
        Begun("c14c80c3"),
        ThoughtPiece(PLAN),
        ToolBegun(0, "weather_0", "weather"),
        ArgumentsPiece(0, '{"city": "Cairo"}'),
        ToolBegun(1, "weather_1", "weather"),
        ArgumentsPiece(1, '{"city": "\\u0645\\u0643\\u0629"}'),
        Finished("tool_calls"),
        Used(COUNTED),
    ]


def test_a_call_without_arguments_has_an_empty_object():
    begun = {"id": "t1", "type": "function", "function": {"name": "now", "arguments": ""}}
    chunks = [
        event("tool-call-start", index=0, delta={"message": {"tool_calls": begun}}),
        event("tool-call-end", index=0),
        event("something-new", index=0, delta={"message": {"content": []}}),
    ]
    assert read(chunks)[1] == [ToolBegun(0, "t1", "now"), ArgumentsPiece(0, "{}")]


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("COMPLETE", "stop"),
        ("MAX_TOKENS", "length"),
        ("STOP_SEQUENCE", "stop_sequence"),
        ("ERROR_TOXIC", "content_filter"),
    ],
)
def test_reasons_to_stop(reason, finish):
    assert read([event("message-end", delta={"finish_reason": reason})])[1] == [Finished(finish)]


def test_an_answer_that_failed_is_none():
    end = event("message-end", delta={"finish_reason": "ERROR", "error": "went away"})
    reader, events = read([end])
    assert events == [Failed("went away", "server_error", "ERROR")]
    assert not reader.is_complete
    with pytest.raises(ValueError, match="error"):
        read_whole(b'{"message": {}, "finish_reason": "TIMEOUT"}')
    assert not read(stream(answer(ASKED))[:-2])[0].is_complete


def test_refusals_have_coheres_words():
    assert refusal_of(429, b'{"message": "slow"}') == Failed("slow", "rate_limit_error", status=429)
    assert refusal_of(400, b'{"message": "too many tokens: 9"}').code == "context_length_exceeded"
    assert refusal_of(502, b"<html>") == Failed("<html>", "upstream_error", status=502)
    assert refusal_of(500, b"{}").message == "The upstream service answered 500"


def test_embeddings():
    embedder = CohereEmbedder()
    found = check("/v2/embed", json.loads(embedder.write([Text("a"), Text("b")], 2, "embed-v4.0")))
    assert found == {
        "model": "embed-v4.0",
        "texts": ["a", "b"],
        "input_type": "search_document",
        "embedding_types": ["float"],
        "output_dimension": 2,
    }
    reply = b'{"embeddings": {"float": [[0.5]]}, "meta": {"billed_units": {"input_tokens": 5.0}}}'
    assert embedder.read(reply) == ([[0.5]], Usage(input=5))
    assert embedder.read(b'{"embeddings": {"float": [[0.5]]}}') == ([[0.5]], None)


def test_addresses_with_and_without_the_edition():
    dialect = Cohere("cohere", "Cohere")
    for base in ("https://api.cohere.com", "https://api.cohere.com/v1", "https://api.cohere.com/v2"):
        assert dialect.address(base, "chat", "m", {}, is_stream=True) == "https://api.cohere.com/v2/chat"
    assert dialect.address("https://api.cohere.com", "rerank", "m", {}, is_stream=False).endswith("/v2/rerank")
    assert dialect.headers("k", {"auth": "bearer"}) == {"authorization": "Bearer k"}


def test_the_provider_that_judges_us_answers_coheres_own_client():
    with cohere_provider() as provider, cohere.ClientV2(KEY, base_url=provider.url) as client:
        found = client.chat(model=COMMAND, messages=[{"role": "user", "content": "hi"}], thinking={"type": "enabled"})
        assert [getattr(one, one.type) for one in found.message.content] == [THOUGHT, TEXT]
        events = client.chat_stream(model=COMMAND, messages=[{"role": "user", "content": "hi"}])
        pieces = [one.delta.message.content.text for one in events if one.type == "content-delta"]
        assert pieces == WORDS
        ranked = client.rerank(model="rerank-v3.5", query="q", documents=["a", "b"])
        assert [one.index for one in ranked.results] == [1, 0]
        vectors = client.embed(model="embed-v4.0", texts=["a"], input_type="search_document", embedding_types=["float"])
        assert len(vectors.embeddings.float_) == 1
