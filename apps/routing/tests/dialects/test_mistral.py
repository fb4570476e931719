"""Where Mistral differs from OpenAI, each request judged by the types of Mistral's SDK."""

import json

import pytest
from mistralai.client.models import ChatCompletionStreamRequest, EmbeddingRequest
from mistralai.client.types import UNSET
from pydantic import BaseModel

from apps.routing.edge.dialects.catalog import dialect_of
from apps.routing.edge.dialects.openai.requests import read_request as read_chat
from apps.routing.edge.dialects.speech import CannotExpress
from apps.routing.edge.reply import Begun, Failed, Finished, TextPiece, ThoughtPiece, Used
from apps.routing.edge.usage import Usage

MISTRAL = dialect_of("mistral")
HI = [{"role": "user", "content": "hi"}]
PNG = "iVBORw0KGgo="
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": CITY}}


def check_known(body, held, where="body"):
    """Mistral refuses what it does not know, which its SDK's types let pass."""
    if isinstance(held, list):
        for entry, inner in zip(body, held, strict=True):
            check_known(entry, inner, where)
    elif isinstance(held, BaseModel) and isinstance(body, dict):
        names = {field.alias or name for name, field in type(held).model_fields.items()}
        assert body.keys() <= names, f"{where}: {body.keys() - names}"
        assert not getattr(held, "is_unknown", False), where
        for name, field in type(held).model_fields.items():
            value = getattr(held, name)
            if value is not UNSET and (field.alias or name) in body:
                check_known(body[field.alias or name], value, f"{where}.{name}")


def written(*, drops=False, messages=HI, **members):
    said = json.dumps({"model": "any", "messages": messages, **members}).encode()
    conversation = read_chat(said, is_stream=bool(members.get("stream")), drops_unsupported=drops)
    body = json.loads(MISTRAL.write_request(conversation, "mistral-large-latest"))
    check_known(body, ChatCompletionStreamRequest.model_validate(body))
    assert body.pop("model") == "mistral-large-latest"
    return body


def refused(**members):
    with pytest.raises(CannotExpress) as caught:
        written(**members)
    return caught.value.field


def test_some_members_have_other_names_and_usage_is_not_asked_for():
    found = written(max_completion_tokens=9, seed=3, user="u1", stream=True, temperature=1.5, logprobs=True)
    assert found == {
        "messages": HI,
        "max_tokens": 9,
        "random_seed": 3,
        "stream": True,
        "temperature": 1.5,
        "logprobs": True,
        "top_logprobs": 0,
    }


def test_what_mistral_alone_has_may_be_said_outright():
    native = {"safe_prompt": True, "prompt_mode": "reasoning", "prediction": {"type": "content", "content": "x"}}
    assert written(**native, metadata={"a": "b"}) == {"messages": HI, **native, "metadata": {"a": "b"}}
    assert written(service_tier="default", store=False) == {"messages": HI, "service_tier": "standard_only"}


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"logit_bias": {"1": 2}}, "logit_bias"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"x_vendor": 1}, "x_vendor"),
    ],
)
def test_what_mistral_cannot_be_told_is_refused_by_its_name_or_left_out(members, field):
    assert refused(**members) == field
    assert written(drops=True, **members) == {"messages": HI}


def test_calls_have_ids_of_nine_letters_the_same_at_both_ends():
    call = {"id": "call_abc", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    messages = [
        *HI,
        {"role": "assistant", "tool_calls": [call, {**call, "id": "abcDEF123"}]},
        {"role": "tool", "tool_call_id": "call_abc", "content": "warm"},
        {"role": "tool", "tool_call_id": "abcDEF123", "content": "cold"},
    ]
    found = written(messages=messages, tools=[WEATHER])["messages"]
    ids = [one["id"] for one in found[1]["tool_calls"]]
    assert ids == [found[2]["tool_call_id"], found[3]["tool_call_id"]]
    assert (len(ids[0]), ids[0].isalnum(), ids[1]) == (9, True, "abcDEF123")


def test_a_tool_without_parameters_takes_an_object():
    tools = written(tools=[{"type": "function", "function": {"name": "now"}}], tool_choice="required")
    assert tools["tools"][0]["function"]["parameters"] == {"type": "object", "properties": {}}
    assert tools["tool_choice"] == "required"


def test_sound_and_documents():
    sound = {"type": "input_audio", "input_audio": {"data": PNG, "format": "wav"}}
    address = f"data:application/pdf;base64,{PNG}"
    file = {"type": "file", "file": {"filename": "a.pdf", "file_data": address}}
    kept = {"type": "file", "file": {"file_id": "f1"}}
    image = {"type": "image_url", "image_url": {"url": "https://pictures.example/a.png", "detail": "low"}}
    found = written(messages=[{"role": "user", "content": [sound, file, kept, image]}])["messages"][0]["content"]
    assert found == [
        {"type": "input_audio", "input_audio": PNG},
        {"type": "document_url", "document_url": address, "document_name": "a.pdf"},
        {"type": "file", "file_id": "f1"},
        image,
    ]


THOUGHT = {"type": "thinking", "thinking": [{"type": "text", "text": "So "}, {"type": "text", "text": "it is."}]}
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def test_thoughts_stand_in_the_content():
    message = {"role": "assistant", "content": [THOUGHT, {"type": "text", "text": "Peace"}]}
    body = {"id": "c1", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "model_length"}]}
    assert MISTRAL.read_whole(json.dumps({**body, "usage": USAGE}).encode()).events == [
        Begun("c1", "m"),
        ThoughtPiece("So it is."),
        TextPiece("Peace"),
        Finished("length"),
        Used(Usage(input=3, output=2)),
    ]


def test_thoughts_stand_in_the_content_of_streams_too():
    reader = MISTRAL.reader()
    deltas = [{"content": [THOUGHT]}, {"content": "Peace"}, {"content": ""}]
    ends = [None, None, "stop"]
    events = []
    for delta, end in zip(deltas, ends, strict=True):
        chunk = {"id": "c1", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": end}]}
        events += reader.feed(b"data: " + json.dumps(chunk | ({"usage": USAGE} if end else {})).encode() + b"\n\n")
    events += reader.feed(b"data: [DONE]\n\n")
    assert events == [
        Begun("c1", "m"),
        ThoughtPiece("So it is."),
        TextPiece("Peace"),
        Finished("stop"),
        Used(Usage(input=3, output=2)),
    ]
    assert reader.is_complete


def test_embeddings_are_relayed_with_mistrals_name_for_dimensions():
    body = {"model": "mistral-embed", "input": ["a"], "dimensions": 2, "encoding_format": "base64", "user": "u1"}
    found = json.loads(MISTRAL.fitted(json.dumps(body).encode(), "embeddings", None))
    assert found == {"model": "mistral-embed", "input": ["a"], "output_dimension": 2, "encoding_format": "base64"}
    check_known(found, EmbeddingRequest.model_validate(found))
    assert MISTRAL.fitted(b'{"input": "x"}', "moderations", None) == b'{"input": "x"}'
    assert MISTRAL.speaks("openai.embeddings")
    assert not MISTRAL.speaks("openai.chat")


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (
            400,
            {"object": "error", "message": "no", "type": "invalid_model", "param": None, "code": "1500"},
            Failed("no", "invalid_model", "1500", status=400),
        ),
        (
            422,
            {"detail": [{"loc": ["body", "top_p"], "msg": "too much", "type": "x"}]},
            Failed("top_p: too much", "invalid_request_error", status=422),
        ),
        (
            422,
            {"message": {"detail": [{"loc": ["body", "n"], "msg": "no"}]}, "type": "invalid_request_error"},
            Failed("n: no", "invalid_request_error", status=422),
        ),
        (401, {"detail": "Unauthorized"}, Failed("Unauthorized", "authentication_error", status=401)),
        (500, {"error": {"message": "boom", "type": "server_error"}}, Failed("boom", "server_error", status=500)),
    ],
)
def test_refusals_in_all_their_forms(status, body, failure):
    assert MISTRAL.read_refusal(status, json.dumps(body).encode()) == failure
    assert MISTRAL.read_refusal(502, b"<html>").message == "<html>"
