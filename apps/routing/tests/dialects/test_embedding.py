"""Embeddings asked in OpenAI's or Google's form of a provider that has its own."""

import json
import struct
from base64 import b64decode
from typing import get_args

import pytest
from cohere.types import EmbedInputType
from google.genai.types import EmbedContentResponse
from openai.types import CreateEmbeddingResponse

from apps.routing.edge.asks import Ask
from apps.routing.edge.controls import Controls
from apps.routing.edge.dialects.bedrock.embeddings import InvokeEmbedder
from apps.routing.edge.dialects.cohere.embeddings import CohereEmbedder
from apps.routing.edge.dialects.embedding import Embedding
from apps.routing.edge.dialects.gemini.embed import EMBED, MANY, ONE, EmbeddingOfContents, EmbedFormat
from apps.routing.edge.dialects.gemini.embeddings import GeminiEmbedder
from apps.routing.edge.dialects.ollama.embeddings import OllamaEmbedder
from apps.routing.edge.dialects.openai.embeddings import OpenAIEmbedder
from apps.routing.edge.dialects.openai.plain import no_conversation
from apps.routing.edge.dialects.speech import CannotExpress
from apps.routing.edge.dialects.vertex.embeddings import VertexEmbedder
from apps.routing.edge.usage import Usage
from brokle.kernel.errors import BadRequest

ANSWER = b'{"embeddings": [{"values": [0.25, -0.5]}, {"values": [1.0, 0.0]}], "usageMetadata": {"promptTokenCount": 5}}'


def asked(*, drops=False, **members):
    embedding = Embedding(GeminiEmbedder(), "google/embedder")
    body = json.dumps({"model": "google/embedder", **members}).encode()
    return embedding, json.loads(embedding.write(body, "embedder", "Gemini", drops_unsupported=drops))


def test_each_text_is_a_request_of_its_own():
    _, body = asked(input=["a", "ب"], dimensions=2, user="u1", encoding_format="float")
    assert body == {
        "requests": [
            {"model": "models/embedder", "content": {"parts": [{"text": text}]}, "outputDimensionality": 2}
            for text in ("a", "ب")
        ]
    }
    assert "outputDimensionality" not in asked(input="a")[1]["requests"][0]


@pytest.mark.parametrize("form", ["float", "base64"])
def test_vectors_come_as_numbers_or_packed(form):
    EmbedContentResponse.model_validate_json(ANSWER)
    embedding, _ = asked(input=["a", "b"], encoding_format=form)
    body, usage = embedding.answer(ANSWER)
    said = json.loads(body)
    first, second = (entry["embedding"] for entry in said["data"])
    if form == "base64":
        first, second = (list(struct.unpack("<2f", b64decode(held))) for held in (first, second))
    else:
        CreateEmbeddingResponse.model_validate_json(body, strict=True)
    assert (first, second) == ([0.25, -0.5], [1.0, 0.0])
    assert (said["model"], said["usage"]) == ("google/embedder", {"prompt_tokens": 5, "total_tokens": 5})
    assert usage == Usage(input=5)


def test_who_does_not_count_is_counted():
    embedding, _ = asked(input="twelve bytes")
    assert embedding.answer(b'{"embeddings": []}')[1] == Usage(input=3, is_estimated=True)


@pytest.mark.parametrize(("members", "field"), [({"input": [1, 2]}, "input"), ({"input": "a", "x": 1}, "x")])
def test_what_cannot_be_told_is_refused_by_name(members, field):
    with pytest.raises(CannotExpress) as caught:
        asked(**members)
    assert caught.value.field == field
    assert asked(input="a", x=1, drops=True)[1]["requests"]


@pytest.mark.parametrize("given", [[], 5, None])
def test_nothing_to_embed_is_a_bad_request(given):
    with pytest.raises(BadRequest):
        asked(input=given)


def contents(embedder, verb=MANY, *, drops=False, **members):
    embedding = EmbeddingOfContents(embedder, verb)
    return embedding, json.loads(embedding.write(json.dumps(members).encode(), "m", "X", drops_unsupported=drops))


def said(text, **members):
    return {"model": "models/any", "content": {"parts": [{"text": text}]}, **members}


def test_googles_contents_are_texts_to_others():
    embedding, body = contents(
        OpenAIEmbedder(), requests=[said("a", outputDimensionality=2), said("ب", output_dimensionality=2)]
    )
    assert body == {"model": "m", "input": ["a", "ب"], "encoding_format": "float", "dimensions": 2}
    reply = {
        "data": [{"index": 1, "embedding": [1.0]}, {"index": 0, "embedding": [0.5]}],
        "usage": {"prompt_tokens": 3},
    }
    raw, usage = embedding.answer(json.dumps(reply).encode())
    assert [one.values for one in EmbedContentResponse.model_validate_json(raw).embeddings] == [[0.5], [1.0]]
    assert usage == Usage(input=3)


def test_a_single_content_has_a_single_vector():
    embedding, body = contents(GeminiEmbedder(), ONE, content={"parts": [{"text": "a"}, {"text": "b"}]})
    assert body["requests"][0]["content"] == {"parts": [{"text": "a\nb"}]}
    raw, usage = embedding.answer(b'{"embeddings": [{"values": [0.5]}]}')
    assert json.loads(raw) == {"embedding": {"values": [0.5]}, "usageMetadata": {"promptTokenCount": 1}}
    assert usage == Usage(input=1, is_estimated=True)


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"requests": [said("a", taskType="RETRIEVAL_QUERY")]}, "taskType"),
        ({"requests": [{"content": {"parts": [{"inlineData": {"data": ""}}]}}]}, "content.parts.inlineData"),
        ({"requests": []}, "requests"),
        ({"requests": [{"content": "a"}]}, "content"),
        ({"requests": [said("a"), said("b", outputDimensionality=2)]}, "outputDimensionality"),
    ],
)
def test_contents_that_are_no_texts_are_refused_by_name(members, field):
    with pytest.raises(BadRequest) as caught:
        contents(OpenAIEmbedder(), **members)
    assert caught.value.field == field


COHERE_ON_BEDROCK, TITAN = "cohere.embed-english-v3", "amazon.titan-embed-text-v2:0"
WORDS = [
    ("RETRIEVAL_DOCUMENT", "search_document"),
    ("RETRIEVAL_QUERY", "search_query"),
    ("CLASSIFICATION", "classification"),
    ("CLUSTERING", "clustering"),
]


def told(embedder, model="m", *, drops=False, **members):
    """What a provider is told by OpenAI's callers."""
    body = json.dumps({"model": "any", "input": ["a", "b"], **members}).encode()
    return json.loads(Embedding(embedder, "any").write(body, model, "X", drops_unsupported=drops))


@pytest.mark.parametrize(("googles", "coheres"), WORDS)
def test_what_texts_are_for_is_said_in_the_words_of_each(googles, coheres):
    assert coheres in get_args(get_args(EmbedInputType)[0])
    for members in ({"input_type": coheres}, {"task_type": googles}, {"task_type": googles.lower()}):
        assert told(CohereEmbedder(), **members)["input_type"] == coheres
        assert told(InvokeEmbedder(), COHERE_ON_BEDROCK, **members)["input_type"] == coheres
        assert [one["taskType"] for one in told(GeminiEmbedder(), **members)["requests"]] == [googles, googles]
        assert [one["task_type"] for one in told(VertexEmbedder(), **members)["instances"]] == [googles, googles]
    _, body = contents(CohereEmbedder(), requests=[said("a", taskType=googles), said("b", task_type=googles)])
    assert (body["texts"], body["input_type"]) == (["a", "b"], coheres)


@pytest.mark.parametrize(
    ("word", "coheres"), [("query", "search_query"), ("document", "search_document"), ("passage", "search_document")]
)
def test_the_words_of_others_who_speak_as_openai_does_are_understood_too(word, coheres):
    assert told(CohereEmbedder(), input_type=word)["input_type"] == coheres


def test_who_says_nothing_is_told_nothing_but_at_cohere():
    assert told(CohereEmbedder())["input_type"] == "search_document"
    assert told(CohereEmbedder(), input_type=None, task_type="TASK_TYPE_UNSPECIFIED")["input_type"] == "search_document"
    assert all(one.keys() == {"model", "content"} for one in told(GeminiEmbedder())["requests"])


def test_each_of_googles_contents_may_have_its_own_purpose_and_title():
    document = said("a", taskType="RETRIEVAL_DOCUMENT", title="of a")
    requests = [document, said("b", taskType="SEMANTIC_SIMILARITY"), said("c")]
    assert contents(VertexEmbedder(), requests=requests)[1]["instances"] == [
        {"content": "a", "task_type": "RETRIEVAL_DOCUMENT", "title": "of a"},
        {"content": "b", "task_type": "SEMANTIC_SIMILARITY"},
        {"content": "c"},
    ]
    with pytest.raises(CannotExpress, match="one for all texts") as caught:
        contents(CohereEmbedder(), requests=[said("a", taskType="CLUSTERING"), said("b")])
    assert caught.value.field == "taskType"
    _, body = contents(CohereEmbedder(), drops=True, requests=[said("a", taskType="CLUSTERING"), said("b")])
    assert body["input_type"] == "search_document"


@pytest.mark.parametrize(
    ("embedder", "model", "members", "field"),
    [
        (CohereEmbedder(), "m", {"task_type": "SEMANTIC_SIMILARITY"}, "task_type"),
        (CohereEmbedder(), "m", {"input_type": "image"}, "input_type"),
        (CohereEmbedder(), "m", {"title": "of a"}, "title"),
        (GeminiEmbedder(), "m", {"input_type": "anything"}, "input_type"),
        (InvokeEmbedder(), TITAN, {"input": "a", "input_type": "search_query"}, "input_type"),
        (OllamaEmbedder(), "m", {"task_type": "CLUSTERING"}, "task_type"),
    ],
)
def test_a_purpose_without_a_word_is_refused_by_the_callers_name_or_left_out(embedder, model, members, field):
    with pytest.raises(CannotExpress) as caught:
        told(embedder, model, **members)
    assert caught.value.field == field
    assert told(embedder, model, drops=True, **members) == told(embedder, model, input=members.get("input", ["a", "b"]))


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"input_type": "search_query", "task_type": "CLUSTERING"}, "task_type"),
        ({"input_type": 5}, None),
    ],
)
def test_a_purpose_that_makes_no_sense_is_a_bad_request(members, field):
    with pytest.raises(BadRequest) as caught:
        told(CohereEmbedder(), **members)
    assert caught.value.field == field
    assert told(CohereEmbedder(), input_type="query", task_type="RETRIEVAL_QUERY")["input_type"] == "search_query"


@pytest.mark.parametrize(("members", "field"), [({"taskType": 5}, "taskType"), ({"title": ["a"]}, "title")])
def test_googles_words_are_words(members, field):
    with pytest.raises(BadRequest) as caught:
        contents(CohereEmbedder(), requests=[said("a", **members)])
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("body", "relayed"),
    [
        (b'{"content": {"parts": []}}', b'{"content": {"parts": []}}'),
        (b'{"model": "models/g/e",  "content": {"parts": []}}', b'{"model":"models/e","content":{"parts": []}}'),
        (
            b'{"requests": [{"model": "models/e", "content": {}}]}',
            b'{"requests": [{"model": "models/e", "content": {}}]}',
        ),
        (b'{"requests": [{"content": {}}]}', b'{"requests":[{"content":{},"model":"models/e"}]}'),
        (b'{"requests": [], "brokle": {"user": "u"}}', b'{"requests":[]}'),
    ],
)
def test_contents_reach_google_as_they_came_but_for_the_name(body, relayed):
    spoken = EmbedFormat(EMBED, ONE)
    ask = Ask("g/e", body, Controls(), no_conversation)
    assert spoken.relayed(ask, "e") == relayed
