"""Embeddings, pictures, sound, judgements and ranks, by OpenAI's own SDK."""

import io
import json

import pytest
from openai import BadRequestError, NotFoundError

from tests.fakes.model_provider import SOUND, WORDS
from tests.house import BOOTSTRAP_KEY

pytestmark = [pytest.mark.engines]


@pytest.mark.case(23, "openai")
def test_vectors_are_the_same_in_both_encodings_and_are_priced(client, row, provider):
    packed = client.embeddings.create(model="mock/embedder", input="hello")
    asked = provider.calls[-1].body.get("encoding_format")
    plain = client.embeddings.create(model="mock/embedder", input=["a", "b"], encoding_format="float")

    assert asked == "base64"
    assert packed.data[0].embedding == plain.data[0].embedding == [0.25, -0.5, 1.0]
    assert (len(plain.data), packed.model) == (2, "mock/embedder")
    found = row(client.embeddings.with_raw_response.create(model="embedder", input="x").headers["x-request-id"])
    assert (found["endpoint"], found["input_tokens"], found["cost_usd_nanos"]) == ("embeddings", 5, 100)


@pytest.mark.case(23, "openai")
def test_tokens_go_through_as_they_are(client, provider):
    client.embeddings.create(model="mock/embedder", input=[[1, 2, 3], [4]])
    assert provider.calls[-1].body["input"] == [[1, 2, 3], [4]]


@pytest.mark.case(23, "openai")
def test_pictures_are_counted_by_the_tokens_they_took(client, row):
    raw = client.images.with_raw_response.generate(model="mock/painter", prompt="a mosque at dawn", n=2)
    found = row(raw.headers["x-request-id"])

    assert [image.b64_json for image in raw.parse().data] == ["cGljdHVyZQ=="] * 2
    assert (found["endpoint"], found["status"]) == ("images.generations", 200)
    assert found["cost_usd_nanos"] == 50 * 5_000 + 100 * 40_000


@pytest.mark.case(23, "openai")
def test_a_picture_is_edited_by_form(client, provider):
    edited = client.images.edit(model="mock/painter", image=("a.png", b"\x89PNG....", "image/png"), prompt="brighter")
    assert edited.data[0].b64_json == "cGljdHVyZQ=="
    assert provider.calls[-1].body["model"] == "painter"
    assert provider.calls[-1].body["prompt"] == "brighter"


@pytest.mark.case(23, "openai")
def test_speech_is_passed_on_with_its_own_kind(client, row):
    raw = client.audio.speech.with_raw_response.create(model="mock/gpt-4o-mini", voice="alloy", input="سلام")

    assert raw.content == SOUND
    assert raw.headers["content-type"] == "audio/mpeg"
    assert row(raw.headers["x-request-id"])["status"] == 200


@pytest.mark.case(23, "openai")
@pytest.mark.parametrize("size", [1_000, 3_000_000])
def test_sound_is_heard_whatever_its_size(client, provider, row, size):
    heard = client.audio.transcriptions.with_raw_response.create(
        model="mock/gpt-4o-mini", file=("a.wav", io.BytesIO(b"s" * size), "audio/wav"), language="ar"
    )
    [call] = [call for call in provider.calls if call.headers.get("content-type", "").startswith("multipart")][-1:]

    assert heard.parse().text == f"{size} bytes"
    assert (call.body["model"], call.body["language"]) == ("gpt-4o-mini", "ar")
    assert call.headers.get("transfer-encoding") == ("chunked" if size > 1_000_000 else None)
    assert row(heard.headers["x-request-id"])["endpoint"] == "audio.transcriptions"


@pytest.mark.case(23, "openai")
def test_a_transcript_may_be_plain_text(client):
    heard = client.audio.transcriptions.create(
        model="mock/gpt-4o-mini", file=("a.wav", b"xx", "audio/wav"), response_format="text"
    )
    assert heard.strip() == "Peace upon you"


def test_a_form_whose_file_comes_first_is_understood(home, provider):
    mark = "x" * 30
    file = f'--{mark}\r\ncontent-disposition: form-data; name="file"; filename="model.wav"\r\n\r\n'.encode()
    model = f'\r\n--{mark}\r\ncontent-disposition: form-data; name="model"\r\n\r\nmock/gpt-4o-mini\r\n--{mark}--\r\n'
    body = file + b"s" * 2_000_000 + model.encode()
    headers = {"authorization": f"Bearer {BOOTSTRAP_KEY}", "content-type": f"multipart/form-data; boundary={mark}"}

    answer = home.request("POST", "/v1/audio/transcriptions", body, headers)

    assert (answer.status, answer.json()["text"]) == (200, "2000000 bytes")
    assert provider.calls[-1].body["model"] == "gpt-4o-mini"


@pytest.mark.case(11, "raw")
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b"--x--"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b'--x\r\ncontent-disposition: form-data; name="model"\r\n\r\n'),
        ("multipart/form-data; boundary=x", b'--x\r\nname="model"; filename="a"\r\n\r\nm\r\n--x--'),
        ("multipart/form-data; boundary=x", b"\x00\xff" * 5000),
    ],
)
def test_a_form_that_is_none_is_refused(home, kind, body):
    headers = {"authorization": f"Bearer {BOOTSTRAP_KEY}", "content-type": kind}
    answer = home.request("POST", "/v1/audio/transcriptions", body, headers)
    assert (answer.status, answer.json()["error"]["type"]) == (400, "invalid_request_error")


def test_a_judgement_is_free(client, row):
    raw = client.moderations.with_raw_response.create(model="mock/gpt-4o-mini", input="I will…")
    assert raw.parse().results[0].flagged is True
    assert row(raw.headers["x-request-id"])["cost_usd_nanos"] == 0


def test_documents_are_ranked(home, row):
    body = {"model": "mock/ranker", "query": "q", "documents": ["a", "b"]}
    headers = {"authorization": f"Bearer {BOOTSTRAP_KEY}", "content-type": "application/json"}
    answer = home.request("POST", "/v1/rerank", json.dumps(body).encode(), headers)

    assert [result["index"] for result in answer.json()["results"]] == [1, 0]
    assert row(answer.headers["x-request-id"])["endpoint"] == "rerank"


def test_text_is_continued_here_and_by_a_model_that_only_chats(client):
    there = client.completions.create(model="mock/gpt-4o-mini", prompt="Peace")
    here = client.completions.create(model="echo/fast", prompt="Peace be upon you", max_tokens=50)
    streamed = list(client.completions.create(model="echo/fast", prompt="Peace be upon you", stream=True))

    assert (there.choices[0].text, there.usage.total_tokens) == ("".join(WORDS), 18)
    assert (here.choices[0].text, here.object, here.model) == ("Peace be upon you", "text_completion", "echo/fast")
    assert "".join(chunk.choices[0].text for chunk in streamed) == "Peace be upon you"
    assert streamed[-1].choices[0].finish_reason == "stop"


def test_what_nobody_knows_is_said_in_openais_words(client):
    with pytest.raises(NotFoundError):
        client.embeddings.create(model="mock/nope", input="x")
    with pytest.raises(BadRequestError, match="embeddings"):
        client.embeddings.create(model="echo/fast", input="x")
