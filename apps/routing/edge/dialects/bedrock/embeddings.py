"""Embeddings on Bedrock: each maker's model is invoked in its maker's own form."""

from typing import Any, Final

import msgspec

from apps.routing.edge.dialects.cohere.embeddings import USUAL
from apps.routing.edge.dialects.embedding import Vectors
from apps.routing.edge.dialects.purposes import COHERES, SILENT, Text, Words
from apps.routing.edge.dialects.speech import CannotExpress
from apps.routing.edge.usage import Usage

_TITLE: Final = "Amazon Bedrock"
_COHERES: Final = "cohere.embed"
_encode: Final = msgspec.json.encode


class _Typed(msgspec.Struct):
    vectors: Vectors = msgspec.field(name="float")


class _Reply(msgspec.Struct, rename="camel"):
    """Titan's with one vector, or Cohere's with several."""

    embedding: list[float] | None = None
    input_text_token_count: int | None = None
    embeddings: list[list[float]] | _Typed | None = None


_decode: Final = msgspec.json.Decoder(_Reply).decode


class InvokeEmbedder:
    def words(self, model: str) -> Words:
        return COHERES if _COHERES in model else SILENT

    def write(self, texts: list[Text], dimensions: int | None, model: str) -> bytes:
        if _COHERES in model:
            return _encode(_coheres(texts, dimensions, model))
        if "titan-embed" in model:
            return _encode(_titans(texts, dimensions, model))
        raise CannotExpress("model", _TITLE, "only embeddings of Titan and Cohere are known here")

    def read(self, body: bytes) -> tuple[Vectors, Usage | None]:
        """Cohere's models count in a header, which does not come here."""
        reply = _decode(body)
        if reply.embedding is not None:
            counted = reply.input_text_token_count
            return [reply.embedding], None if counted is None else Usage(input=counted)
        if reply.embeddings is None:
            raise msgspec.ValidationError("an answer has embeddings")
        return reply.embeddings.vectors if isinstance(reply.embeddings, _Typed) else reply.embeddings, None


def _titans(texts: list[Text], dimensions: int | None, model: str) -> dict[str, Any]:
    if len(texts) != 1:
        raise CannotExpress("input", _TITLE, "Titan takes one text in a call")
    body: dict[str, Any] = {"inputText": texts[0].text}
    if dimensions is None:
        return body
    if "titan-embed-image" in model:
        return body | {"embeddingConfig": {"outputEmbeddingLength": dimensions}}
    if "titan-embed-text-v2" in model:
        return body | {"dimensions": dimensions}
    raise CannotExpress("dimensions", _TITLE)


def _coheres(texts: list[Text], dimensions: int | None, model: str) -> dict[str, Any]:
    body: dict[str, Any] = {"texts": [text.text for text in texts], "input_type": texts[0].purpose or USUAL}
    if dimensions is None:
        return body
    if "embed-v4" not in model:
        raise CannotExpress("dimensions", _TITLE)
    return body | {"output_dimension": dimensions}
