"""Official SDKs, answered by models at Replicate: predictions behind every format, whole and streamed."""

import http.client
import json
from base64 import b64decode, b64encode

import pytest
from google import genai
from google.genai import types
from openai import BadRequestError, InternalServerError, RateLimitError, UnprocessableEntityError

from tests.fakes.replicate_provider import PICTURE, TEXT
from tests.house import BOOTSTRAP_KEY

pytestmark = [pytest.mark.engines]

LLAMA = "rep/meta/meta-llama-3-8b-instruct"
UNSTREAMED = "rep/meta/llama-2-7b-chat"
HI = [{"role": "user", "content": "hi"}]
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0 and more"
NANOS = 11 * 50 + 7 * 250


def ask(client, model=LLAMA, **more):
    return client.chat.completions.create(model=model, messages=HI, **more)


@pytest.mark.parametrize("model", [LLAMA, UNSTREAMED, "rep/openai/gpt-4o-mini", "rep/hello"])
def test_an_answer_and_a_stream_have_words_and_usage(client, row, model):
    raw = client.chat.completions.with_raw_response.create(model=model, messages=HI, max_tokens=50)
    reply = raw.parse()
    assert (reply.choices[0].message.content, reply.choices[0].finish_reason) == (TEXT, "stop")
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.model) == (11, 7, model)
    stream = ask(client, model, stream=True, stream_options={"include_usage": True})
    chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == TEXT
    assert (chunks[-1].choices, chunks[-1].usage.total_tokens) == ([], 18)
    for request_id in (raw.headers["x-request-id"], stream.response.headers["x-request-id"]):
        found = row(request_id)
        assert (found["status"], found["input_tokens"], found["output_tokens"]) == (200, 11, 7)
        assert found["cost_usd_nanos"] == (NANOS if model != "rep/hello" else 0)


def test_other_formats_reach_it_too(home, client, anthropic):
    message = anthropic.messages.create(model=LLAMA, max_tokens=50, messages=HI, system="Be short.")
    assert (message.content[0].text, message.stop_reason, message.usage.output_tokens) == (TEXT, "end_turn", 7)
    with anthropic.messages.stream(model=LLAMA, max_tokens=50, messages=HI) as stream:
        assert "".join(stream.text_stream) == TEXT
    assert client.responses.create(model=LLAMA, input="hi").output_text == TEXT
    options = types.HttpOptions(base_url=home.url)
    with genai.Client(api_key=BOOTSTRAP_KEY, http_options=options) as google:
        assert google.models.generate_content(model=LLAMA, contents="hi").text == TEXT
        chunks = google.models.generate_content_stream(model=LLAMA, contents="hi")
        assert "".join(chunk.text or "" for chunk in chunks) == TEXT


def test_pictures_are_asked_for_as_at_openai(client, row, replicate):
    raw = client.images.with_raw_response.generate(
        model="rep/black-forest-labs/flux-schnell", prompt="a mosque at dawn", n=2, size="1536x1024"
    )
    assert [picture.url for picture in raw.parse().data] == [PICTURE, PICTURE]
    created = [call for call in replicate.calls if "flux-schnell" in call.path][-1]
    assert created.body == {"input": {"prompt": "a mosque at dawn", "aspect_ratio": "3:2", "num_outputs": 2}}
    found = row(raw.headers["x-request-id"])
    assert (found["endpoint"], found["status"], found["cost_usd_nanos"]) == ("images.generations", 200, 3_000_000)
    with pytest.raises(BadRequestError) as caught:
        client.images.generate(model="rep/black-forest-labs/flux-schnell", prompt="x", response_format="b64_json")
    assert caught.value.param == "response_format"


def test_pictures_are_changed_as_at_openai(client, row, replicate):
    raw = client.images.with_raw_response.edit(
        model="rep/black-forest-labs/flux-kontext-max",
        image=("mosque.png", PNG, "image/png"),
        prompt="the same at night",
        size="1536x1024",
        extra_body={"input": {"seed": 7}},
    )
    assert [picture.url for picture in raw.parse().data] == [PICTURE]
    created = [call for call in replicate.calls if "flux-kontext-max" in call.path][-1]
    assert created.body["input"] == {
        "prompt": "the same at night",
        "input_image": f"data:image/png;base64,{b64encode(PNG).decode()}",
        "aspect_ratio": "3:2",
        "seed": 7,
    }
    found = row(raw.headers["x-request-id"])
    assert (found["endpoint"], found["status"], found["cost_usd_nanos"]) == ("images.edits", 200, 80_000_000)


def test_pictures_that_come_in_pieces_are_whole_before_the_caller_is_listened_to(client, replicate):
    large, mask = PNG + b"\0" * 3_000_000, b"\xff\xd8\xff mask"
    answer = client.images.edit(
        model="rep/black-forest-labs/flux-fill-pro", image=("a.png", large), mask=("m.jpg", mask), prompt="x"
    )
    assert answer.data[0].url == PICTURE
    created = [call for call in replicate.calls if "flux-fill-pro" in call.path][-1]
    assert b64decode(created.body["input"]["image"].partition(",")[2]) == large
    assert created.body["input"]["mask"] == f"data:image/jpeg;base64,{b64encode(mask).decode()}"


def test_an_edit_that_cannot_be_said_is_400_by_its_name_and_the_next_target_is_asked(client, provider):
    asked = {"model": "rep/black-forest-labs/flux-kontext-max", "prompt": "x", "image": ("a.png", PNG)}
    for more, field in (
        ({"mask": ("m.png", PNG)}, "mask"),
        ({"image": [("a.png", PNG), ("b.png", PNG)]}, "image"),
        ({"quality": "high"}, "quality"),
        ({"response_format": "b64_json"}, "response_format"),
        ({"image": ("a.txt", b"a mosque")}, "image"),
        ({"stream": True}, "stream"),
    ):
        with pytest.raises(BadRequestError) as caught:
            client.images.edit(**{**asked, **more})
        assert caught.value.param == field
    drops = {"drop_unsupported": True}
    assert client.images.edit(**asked, mask=("m.png", PNG), quality="high", extra_body=drops).data[0].url == PICTURE

    reply = client.images.with_raw_response.edit(**asked | {"model": "edits"}, mask=("m.png", PNG))
    assert (reply.headers["x-brokle-provider"], reply.headers["x-brokle-attempts"]) == ("mock", "1")


def test_what_it_cannot_be_told_is_400_by_its_name(client):
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    with pytest.raises(BadRequestError) as caught:
        ask(client, tools=tools)
    assert caught.value.param == "tools"
    with pytest.raises(BadRequestError, match="embeddings"):
        client.embeddings.create(model=LLAMA, input="hi")


def test_its_refusals_and_failures_reach_the_caller(client, row):
    with pytest.raises(RateLimitError) as limited:
        ask(client, "rep/acme/limited")
    assert limited.value.response.headers["retry-after"] == "7"
    with pytest.raises(InternalServerError, match="CUDA out of memory") as failed:
        ask(client, "rep/acme/failing")
    assert failed.value.status_code == 502
    with pytest.raises(BadRequestError, match="flagged as sensitive"):
        ask(client, "rep/acme/unwanted")
    with pytest.raises(UnprocessableEntityError, match="input: tempo"):
        ask(client, extra_body={"input": {"tempo": 1}})


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_prediction_that_fails_is_answered_by_the_next_target(client, is_stream):
    reply = ask(client, "replicate-or-gpt", stream=is_stream)
    if is_stream:
        assert "".join(chunk.choices[0].delta.content or "" for chunk in reply if chunk.choices) == TEXT
    else:
        assert reply.choices[0].message.content == TEXT


@pytest.mark.parametrize("is_stream", [False, True])
def test_who_leaves_calls_the_prediction_off(home, replicate, is_stream):
    replicate.calls.clear()
    body = json.dumps({"model": "rep/acme/endless", "messages": HI, "stream": is_stream}).encode()
    connection = http.client.HTTPConnection("127.0.0.1", home.port, timeout=90)
    connection.request("POST", "/v1/chat/completions", body, {"authorization": f"Bearer {BOOTSTRAP_KEY}"})
    home.wait_for(lambda: any(call.path.startswith("GET") for call in replicate.calls))
    connection.close()
    home.wait_for(lambda: any(call.path.endswith("/cancel") for call in replicate.calls))
